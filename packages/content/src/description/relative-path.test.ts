import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkNoCaseTwins, checkRelativePath, checkTree } from "./relative-path.ts";

const unsafe = { code: "PRESTAGE_CONTENT_PATH_UNSAFE" };

test("a path that could leave its folder, or that Windows or Linux cannot hold, is refused", () => {
  const bad = [
    "", "/", "/etc/passwd", "a//b", "a/", "..", "../a", "a/../b", "a/..", ".", "./a", "C:\\x", "a\\b", "a:b", "a*", "a?", 'a"', "a<b", "a|b", "a\u0000", "a\nb",
    "con", "CON", "aux.txt", "com1.log", "lpt9", "nul .txt", "a.", "a ", "dir./x", "\ud800", "x".repeat(256), `${"d/".repeat(2100)}x`, "clock$", "a/NUL/b",
  ];
  for (const path of bad) assert.throws(() => checkRelativePath(path), unsafe, JSON.stringify(path));
});

test("ordinary names are accepted, whatever their language", () => {
  for (const path of ["a", "a/b.txt", "...a", ".hidden", "a b", "日本語/é", "😀", "console", "common.txt", "x".repeat(255), "-rf", "$(reboot)"]) assert.equal(checkRelativePath(path), path);
});

test("what is accepted never leaves its folder", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "..a", "/", "\\", "a..", "\0"), fc.string({ maxLength: 5 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/")), (path) => {
      try {
        checkRelativePath(path);
      } catch {
        return;
      }
      assert.ok(new URL(path.split("/").map(encodeURIComponent).join("/"), "file:///root/folder/").pathname.startsWith("/root/folder/"));
      assert.ok(!path.startsWith("/") && !path.includes("\\") && !path.split("/").includes(".."));
    }),
    { numRuns: 2000 },
  );
});

test("two paths that differ only by case are refused", () => {
  assert.throws(() => checkNoCaseTwins(["dir/File", "DIR/file"]), unsafe);
  checkNoCaseTwins(["dir/file", "dir/file2"]);
});

test("a file where another path needs a folder is refused", () => {
  for (const [files, directories] of [[["a", "a/b"], []], [["a/b/c", "A"], []], [["a"], ["a/b"]], [["a"], ["a"]]] as const) assert.throws(() => checkTree(files, directories), unsafe);
  checkTree(["a/b", "ab", "a/c/d"], ["a/e"]);
});
