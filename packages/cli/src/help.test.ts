import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { RouteMap } from "@stricli/core";
import { app } from "./app.ts";
import type { Context } from "./context.ts";
import { cli } from "./fixtures/run-cli.ts";

/** Every command by its words. */
function commands(map: RouteMap<Context>, words: readonly string[] = []): string[][] {
  return map.getAllEntries().flatMap(({ name, target }) => {
    const path = [...words, name["convert-camel-to-kebab"]];
    return "getAllEntries" in target ? commands(target, path) : [path];
  });
}
const all = commands(app.root as RouteMap<Context>);

test("there are the commands the product promises", () => {
  const words = new Set(all.map((one) => one.join(" ")));
  for (const kind of ["os-image", "boot-image", "application", "package", "driver-package"]) for (const verb of ["import", "list", "show"]) assert.ok(words.has(`${kind} ${verb}`), `${kind} ${verb}`);
  for (const one of ["serve", "boot-image build", "sequence add", "deployment create", "deployment set", "deployment show", "device list", "approval approve", "media create", "media show", "media renew", "media revoke", "media inspect", "media verify", "stage", "receipt import", "receipt create", "receipt verify", "depot init", "depot show", "depot register", "depot revoke", "status list", "lab boot", "distribution-point set"]) assert.ok(words.has(one), one);
});

for (const words of all) {
  test(`prestage ${words.join(" ")} --help says what it does, with an example that begins with the command itself`, async () => {
    const { stdout, exitCode } = await cli([...words, "--help"]);
    assert.equal(exitCode, 0);
    const [, example = ""] = /\nExample:\n((?: {2}.+\n)+)/.exec(stdout) ?? [];
    assert.notEqual(example, "", stdout);
    for (const line of example.trimEnd().split("\n")) assert.ok(line.startsWith(`  prestage ${words.join(" ")}`), line);
    assert.ok(!stdout.includes("no-no-"), "a flag that is off is not offered twice");
  });
}

test("every example parses: its flags exist and its values are of the right form", async () => {
  process.env["PRESTAGE_DEPOT_KEY"] = "/dev/null/depot-key.pem"; // no example makes a key for the one who runs the tests
  // Without a site each ends with the error that there is none, or with a file that is not there, never with a usage error.
  // Two succeed anywhere, and would write their example's file here.
  for (const words of all.filter(([first, second]) => first !== "serve" && first !== "lab" && !(first === "sequence" && (second === "new" || second === "schema")))) {
    const { stdout } = await cli([...words, "--help"]);
    for (const line of (/\nExample:\n((?: {2}.+\n)+)/.exec(stdout)?.[1] ?? "").trim().split("\n")) {
      const args = [...line.trim().slice("prestage ".length).matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
      const result = await cli([...args, ...(stdout.includes("[--data]") ? ["--data", "/nonexistent"] : [])]);
      assert.equal(result.exitCode, 1, `${line}: ${result.stderr}`);
      assert.match(result.stderr, /\((PRESTAGE_[A-Z_]+|ENOENT)\)/, `${line}: ${result.stderr}`);
    }
  }
});

test("a command line that is not understood ends with 2, an error with 1, help with 0; --json puts the error on stdout", async () => {
  const run = promisify(execFile);
  const main = async (...args: string[]) => run(process.execPath, [join(import.meta.dirname, "main.ts"), ...args]).then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (error: { code: number; stdout: string; stderr: string }) => error);
  const [unknown, missing, wrong, help, failed, plain] = await Promise.all([
    main("nonsense"), main("media", "create"), main("os-image", "import", "x", "--name", "n", "--index", "abc", "--data", "/nonexistent"), main("media", "--help"),
    main("media", "inspect", "/nonexistent", "--json"), main("media", "inspect", "/nonexistent"),
  ]);
  assert.deepEqual([unknown.code, missing.code, wrong.code, help.code], [2, 2, 2, 0]);
  assert.deepEqual([failed.code, failed.stderr, (JSON.parse(failed.stdout) as { error: { code: string } }).error.code], [1, "", "PRESTAGE_WIM_IO"]);
  assert.deepEqual([plain.code, plain.stdout], [1, ""]);
  assert.match(plain.stderr, /^prestage: .+\n\(PRESTAGE_WIM_IO\)\n$/);
});
