import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildServiceHost, windowsNode, windowsRuntime } from "./windows-runtime.ts";

const noCompiler = (() => {
  try {
    execFileSync("x86_64-w64-mingw32-gcc", ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "no compiler for Windows (gcc-mingw-w64-x86-64)";
  }
})();

test("Windows gets the Node that set-up installs here", async () => {
  const setUp = await readFile(join(import.meta.dirname, "../../../../setup/node-runtime.mjs"), "utf8");
  assert.equal(/nodeVersion = "([\d.]+)"/.exec(setUp)?.[1], windowsNode.version);
});

test("with another Node nothing is fetched", async () => {
  await assert.rejects(windowsRuntime({ nodeBinary: "/bin/true", cacheDir: "/nonexistent", signal: undefined, onProgress: () => undefined }), { code: "PRESTAGE_BOOT_IMAGE_BAD_INPUT", message: /v24/ });
});

test("the service is built from its source to the same bytes wherever that is done: a program for Windows that needs nothing but Windows", { skip: noCompiler }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-service-test-"));
  try {
    const [one, other] = [await buildServiceHost(join(folder, "one")), await buildServiceHost(join(folder, "other"))];
    const bytes = await readFile(one.path);
    assert.ok(bytes.equals(await readFile(other.path)));
    assert.ok(bytes.length < 64 * 1024);
    const imported = execFileSync("objdump", ["-p", one.path], { encoding: "utf8" }).matchAll(/DLL Name: (\S+)/g);
    assert.deepEqual(new Set([...imported].map(([, name]) => name?.toLowerCase())), new Set(["advapi32.dll", "kernel32.dll", "msvcrt.dll"]));
    assert.equal((await buildServiceHost(join(folder, "one"))).path, one.path);
  } finally {
    await rm(folder, { recursive: true });
  }
});
