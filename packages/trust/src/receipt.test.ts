import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createClaim } from "./claim.ts";
import { depotFile, openDepotFile } from "./depot.ts";
import { generateSigningKey } from "./keys.ts";
import type { SigningKey } from "./keys.ts";
import { encodeReceipt, mostListedFiles, openReceipt, receiptFiles, signedBy } from "./receipt.ts";
import type { Receipt } from "./receipt.ts";
import { signDocument } from "./signed-document.ts";

const depot = generateSigningKey();
function receipt(key: SigningKey | undefined): Receipt {
  return {
    format: "prestage-receipt-v1", mediaId: "a".repeat(64), diskSerial: "S", diskModel: "M", diskSizeBytes: 1, diskGuid: randomUUID(), espPartitionGuid: randomUUID(), volumePartitionGuid: randomUUID(), volumeFileSystemUuid: randomUUID(),
    machineSerial: null, files: receiptFiles([]), toolVersion: "1", time: "2026-01-01T00:00:00Z", depot: key === undefined ? null : { name: "D", key: key.public }, claim: createClaim().public,
  };
}

test("a signed receipt opens, names its signer, and is the same under the same hash when read again", () => {
  const bytes = encodeReceipt(receipt(depot), depot);
  const opened = openReceipt(bytes);
  assert.equal(signedBy(opened, [generateSigningKey().public, depot.public]), true);
  assert.equal(signedBy(opened, [generateSigningKey().public]), false);
  assert.equal(signedBy(opened, [{ keyId: depot.keyId, publicKey: generateSigningKey().public.publicKey }]), false);
  assert.equal(openReceipt(bytes).sha256, opened.sha256);
});

test("a plain receipt opens and is signed by nobody", () => {
  const opened = openReceipt(encodeReceipt(receipt(undefined), undefined));
  assert.deepEqual([opened.envelope, signedBy(opened, [depot.public])], [null, false]);
});

test("a receipt is not signed by another key than the depot's it names, and not left unsigned where it names one", () => {
  assert.throws(() => encodeReceipt(receipt(depot), generateSigningKey()), { code: "PRESTAGE_TRUST_DOCUMENT_MALFORMED" });
  assert.throws(() => encodeReceipt(receipt(depot), undefined), { code: "PRESTAGE_TRUST_DOCUMENT_MALFORMED" });
  assert.throws(() => openReceipt(Buffer.from(JSON.stringify(receipt(depot)))), { code: "PRESTAGE_TRUST_DOCUMENT_MALFORMED", message: /envelope was taken off/ });
});

test("what is no receipt, or signed as something else, is refused", () => {
  for (const bytes of ["", "[]", "null", "{}", "7", '{"payloadType":7}', '{"payloadType":"application/vnd.prestage.receipt.v1+json","payload":"e30="}', JSON.stringify({ ...receipt(undefined), more: 1 })]) {
    assert.throws(() => openReceipt(Buffer.from(bytes)), { name: "TrustError", code: /PRESTAGE_TRUST_DOCUMENT_(MALFORMED|KIND)/ }, bytes);
  }
  assert.throws(() => openReceipt(signDocument("policy", Buffer.from(JSON.stringify(receipt(depot))), [depot])), { code: "PRESTAGE_TRUST_DOCUMENT_KIND" });
});

test("the list of files is bounded, its hash is of them all", () => {
  const files = Array.from({ length: mostListedFiles + 5 }, (_, i) => ({ path: `/${String(i).padStart(6, "0")}`, size: 2, sha256: "0".repeat(64), verified: true }));
  const described = receiptFiles(files);
  assert.deepEqual([described.count, described.bytes, described.verified, described.list.length], [mostListedFiles + 5, 2 * files.length, files.length, mostListedFiles]);
  assert.equal(receiptFiles(files.toReversed()).sha256, described.sha256);
  assert.notEqual(receiptFiles(files.slice(0, -1)).sha256, described.sha256);
  assert.ok(receiptFiles(files.map((file) => ({ ...file, path: `/${"x".repeat(4000)}${file.path}` }))).list.length < 1100);
});

test("a depot's public file opens where its key has the id beside it", () => {
  const file = depotFile("Depot 3", depot);
  assert.deepEqual(openDepotFile(Buffer.from(JSON.stringify(file))), file);
  assert.throws(() => openDepotFile(Buffer.from(JSON.stringify({ ...file, keyId: "0".repeat(64) }))), { code: "PRESTAGE_TRUST_KEY_MALFORMED" });
  for (const bytes of ["x", "{}", JSON.stringify({ ...file, name: "" })]) assert.throws(() => openDepotFile(Buffer.from(bytes)), { code: "PRESTAGE_TRUST_DOCUMENT_MALFORMED" });
});
