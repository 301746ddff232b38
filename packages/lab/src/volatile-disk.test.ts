import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { VolatileCache } from "./volatile-cache.ts";
import { startVolatileDisk } from "./volatile-disk.ts";

function memoryDisk(size: number): { size: number; bytes: Uint8Array; read(offset: number, target: Uint8Array): void; write(offset: number, data: Uint8Array): void } {
  const bytes = new Uint8Array(size);
  return { size, bytes, read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)), write: (offset, data) => bytes.set(data, offset) };
}

test("what is read is what was written, whatever was flushed, and a cut leaves each sector old or new", () => {
  const sectors = 64;
  const operation = fc.oneof(fc.record({ kind: fc.constant("write" as const), at: fc.nat(sectors - 8), count: fc.integer({ min: 1, max: 8 }), fill: fc.integer({ min: 1, max: 255 }) }), fc.record({ kind: fc.constant("flush" as const) }));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), fc.nat(), (operations, seed) => {
      const disk = memoryDisk(sectors * 512);
      const cache = new VolatileCache(disk, seed);
      const model = new Uint8Array(disk.size);
      let flushed = new Uint8Array(disk.size);
      for (const step of operations) {
        if (step.kind === "flush") {
          cache.flush();
          flushed = model.slice();
          assert.deepEqual(disk.bytes, flushed);
        } else {
          const data = new Uint8Array(step.count * 512).fill(step.fill);
          cache.write(step.at * 512, data);
          model.set(data, step.at * 512);
          assert.deepEqual(disk.bytes, flushed, "an unflushed write must not reach the disk");
        }
      }
      assert.deepEqual(cache.read(0, disk.size), model);
      const { unflushed, kept } = cache.cut();
      assert.ok(kept <= unflushed);
      for (let sector = 0; sector < sectors; sector++) {
        const [found, before, after] = [disk.bytes, flushed, model].map((bytes) => Buffer.from(bytes.subarray(sector * 512, sector * 512 + 512)));
        assert.ok(found?.equals(before ?? Buffer.alloc(0)) === true || found?.equals(after ?? Buffer.alloc(0)) === true);
      }
    }),
    { numRuns: 60 },
  );
});

test("a cut loses about half, the same half for the same seed", () => {
  const cutOf = (seed: number): Uint8Array => {
    const disk = memoryDisk(1000 * 512);
    const cache = new VolatileCache(disk, seed);
    cache.write(0, new Uint8Array(disk.size).fill(7));
    const { unflushed, kept } = cache.cut();
    assert.equal(unflushed, 1000);
    assert.ok(kept > 400 && kept < 600);
    return disk.bytes;
  };
  assert.deepEqual(cutOf(5), cutOf(5));
  assert.notDeepEqual(cutOf(5), cutOf(6));
});

/** The client's side of the protocol, as little as the test needs. */
class NbdClient {
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on("error", () => undefined); // a cut breaks the connection: the disk's end says so
    this.#socket.on("data", (data: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, data]);
      this.#wake?.();
    });
  }

  async take(length: number): Promise<Buffer> {
    while (this.#buffer.length < length) await new Promise<void>((resolve) => (this.#wake = resolve));
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async handshake(): Promise<number> {
    await this.take(18);
    const hello = Buffer.alloc(4 + 16);
    hello.writeUInt32BE(3, 0);
    hello.write("IHAVEOPT", 4, "latin1");
    hello.writeUInt32BE(7, 12);
    this.#socket.write(hello);
    const info = await this.take(20 + 12);
    await this.take(20);
    return Number(info.readBigUInt64BE(22));
  }

  async request(command: number, offset: number, length: number, data: Buffer = Buffer.alloc(0)): Promise<{ error: number; data: Buffer }> {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(0x25609513, 0);
    head.writeUInt16BE(command, 6);
    head.writeBigUInt64BE(BigInt(offset), 16);
    head.writeUInt32BE(length, 24);
    this.#socket.write(Buffer.concat([head, data]));
    if (command === 2) return { error: 0, data };
    const error = (await this.take(16)).readUInt32BE(4);
    return { error, data: command === 0 && error === 0 ? await this.take(length) : data };
  }

  cut(): void {
    this.#socket.destroy();
  }
}

test("over NBD: a lost connection loses unflushed writes, a goodbye keeps everything, a bad request is refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-nbd-"));
  try {
    const path = join(folder, "disk.img");
    await writeFile(path, "");
    await truncate(path, 1 << 20);
    const disk = await startVolatileDisk(path, join(folder, "s1"), 3);
    const client = new NbdClient(disk.socket);
    assert.equal(await client.handshake(), 1 << 20);
    const block = Buffer.alloc(65_536, 9);
    assert.equal((await client.request(1, 0, block.length, block)).error, 0);
    assert.equal((await client.request(3, 0, 0)).error, 0);
    await client.request(1, 65_536, block.length, block);
    assert.deepEqual((await client.request(0, 0, 131_072)).data, Buffer.alloc(131_072, 9));
    assert.equal((await client.request(0, 1 << 20, 512)).error, 22);
    assert.equal((await client.request(1, 100, 512, Buffer.alloc(512))).error, 22);
    client.cut();
    const end = await disk.end;
    assert.ok(!end.clean && end.unflushed === 128 && end.kept > 20 && end.kept < 108);
    const content = await readFile(path);
    assert.ok(content.subarray(0, 65_536).equals(block));
    assert.ok(!content.subarray(65_536, 131_072).equals(block));

    const second = await startVolatileDisk(path, join(folder, "s2"), 3);
    const polite = new NbdClient(second.socket);
    await polite.handshake();
    await polite.request(1, 65_536, block.length, block);
    await polite.request(2, 0, 0);
    assert.deepEqual(await second.end, { clean: true, writes: 1 });
    assert.ok((await readFile(path)).subarray(65_536, 131_072).equals(block));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the power is cut right after a write that was asked for, before its flush", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-nbd-"));
  try {
    const path = join(folder, "disk.img");
    await writeFile(path, "");
    await truncate(path, 1 << 20);
    const disk = await startVolatileDisk(path, join(folder, "s1"), 3);
    const client = new NbdClient(disk.socket);
    await client.handshake();
    await disk.cutAfterWrites(3);
    const block = Buffer.alloc(8192, 9);
    for (let write = 0; write < 2; write++) {
      assert.equal((await client.request(1, write * block.length, block.length, block)).error, 0);
      assert.equal((await client.request(3, 0, 0)).error, 0);
    }
    void client.request(1, 65_536, block.length, block);
    void client.request(3, 0, 0);
    const end = await disk.end;
    assert.ok(!end.clean);
    assert.equal(end.unflushed, block.length / 512);
  } finally {
    await rm(folder, { recursive: true });
  }
});
