import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createClaim, encodeReceipt, openReceipt, receiptFiles } from "@prestage/trust";
import { encode } from "uqr";
import { receiptCode, receiptCodeSvg, receiptCodeText } from "./receipt-code.ts";
import { receiptSheet } from "./receipt-sheet.ts";

const opened = openReceipt(encodeReceipt({
  format: "prestage-receipt-v1", mediaId: "a".repeat(64), diskSerial: "S3YJNX0K 12", diskModel: "M", diskSizeBytes: 512_110_190_592, diskGuid: randomUUID(), espPartitionGuid: randomUUID(), volumePartitionGuid: randomUUID(), volumeFileSystemUuid: randomUUID(),
  machineSerial: null, files: receiptFiles([]), toolVersion: "1", time: "2026-01-01T00:00:00Z", depot: null, claim: createClaim().public,
}, undefined));
const text = receiptCode(opened);

test("the code names media, claim, receipt and disk", () => {
  assert.equal(text, `PRESTAGE-RECEIPT-1 ${"A".repeat(64)} ${opened.receipt.claim.keyId.toUpperCase()} ${opened.sha256.toUpperCase()} S3YJNX0K 12`);
});

test("the picture has a dark square for each dark module", () => {
  const dark = encode(text, { ecc: "M", border: 4 }).data.flat().filter(Boolean).length;
  assert.equal([...receiptCodeSvg(opened).matchAll(/M\d+,\d+h8v8h-8z/g)].length, dark);
});

test("a terminal shows light on dark, the sheet dark on light, of the same modules", () => {
  const swapped: Record<string, string> = { "█": " ", " ": "█", "▀": "▄", "▄": "▀", "\n": "\n" };
  const lines = (code: string) => code.split("\n").slice(0, -1).join("\n"); // an odd number of rows: the last line is half a line
  assert.equal(lines(receiptCodeText(opened)).split("").map((one) => swapped[one]).join(""), lines(receiptCodeText(opened, { paper: true })));
  assert.ok(receiptSheet(opened).includes(receiptCodeText(opened, { paper: true })));
  assert.match(receiptSheet(opened), /Depot +none: the receipt is not signed/);
});
