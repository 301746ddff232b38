import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

test("every test docs/security.md names is there under that name", async () => {
  const page = await readFile(join(root, "docs/security.md"), "utf8");
  const rows = [...page.matchAll(/\| `([^`]+\.test\.ts)`: (.+) \|$/gm)];
  assert.ok(rows.length >= 25, `${rows.length} rows`);
  for (const [, file = "", name = ""] of rows) {
    const text = await readFile(join(root, file), "utf8");
    assert.ok(text.includes(`test("${name}"`) || text.includes(`test(\`${name}\``), `${file}: ${name}`);
  }
  const attackers = page.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split("|")[1]?.trim() ?? "");
  for (const one of ["Finds a disk", "Owns the depot's network", "Is on the site's network", "Curious operator", "Has a cloned disk", "Replays"]) assert.ok(attackers.some((name) => name.startsWith(one)), one);
});
