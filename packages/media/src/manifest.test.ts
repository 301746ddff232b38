import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson, generateSigningKey, signDocument } from "@prestage/trust";
import fc from "fast-check";
import { manifest as base } from "./fixtures/site.ts";
import { checkValidity, openManifest, signManifest } from "./manifest.ts";
import type { Manifest } from "./schema.ts";

const key = generateSigningKey();
const sha = "a".repeat(64);
const file = (path: string, volume: "esp" | "data" = "data") => ({ volume, path, size: 1, sha256: sha });
const manifest = (change: Partial<Manifest> = {}): Manifest => ({
  ...base, keyring: { version: 1, sha256: sha }, bootImage: { objectId: "ABC00010", name: "boot", revision: 1, contentId: sha }, content: [], files: [file("prestage/agent/node")], ...change,
});
/** Signed by the right key, whatever it says: what a stolen or careless site could produce. */
const signed = (value: unknown) => signDocument("manifest", canonicalJson(value), [key]);
const open = (value: unknown) => openManifest(signed(value), [key.public]);

test("a manifest opens as it was signed; its id is the same for the same manifest", () => {
  const { envelope, mediaId } = signManifest(manifest(), key);
  assert.deepEqual(openManifest(envelope, [key.public]), { manifest: manifest(), mediaId });
  assert.deepEqual(signManifest(manifest(), key).envelope, envelope);
});

test("a manifest with a path that leaves its folder, or that no disk holds, is neither signed nor opened", () => {
  for (const path of ["../etc/passwd", "/etc/passwd", "prestage/../../x", "prestage/./x", "a\\b", "C:x", "con", "a//b", "a\u0000b", "x/"]) {
    for (const volume of ["esp", "data"] as const) {
      const bad = manifest({ files: [file(path, volume)] });
      assert.throws(() => open(bad), { code: "PRESTAGE_CONTENT_PATH_UNSAFE" }, path);
      assert.throws(() => signManifest(bad, key), { code: "PRESTAGE_CONTENT_PATH_UNSAFE" }, path);
    }
  }
  assert.throws(() => open(manifest({ files: [file("EFI/BOOT/X", "esp"), file("efi/boot/x", "esp")] })), { code: "PRESTAGE_CONTENT_PATH_UNSAFE" });
  assert.equal(open(manifest({ files: [file("same", "esp"), file("same", "data")] })).manifest.files.length, 2);
});

test("another format version is named as such, another form as malformed", () => {
  assert.throws(() => open({ ...manifest(), formatVersion: 2 }), { code: "PRESTAGE_MEDIA_FORMAT_UNSUPPORTED" });
  for (const bad of [{ ...manifest(), password: "x" }, { ...manifest(), comment: "x".repeat(128) }, { ...manifest(), createdBy: "x".repeat(51) }, { ...manifest(), version: "x".repeat(33) }, { ...manifest(), validTo: "tomorrow" }, { ...manifest(), managementPoints: { mode: "site-based", urls: [] } }, { ...manifest(), variables: [{ name: "a b", value: "" }] }]) {
    assert.throws(() => open(bad), { code: "PRESTAGE_MEDIA_MANIFEST_MALFORMED" });
  }
  assert.throws(() => openManifest(signDocument("manifest", Buffer.from("{"), [key]), [key.public]), { code: "PRESTAGE_MEDIA_MANIFEST_MALFORMED" });
});

test("any one altered byte of the envelope is refused, or changes nothing that counts", () => {
  const { envelope, mediaId } = signManifest(manifest(), key);
  fc.assert(
    fc.property(fc.nat(envelope.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const altered = Buffer.from(envelope);
      altered[at] = altered[at]! ^ (1 << bit);
      try {
        assert.equal(openManifest(altered, [key.public]).mediaId, mediaId);
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /^PRESTAGE_TRUST_/);
      }
    }),
    { numRuns: 300 },
  );
});

test("validity is decided by the time given, both ends included", () => {
  const limited = manifest({ validFrom: "2026-02-01T00:00:00Z", validTo: "2026-03-01T00:00:00Z" });
  for (const time of ["2026-02-01T00:00:00Z", "2026-02-15T00:00:00Z", "2026-03-01T00:00:00Z"]) checkValidity(limited, new Date(time));
  assert.throws(() => checkValidity(limited, new Date("2026-01-31T23:59:59Z")), { code: "PRESTAGE_MEDIA_NOT_YET_VALID" });
  assert.throws(() => checkValidity(limited, new Date("2026-03-01T00:00:01Z")), { code: "PRESTAGE_MEDIA_EXPIRED" });
  checkValidity(manifest(), new Date(0));
});
