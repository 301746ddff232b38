import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RunEvent } from "@prestage/sequence";
import { Journal } from "./journal.ts";

let folder = "";
before(async () => void (folder = await mkdtemp(join(tmpdir(), "prestage-journal-"))));
after(() => rm(folder, { recursive: true, force: true }));

const events: RunEvent[] = [
  { kind: "sequence-started", environment: "environment", bootId: "1" },
  { kind: "step-started", stepId: "a", name: "Schritt ä" },
  { kind: "variable-set", name: "X", value: "line\nfeed" },
  { kind: "step-finished", stepId: "a", name: "Schritt ä", outcome: "succeeded", exitCode: 0 },
];

async function written(name: string): Promise<{ path: string; bytes: Buffer }> {
  const path = join(folder, name, "journal");
  const journal = await Journal.open(path);
  for (const event of events) journal.append(event);
  return { path, bytes: await readFile(path) };
}

test("what was appended is read again", async () => {
  const { path } = await written("plain");
  assert.deepEqual((await Journal.open(path)).events, events);
});

test("cut after any byte, the whole lines before it are kept and the next event follows cleanly", async () => {
  const { path, bytes } = await written("cut");
  for (let cut = 0; cut <= bytes.length; cut += 7) {
    await writeFile(path, bytes.subarray(0, cut));
    const journal = await Journal.open(path);
    const whole = bytes.subarray(0, cut).toString("utf8").split("\n").length - 1;
    assert.equal(journal.events.length, whole);
    journal.append(events[1]!);
    assert.deepEqual((await Journal.open(path)).events, [...events.slice(0, whole), events[1]]);
  }
});

test("an end of zeros, as a file system may leave it after a cut, is dropped", async () => {
  const { path, bytes } = await written("zeros");
  await writeFile(path, Buffer.concat([bytes, Buffer.alloc(300)]));
  assert.deepEqual((await Journal.open(path)).events, events);
});

test("damage before good lines is an error, not a shorter journal", async () => {
  const { path, bytes } = await written("damaged");
  const altered = Buffer.from(bytes);
  altered[30] = (altered[30] ?? 0) ^ 1;
  await writeFile(path, altered);
  await assert.rejects(Journal.open(path), { code: "PRESTAGE_AGENT_JOURNAL_DAMAGED" });
});
