import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import type { Context } from "./context.ts";
import { counted, printEach } from "./output.ts";

test("one is counted in the singular, everything else in the plural", () => {
  assert.deepEqual([0, 1, 2].map((count) => counted(count, "piece of content", "pieces of content")), ["0 pieces of content", "1 piece of content", "2 pieces of content"]);
  assert.deepEqual([1, 3].map((count) => counted(count, "file")), ["1 file", "3 files"]);
});

/** A reader that takes its time. */
function slowReader() {
  const parts: string[] = [];
  let most = 0;
  const stdout: Writable = new Writable({
    decodeStrings: false,
    write(part: string, _, done) {
      parts.push(part);
      most = Math.max(most, stdout.writableLength);
      setImmediate(done);
    },
  });
  return { stdout, text: () => parts.join(""), most: () => most };
}

test("a long list is written as its reader takes it, as lines and as JSON; an empty one is one, too", async () => {
  const texts = { line: (value: number) => `line ${value}`, member: (value: number) => ({ value }) };
  for (const count of [0, 1, 200_000]) {
    const values = Array.from({ length: count }, (_, i) => i);
    for (const json of [false, true]) {
      const { stdout, text, most } = slowReader();
      await printEach({ process: { stdout }, signal: new AbortController().signal } as unknown as Context, json, values, texts);
      await new Promise<void>((resolve) => stdout.end(resolve));
      assert.deepEqual(json ? JSON.parse(text()) : text().split("\n"), json ? values.map(texts.member) : [...values.map(texts.line), ""]);
      assert.ok(most() < 300_000, `${most()} characters waited at once`);
    }
  }
});

test("where the reader has gone, writing ends", { timeout: 10_000 }, async () => {
  const stdout = new Writable({ decodeStrings: false, write: () => undefined });
  const ended = printEach({ process: { stdout }, signal: new AbortController().signal } as unknown as Context, false, Array.from({ length: 20_000 }, () => "a line of text"), { line: (line) => line, member: (line) => line });
  setImmediate(() => stdout.destroy());
  await ended;
  assert.ok(stdout.writableLength < 300_000);
});
