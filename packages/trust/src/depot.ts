import { z } from "zod";
import { TrustError } from "./error.ts";
import { importPublicKey, publicKeySchema } from "./keys.ts";
import type { SigningKey } from "./keys.ts";

/** The public half of a depot's key, as a file to send to the site. An administrator compares the key id by another way, such as the telephone. */
export const depotFileSchema = z.strictObject({ format: z.literal("prestage-depot-v1"), name: z.string().min(1).max(128), ...publicKeySchema.shape });
export type DepotFile = z.infer<typeof depotFileSchema>;

export function depotFile(name: string, key: SigningKey): DepotFile {
  return depotFileSchema.parse({ format: "prestage-depot-v1", name, ...key.public });
}

/** Reads a depot's public file; its key must have the id that stands beside it. @throws TrustError PRESTAGE_TRUST_DOCUMENT_MALFORMED, PRESTAGE_TRUST_KEY_MALFORMED */
export function openDepotFile(bytes: Uint8Array): DepotFile {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", "Expected a depot's public file as `prestage depot show --output` writes it; found bytes that are not JSON.", { cause });
  }
  const parsed = depotFileSchema.safeParse(json);
  if (!parsed.success) throw new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", `Expected a depot's public file as \`prestage depot show --output\` writes it; found: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
  importPublicKey(parsed.data);
  return parsed.data;
}

/** A key id in groups of four, as people compare it. */
export function fingerprint(keyId: string): string {
  return (keyId.match(/.{4}/g) ?? []).join(" ");
}
