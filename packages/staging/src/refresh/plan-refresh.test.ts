import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ext4Node } from "@prestage/disk";
import type { OpenMedia } from "@prestage/media";
import { planRefresh } from "./plan-refresh.ts";
import type { ShelfDisk } from "./shelf-disk.ts";
import type { WantedFile } from "./wanted-files.ts";

const file = (path: string): WantedFile => ({ volume: "data", path, size: 10, sha256: "0".repeat(64) });
const node = (path: string): Ext4Node => ({ path, kind: "file", size: 10, mode: 0o600, uid: 0, gid: 0, mtime: 0, inode: 12 }) as Ext4Node;
const media = { folders: new Map(), files: { data: new Map() } } as unknown as OpenMedia;
const shelf = (freeInodes: number, paths: readonly string[]) => ({ disk: { path: "/dev/x" }, freeBytes: 1 << 30, freeInodes, nodes: new Map(paths.map((path) => [path, node(path)])) }) as unknown as ShelfDisk;
const wanted = Array.from({ length: 20 }, (_, i) => file(`prestage/new-${i}`));
const old = Array.from({ length: 20 }, (_, i) => `prestage/old-${i}`);

test("where the file system can keep both, new files come before old ones go; where it cannot, old ones go first; where it never can, nothing is begun", () => {
  const kinds = (free: number, paths: readonly string[]) => planRefresh(shelf(free, paths), media, wanted, wanted, "/work").edits.map((edit) => edit.kind);
  assert.deepEqual(kinds(100, old), [...wanted.map(() => "file"), ...old.map(() => "remove")]);
  assert.deepEqual(kinds(10, old), [...old.map(() => "remove"), ...wanted.map(() => "file")]);
  assert.throws(() => kinds(10, []), { code: "PRESTAGE_STAGING_NOT_REFRESHABLE", message: /20 more files and folders .* can keep 2 / });
  assert.throws(() => kinds(0, old.slice(0, 20)), { code: "PRESTAGE_STAGING_NOT_REFRESHABLE" });
});
