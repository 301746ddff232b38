import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { errorRegistries, errorsPage } from "../setup/errors-page.mjs";

const root = join(import.meta.dirname, "..");
const registries = await errorRegistries();

test("docs/errors.md is what the packages' registries say", async () => {
  assert.equal(await readFile(join(root, "docs/errors.md"), "utf8"), errorsPage(registries), "run `node setup/errors-page.mjs`");
});

test("every code begins with its package's name, stands in one registry, and has a sentence", () => {
  const seen = new Map<string, string>();
  for (const { package: name, codes } of registries) {
    assert.ok(codes.length > 0, name);
    for (const [code, text] of codes) {
      assert.match(code, new RegExp(`^PRESTAGE_${name.replaceAll("-", "_").toUpperCase()}_[A-Z0-9_]+$`));
      assert.equal(seen.get(code), undefined, `${code} stands in ${name} and ${seen.get(code)}`);
      assert.ok(text.length > 15, code);
      seen.set(code, name);
    }
  }
});

test("every code in a registry can come, and every code that can come stands in a registry", async () => {
  const known = new Set(registries.flatMap(({ codes }) => codes.map(([code]) => code)));
  const used = new Set<string>();
  for (const name of await readdir(join(root, "packages"))) {
    const source = join(root, "packages", name, "src");
    for (const file of await readdir(source, { recursive: true })) {
      if (!file.endsWith(".ts") || file.endsWith(".test.ts") || file === "error.ts" || file.startsWith("fixtures/")) continue;
      for (const [code] of (await readFile(join(source, file), "utf8")).matchAll(/(?<=["'`])PRESTAGE_[A-Z0-9]+_[A-Z0-9_]+(?=["'`])/g)) used.add(code);
    }
  }
  const packages = registries.map(({ package: name }) => `PRESTAGE_${name.replaceAll("-", "_").toUpperCase()}_`);
  assert.deepEqual([...known].filter((code) => !used.has(code)), [], "these are thrown nowhere");
  assert.deepEqual([...used].filter((code) => packages.some((prefix) => code.startsWith(prefix)) && !known.has(code)), [], "these stand in no registry");
});
