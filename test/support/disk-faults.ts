import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ext4Reader, readFatFile, readPartitionTable, runProgram } from "@prestage/disk";
import type { Extent } from "@prestage/disk";

/** Where the two volumes of a staged disk lie. */
export async function volumesOf(disk: string): Promise<{ esp: Extent; data: Extent }> {
  const { partitions } = await readPartitionTable(disk);
  const [esp, data] = partitions;
  if (esp === undefined || data === undefined) throw new Error(`Expected two partitions on ${disk}; found ${partitions.length}.`);
  return { esp, data };
}

/** Changes one byte of a file on the data volume, in its place on the disk: length, times and everything else stay. */
export async function alterByte(disk: string, path: string, offset: number): Promise<void> {
  const { data } = await volumesOf(disk);
  const blockSize = await ext4BlockSize(disk, data);
  const { output } = await runProgram("debugfs", ["-R", `bmap /${path} ${Math.floor(offset / blockSize)}`, `${disk}?offset=${data.start}`]);
  const block = Number(output.trim().split("\n").at(-1));
  if (!Number.isInteger(block) || block <= 0) throw new Error(`Expected the place of /${path} on ${disk}; debugfs said ${JSON.stringify(output)}.`);
  const place = data.start + block * blockSize + (offset % blockSize);
  const file = await open(disk, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, place);
    // 'A' and '@' and such: text stays text, so that it is the signature that refuses it, not a parser.
    byte[0] = byte.toString() === "A" ? 0x42 : 0x41;
    await file.write(byte, 0, 1, place);
  } finally {
    await file.close();
  }
}

/** Changes one byte of a file on the EFI system partition. */
export async function alterEspByte(disk: string, path: string, offset: number): Promise<void> {
  const { esp } = await volumesOf(disk);
  const bytes = await readFatFile(disk, esp, path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x01;
  const folder = await mkdtemp(join(tmpdir(), "prestage-test-"));
  try {
    await writeFile(join(folder, "file"), bytes);
    await runProgram("mcopy", ["-i", `${disk}@@${esp.start}`, "-o", "-n", "-Q", "-D", "o", join(folder, "file"), `::/${path}`], { env: { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ext4BlockSize(disk: string, extent: Extent): Promise<number> {
  const { output } = await runProgram("dumpe2fs", ["-h", `${disk}?offset=${extent.start}`]);
  const size = Number(/^Block size:\s+(\d+)$/m.exec(output)?.[1]);
  if (!Number.isInteger(size)) throw new Error(`Expected an ext4 on ${disk}; dumpe2fs said ${JSON.stringify(output.slice(0, 200))}.`);
  return size;
}

/** SHA-256 of every byte of the EFI system partition. */
export async function espHash(disk: string): Promise<string> {
  const { esp } = await volumesOf(disk);
  return hashFile(disk, { start: esp.start, end: esp.start + esp.size - 1 });
}

export async function hashFile(path: string, range: { start?: number; end?: number } = {}): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { ...range, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest("hex");
}

/** Everything on the data volume, one line each: path, kind, owner, mode, mtime, size, SHA-256. What a replayed journal says, as the next start would see it. */
export async function volumeTree(disk: string, options: { without?: readonly string[] } = {}): Promise<string[]> {
  return withDataVolume(disk, async (reader) => {
    const lines: string[] = [];
    for await (const node of reader.walk()) {
      if (options.without?.some((path) => node.path.startsWith(`${path}/`) || node.path === path) === true) continue;
      const hash = createHash("sha256");
      if (node.kind === "file") for await (const piece of reader.read(node.inode)) hash.update(piece);
      lines.push([node.path, node.kind, `${node.uid}:${node.gid}`, node.mode.toString(8), node.mtime, node.kind === "file" ? `${node.size} ${hash.digest("hex")}` : ""].join(" "));
    }
    return lines.sort();
  });
}

/** Reads the data volume of a machine that is off. A copy of it is mended first, as the next start would: e2fsck replays no journal in the middle of a file. */
export async function withDataVolume<T>(disk: string, use: (reader: Ext4Reader) => Promise<T>): Promise<T> {
  const { data } = await volumesOf(disk);
  const copy = `${disk}.volume`;
  try {
    await runProgram("dd", [`if=${disk}`, `of=${copy}`, "bs=1M", "conv=sparse", "iflag=skip_bytes,count_bytes", `skip=${data.start}`, `count=${data.size}`]);
    await runProgram("e2fsck", ["-p", copy], { accept: [0, 1] });
    const reader = await Ext4Reader.open(copy, { start: 0, size: data.size });
    try {
      return await use(reader);
    } finally {
      await reader.close();
    }
  } finally {
    await rm(copy, { force: true });
  }
}
