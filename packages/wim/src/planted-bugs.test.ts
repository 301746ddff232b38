import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inTemp } from "./fixtures/wimlib.ts";

interface Outcome { readonly code: number; readonly stdout: string }

/** Runs the fuzzer over a copy of this package in which one line is another. */
async function fuzzPlanted(file: string, line: string, planted: string, target: string): Promise<Outcome> {
  return await inTemp(async (folder) => {
    await cp(import.meta.dirname, join(folder, "src"), { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    const path = join(folder, "src", file);
    const source = await readFile(path, "utf8");
    assert.equal(source.split(line).length, 2, `${file} has this line once: ${line}`);
    await writeFile(path, source.replace(line, planted));
    return await new Promise((resolve) => {
      execFile(process.execPath, [join(folder, "src/fuzz/main.ts"), "--minutes", "0", "--cases", "4000", "--target", target], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stdout: stdout + stderr });
      });
    });
  });
}

describe("the fuzzer finds what is planted", () => {
  const plants: [what: string, file: string, line: string, planted: string, target: string][] = [
    ["an LZMS match from before the start", "lzms.ts", "if (offset < 1 || offset > at || length < 1", "if (offset < 1 || length < 1", "chunk lzms"],
    ["a Huffman code with too many codewords that is taken", "huffman.ts", "if (left < 0) return false;", "", "chunk xpress"],
    ["a bare RangeError that escapes a parser", "error.ts", "if (error instanceof WimError) throw error;", "throw error;", "metadata"],
    ["a solid chunk that reaches beyond its output", "solid-read.ts", "const bytes = await chunks.chunk(resource, index);", "const bytes = (await chunks.chunk(resource, index)).subarray(1);", "file solid"],
  ];
  for (const [what, file, line, planted, target] of plants) {
    test(what, async () => {
      const { code, stdout } = await fuzzPlanted(file, line, planted, target);
      assert.equal(code, 1, stdout);
      assert.match(stdout, /^FOUND by /m);
    });
  }
  test("and nothing where nothing is planted", async () => {
    const { code, stdout } = await fuzzPlanted("lzms.ts", "One decoder serves a thread", "One decoder serves each thread", "chunk");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /4000 cases .* nothing found/);
  });
});
