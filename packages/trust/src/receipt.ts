import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { TrustError } from "./error.ts";
import { publicKeySchema } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";
import { maximumDocumentBytes, payloadTypeOf, signDocument, verifyDocument } from "./signed-document.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** A receipt lists at most this many files one by one, and paths of so many characters in all; `files.sha256` covers every file. */
export const mostListedFiles = 20_000;
const mostListedCharacters = 4 << 20;

/** What was read back of one file. `path` begins with `ESP:/` or, on the data volume, with `/`. */
export const receiptFileSchema = z.strictObject({ path: z.string().min(1).max(4200), size: z.int().min(0), sha256, verified: z.boolean() });
export type ReceiptFile = z.infer<typeof receiptFileSchema>;

/** The receipt staging leaves: what was laid on which disk, by what tool, when, and the public half of the disk's claim. */
export const receiptSchema = z.strictObject({
  format: z.literal("prestage-receipt-v1"),
  mediaId: sha256,
  diskSerial: z.string().max(256).nullable(),
  diskModel: z.string().max(256).nullable(),
  diskSizeBytes: z.int().min(0),
  diskGuid: z.guid(),
  espPartitionGuid: z.guid(),
  volumePartitionGuid: z.guid(),
  /** ext4's UUID, or NTFS's serial number: 16 hex digits. */
  volumeFileSystemUuid: z.guid().or(z.string().regex(/^[0-9a-f]{16}$/)),
  /** Of the computer the disk is for, where staging was told or ran on it. */
  machineSerial: z.string().max(128).nullable(),
  files: z.strictObject({
    count: z.int().min(0), bytes: z.int().min(0), verified: z.int().min(0),
    /** SHA-256 of the canonical JSON of the whole list, in the order of paths. */
    sha256,
    /** The list itself, cut off where it is too long for a receipt. */
    list: z.array(receiptFileSchema).max(mostListedFiles),
  }),
  toolVersion: z.string().max(64),
  operator: z.string().max(128).optional(),
  /** RFC 3339, UTC. */
  time: z.iso.datetime(),
  /** Whose signature the envelope has; null where staging had no depot key: such a receipt gives no right. */
  depot: z.strictObject({ name: z.string().max(128), key: publicKeySchema }).nullable(),
  claim: publicKeySchema,
});
export type Receipt = z.infer<typeof receiptSchema>;

/** A receipt as read: `sha256` of its canonical JSON (the DSSE payload) names it; `envelope` where it is signed. */
export interface OpenedReceipt { receipt: Receipt; sha256: string; envelope: Buffer | null }

/** The files' part of a receipt: counted, hashed whole, listed as far as there is room. */
export function receiptFiles(files: readonly ReceiptFile[]): Receipt["files"] {
  const list = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  let characters = 0;
  const listed = list.slice(0, mostListedFiles).filter((file) => (characters += file.path.length) <= mostListedCharacters);
  return {
    count: list.length, bytes: list.reduce((sum, file) => sum + file.size, 0), verified: list.filter((file) => file.verified).length,
    sha256: createHash("sha256").update(canonicalJson(list)).digest("hex"), list: listed,
  };
}

/** The bytes of a receipt file: an envelope signed by the depot's key, which the receipt must name, or without one plain JSON. */
export function encodeReceipt(receipt: Receipt, depotKey: SigningKey | undefined): Buffer {
  const parsed = receiptSchema.parse(receipt);
  if (receipt.depot?.key.keyId !== depotKey?.keyId) throw malformed("a receipt that names another depot than the one whose key signs it");
  return depotKey === undefined ? Buffer.from(`${JSON.stringify(parsed, null, 2)}\n`) : signDocument("receipt", canonicalJson(parsed), [depotKey]);
}

/**
 * Opens a receipt file, signed or plain. A signed one must verify under the key it names: what was altered is refused
 * here. That this key is a depot's the reader trusts is for the reader to decide (`signedBy`).
 * @throws TrustError PRESTAGE_TRUST_SIGNATURE_INVALID, PRESTAGE_TRUST_DOCUMENT_MALFORMED
 */
export function openReceipt(bytes: Uint8Array): OpenedReceipt {
  if (bytes.byteLength > maximumDocumentBytes) throw malformed(`${bytes.byteLength} bytes`);
  const json = parseJson(bytes);
  if (typeof json !== "object" || json === null || !("payloadType" in json)) {
    const receipt = parseReceipt(json);
    if (receipt.depot !== null) throw malformed("a receipt without the signature of the depot it names; its envelope was taken off");
    return { receipt, sha256: hashOf(receipt), envelope: null };
  }
  const claimed = receiptSchema.safeParse(parseJson(unverifiedPayload(json)));
  const key = claimed.success ? claimed.data.depot?.key : undefined;
  if (key === undefined) throw malformed(claimed.success ? "an envelope around a receipt that names no depot" : z.prettifyError(claimed.error));
  const payload = verifyDocument("receipt", bytes, [key]);
  const receipt = parseReceipt(parseJson(payload));
  return { receipt, sha256: createHash("sha256").update(payload).digest("hex"), envelope: Buffer.from(bytes) };
}

/** Whether one of these keys signed a receipt that was opened. */
export function signedBy(opened: OpenedReceipt, keys: readonly PublicKey[]): boolean {
  const depot = opened.receipt.depot;
  return opened.envelope !== null && depot !== null && keys.some((key) => key.keyId === depot.key.keyId && key.publicKey === depot.key.publicKey);
}

/** Read before the signature is checked, for the key it names and nothing else. */
function unverifiedPayload(envelope: object): Buffer {
  const payload = "payload" in envelope && typeof envelope.payload === "string" ? envelope.payload : "";
  const type = "payloadType" in envelope ? envelope.payloadType : "";
  if (type !== payloadTypeOf("receipt")) throw new TrustError("PRESTAGE_TRUST_DOCUMENT_KIND", `Expected payload type ${payloadTypeOf("receipt")}; found ${String(type).slice(0, 100)}. Was the wrong file given?`);
  return Buffer.from(payload, "base64");
}

function hashOf(receipt: Receipt): string {
  return createHash("sha256").update(canonicalJson(receipt)).digest("hex");
}

function parseReceipt(json: unknown): Receipt {
  const parsed = receiptSchema.safeParse(json);
  if (!parsed.success) throw malformed(z.prettifyError(parsed.error), parsed.error);
  return parsed.data;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw malformed("bytes that are not JSON", cause);
  }
}

function malformed(found: string, cause?: unknown): TrustError {
  return new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", `Expected a receipt as staging leaves it; found ${found}.`, { cause });
}
