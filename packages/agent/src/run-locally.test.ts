import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { taskSequenceSchema } from "@prestage/sequence";
import { runLocally } from "./run-locally.ts";

const sequence = (...steps: object[]) => taskSequenceSchema.parse({ name: "Local", steps: steps.map((step, i) => ({ id: `s${i + 1}`, name: `Step ${i + 1}`, ...step })) });
const command = (text: string, more: object = {}) => ({ type: "run-command-line", with: { command: text }, ...more });

async function inFolder(use: (run: (steps: ReturnType<typeof sequence>, change?: { root?: string; secret?: string }) => Promise<unknown>, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-local-"));
  try {
    await use((steps, { root = folder, secret } = {}) => runLocally({ sequence: steps, root, stateFolder: join(folder, "state"), variables: [], content: new Map(), secret: () => secret, log: () => undefined, signal: new AbortController().signal }), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("what concerns the whole computer is refused in a folder, wherever it stands, before anything has run; disabled it is none", async () => {
  for (const type of ["encrypt-disk", "join-directory", "partition-disk"]) {
    await inFolder(async (run, folder) => {
      const steps = sequence(command(`touch ${folder}/ran`), { type: "group", steps: [{ id: "inner", name: "Inner", type, with: { disk: "/dev/none", partitions: [{ name: "a" }] } }] });
      await assert.rejects(run(steps), { code: "PRESTAGE_AGENT_STEP_INVALID", message: new RegExp(`Inner.*${type}`) });
      await assert.rejects(readFile(join(folder, "ran")), { code: "ENOENT" });
      assert.deepEqual(await run(sequence({ id: "s1", name: "Off", type, disabled: true }, command("true"))), { result: "succeeded" });
    });
  }
});

test("a state folder is one sequence's: another one, and this one once it was changed, are refused", async () => {
  await inFolder(async (run) => {
    assert.deepEqual(await run(sequence(command("true"))), { result: "succeeded" });
    await assert.rejects(run(sequence(command("false"))), { code: "PRESTAGE_AGENT_STATE_DAMAGED" });
  });
});

test("content and secrets that nobody gave are named, with the way to give them; an OS image is not applied to a system that runs", async () => {
  await inFolder(async (run) => assert.deepEqual(await run(sequence({ type: "download-package-content", with: { packages: ["ABC00007"] } })), { result: "failed" }));
  await inFolder(async (run, folder) => {
    assert.deepEqual(await run(sequence(command("exit 0", { secrets: ["TOKEN"] }))), { result: "failed" });
    await rm(join(folder, "state"), { recursive: true });
    assert.deepEqual(await run(sequence(command('test "$TOKEN" = x', { secrets: ["TOKEN"] })), { secret: "x" }), { result: "succeeded" });
  });
});

test("more than a MiB of variables, and a line that is none, fail the step, and nothing of it is set", async () => {
  await inFolder(async (run) => assert.deepEqual(await run(sequence(command("head -c 1100000 /dev/zero | tr '\\0' x >> $PRESTAGE_VARIABLES"))), { result: "failed" }));
  await inFolder(async (run) => assert.deepEqual(await run(sequence(command("prestage-variable A b; printf 'C=%04001d\\n' 1 >> $PRESTAGE_VARIABLES", { continueOnError: true }), command('test "%A%" = "%""A%"'))), { result: "succeeded" }));
});
