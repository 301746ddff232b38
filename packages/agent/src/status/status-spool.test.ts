import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusMessage } from "@prestage/contract";
import { StatusSpool } from "./status-spool.ts";

let folder = "";
before(async () => void (folder = await mkdtemp(join(tmpdir(), "prestage-spool-"))));
after(() => rm(folder, { recursive: true, force: true }));

const now = () => new Date("2026-01-02T03:04:05Z");
const open = (name: string) => StatusSpool.open(join(folder, name), "boot", now);

/** A management point that keeps each number once. */
function site() {
  const kept = new Map<number, StatusMessage>();
  const send = async (messages: StatusMessage[]) => {
    for (const message of messages) if (!kept.has(message.number)) kept.set(message.number, message);
    return { highest: Math.max(...kept.keys()) };
  };
  return { kept, send };
}

test("messages posted offline are sent in order once there is a way, with rising numbers across restarts", async () => {
  const first = await open("offline");
  first.setDeployment("ABC20001");
  first.post({ kind: "verification-started" });
  first.post({ kind: "verification-finished", text: "x" });
  const second = await open("offline");
  assert.equal(second.pending, 2);
  second.post({ kind: "enrolled" });
  const { kept, send } = site();
  second.start(send);
  assert.equal(await second.flush(), true);
  second.stop();
  assert.deepEqual([...kept.values()].map((message) => [message.number, message.kind, message.deploymentId]), [[1, "verification-started", "ABC20001"], [2, "verification-finished", "ABC20001"], [3, "enrolled", undefined]]);
  const third = await open("offline");
  third.post({ kind: "error" });
  assert.deepEqual([third.pending, third.lastNumber], [1, 4]);
});

test("a failing management point loses nothing and is asked again", async () => {
  const spool = await open("failing");
  const { kept, send } = site();
  let failures = 2;
  spool.start(async (messages) => {
    if (failures-- > 0) throw new Error("no network");
    return send(messages);
  });
  for (let i = 0; i < 1200; i++) spool.post({ kind: i % 2 === 0 ? "content-fetch-progress" : "step-started" });
  assert.equal(await spool.flush(20_000), true);
  spool.stop();
  assert.deepEqual([...kept.keys()], Array.from({ length: 1200 }, (_, i) => i + 1));
});

test("only what the management point says it has is forgotten", async () => {
  const spool = await open("partly");
  for (let i = 0; i < 10; i++) spool.post({ kind: "step-started" });
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  spool.start(async () => {
    asked++;
    if (asked === 1) return { highest: 4 };
    resolve();
    return Promise.reject(new Error("down"));
  });
  await promise;
  spool.stop();
  assert.equal(spool.pending, 6);
  assert.equal((await open("partly")).pending, 6);
});

test("without a way to the management point flush says so and keeps everything", async () => {
  const spool = await open("never");
  spool.post({ kind: "enrolled" });
  assert.equal(await spool.flush(1), false);
  spool.start(() => new Promise(() => undefined));
  assert.equal(await spool.flush(1), false);
  spool.stop();
  assert.equal(spool.pending, 1);
});

test("over 10,000 waiting, progress is dropped before it gets a number; everything else is kept", async () => {
  const spool = await open("many");
  for (let i = 0; i < 10_050; i++) spool.post({ kind: "content-fetch-progress" });
  assert.equal(spool.pending, 10_000);
  spool.post({ kind: "error" });
  assert.deepEqual([spool.pending, spool.lastNumber], [10_001, 10_001]);
});

test("too long or unkeepable text is cut, not refused", async () => {
  const spool = await open("long");
  spool.post({ kind: "step-finished", outputTail: `${"a".repeat(5000)}\u0000end`, text: "\ud800", error: { code: "X", message: "m".repeat(9000) } });
  const { kept, send } = site();
  spool.start(send);
  assert.equal(await spool.flush(), true);
  spool.stop();
  const message = kept.get(1);
  assert.ok(message?.outputTail?.endsWith("aend") === true && message.outputTail.length === 4000);
  assert.deepEqual([message.text, message.error?.message.length], ["\ufffd", 2000]);
});

test("the file is written anew when confirmed messages have made it large", async () => {
  const spool = await open("large");
  const { kept, send } = site();
  spool.start(send);
  for (let i = 0; i < 1500; i++) spool.post({ kind: i === 0 ? "enrolled" : "content-fetch-progress", outputTail: "x".repeat(4000) });
  assert.equal(await spool.flush(), true);
  spool.stop();
  assert.equal(kept.size, 1500);
  assert.ok((await stat(join(folder, "large/messages"))).size < 4 * 1024 * 1024);
  assert.equal((await open("large")).lastNumber, 1500);
});

test("what the last message told of is not told again: by the same agent, the next one, and after the file was written anew; another deployment's is", async () => {
  const spool = await open("once");
  const { kept, send } = site();
  spool.setDeployment("ABC20001");
  spool.post({ kind: "sequence-started" }, "0 sequence-started");
  spool.post({ kind: "sequence-started" }, "0 sequence-started");
  spool.start(send);
  for (let i = 0; i < 1500; i++) spool.post({ kind: "content-fetch-progress", outputTail: "x".repeat(4000) }); // enough to have it written anew
  assert.equal(await spool.flush(), true);
  spool.stop();
  assert.ok((await stat(join(folder, "once/messages"))).size < 4 * 1024 * 1024);
  const next = await open("once");
  next.setDeployment("ABC20001");
  next.post({ kind: "sequence-started" }, "0 sequence-started");
  assert.equal(next.lastNumber, 1501);
  next.post({ kind: "step-started" }, "1 step-started a");
  next.post({ kind: "distribution-point-failed" });
  next.post({ kind: "step-started" }, "1 step-started a");
  assert.equal(next.lastNumber, 1503);
  next.setDeployment("ABC20002");
  next.post({ kind: "step-started" }, "1 step-started a");
  assert.equal(next.lastNumber, 1504);
  assert.equal([...kept.values()].filter((message) => message.kind === "sequence-started").length, 1);
});

test("a torn last line is dropped; its number is given again, since it was never sent", async () => {
  const spool = await open("torn");
  spool.post({ kind: "enrolled" });
  spool.post({ kind: "enrolled" });
  const path = join(folder, "torn/messages");
  await writeFile(path, "0123456789abcdef {\"mess", { flag: "a" });
  assert.equal((await open("torn")).lastNumber, 2);
});
