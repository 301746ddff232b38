import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { canonicalJson, openSuccessorKeyring, signDocument, TrustError, verifyDocument } from "@prestage/trust";
import type { Keyring, SigningKey } from "@prestage/trust";
import { z } from "zod";
import { ContentError } from "../error.ts";
import { sha256Schema } from "../description/schema.ts";
import { malformed } from "./export-manifest.ts";

/**
 * What signs an export, all of it, in one file that is still a plain WIM: a document of kind `content-export`, signed by a key of the media role,
 * stands as base64 in the description of the WIM's one image. Its `sha256` is that of the file with the description's bytes taken as zeros; its length
 * is the same whatever the hash, so the file is written with a description of zeros first.
 */
const sealSchema = z.strictObject({ format: z.literal("prestage-content-export-v1"), siteCode: z.string().regex(/^[A-Z0-9]{3}$/), sha256: sha256Schema });
export type ExportSeal = z.infer<typeof sealSchema>;

/** As many characters as the seal will have, none of which has a meaning in XML. */
export function emptySeal(siteCode: string, key: SigningKey): string {
  return "0".repeat(makeSeal({ format: "prestage-content-export-v1", siteCode, sha256: "0".repeat(64) }, key).length);
}

export function makeSeal(seal: ExportSeal, key: SigningKey): string {
  return signDocument("content-export", canonicalJson(seal), [key]).toString("base64");
}

/**
 * Opens a seal under a trusted keyring, or one of those that follow it (`later`, each signed by a root key of the one before).
 * @throws TrustError, ContentError PRESTAGE_CONTENT_EXPORT_MALFORMED
 */
export function openSeal(text: string, trusted: Keyring, later: readonly Uint8Array[]): ExportSeal {
  const envelope = Buffer.from(text, "base64");
  // One seal has one spelling: no byte of the file may differ without being noticed.
  if (envelope.toString("base64") !== text) throw malformed("a seal in base64");
  let keyring = trusted;
  for (let next = 0; ; next++) {
    try {
      return checkSeal(envelope, keyring);
    } catch (cause) {
      const successor = later[next];
      if (!(cause instanceof TrustError) || cause.code !== "PRESTAGE_TRUST_SIGNATURE_INVALID" || successor === undefined) throw cause;
      keyring = openSuccessorKeyring(keyring, successor);
    }
  }
}

function checkSeal(envelope: Buffer, keyring: Keyring): ExportSeal {
  const payload = verifyDocument("content-export", envelope, keyring.roles.media);
  const parsed = sealSchema.safeParse(JSON.parse(payload.toString("utf8")));
  if (!parsed.success || parsed.data.siteCode !== keyring.siteCode) throw malformed(`the seal of an export of site ${keyring.siteCode}`);
  // Verified above, and so of this form.
  const { payloadType, signatures } = JSON.parse(envelope.toString("utf8")) as { payloadType: string; signatures: { sig: string }[] };
  const inOneSpelling = signatures.length === 1 && signatures.every(({ sig }) => Buffer.from(sig, "base64").toString("base64") === sig);
  if (!inOneSpelling || !envelope.equals(Buffer.from(`${JSON.stringify({ payloadType, payload: payload.toString("base64"), signatures })}\n`))) throw malformed("a seal as it was written");
  return parsed.data;
}

/** Where the image's description lies in the file: its XML, in UTF-16LE, names it once. @throws ContentError PRESTAGE_CONTENT_EXPORT_MALFORMED */
export function findSeal(xml: Buffer, xmlOffset: number, seal: string): { start: number; end: number } {
  const bytes = Buffer.from(seal, "utf16le");
  const at = xml.indexOf(bytes);
  if (seal === "" || at < 0 || xml.includes(bytes, at + 1)) throw malformed("a WIM whose one image has a seal as its description");
  return { start: xmlOffset + at, end: xmlOffset + at + bytes.length };
}

/** SHA-256 of a file with the bytes [start, end) taken as zeros. */
export async function hashAround(handle: FileHandle, { start, end }: { start: number; end: number }, options: { signal?: AbortSignal; onBytes?: (done: number, total: number) => void } = {}): Promise<string> {
  const hash = createHash("sha256");
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(1 << 20);
  for (let at = 0; at < size; ) {
    options.signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new ContentError("PRESTAGE_CONTENT_EXPORT_ALTERED", `Expected a file of ${size} bytes; it ended after ${at}.`);
    buffer.fill(0, Math.min(Math.max(0, start - at), bytesRead), Math.min(Math.max(0, end - at), bytesRead));
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
    options.onBytes?.(at, size);
  }
  return hash.digest("hex");
}
