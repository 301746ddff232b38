import type { Socket } from "node:net";
import { VolatileCache } from "./volatile-cache.ts";

/** What an NBD connection ended with: the client's own goodbye, or a cut; and how many writes there were that a cut may lose. */
export type NbdEnd = { clean: true; writes: number } | { clean: false; writes: number; unflushed: number; kept: number };

/** The served disk. */
export interface ServedDisk {
  /** Breaks the connection, as a power cut does, right after the machine's `writes`-th further write that it may lose. */
  cutAfterWrites(writes: number): void;
}

const flags = 1 | 4 | 8 | 32 | 64; // HAS_FLAGS, SEND_FLUSH, SEND_FUA, SEND_TRIM, SEND_WRITE_ZEROES
const longestRequest = 64 << 20;

/**
 * Serves one disk to one client by the NBD protocol (doc/proto.md of the nbd project: fixed newstyle, OPT_GO and
 * EXPORT_NAME). A connection lost without NBD_CMD_DISC is a power cut.
 */
export function serveNbd(socket: Socket, cache: VolatileCache, size: number, onEnd: (end: NbdEnd) => void): ServedDisk {
  let writesLeft = Infinity;
  let writes = 0;
  let buffer: Buffer = Buffer.alloc(0);
  let phase: "flags" | "options" | "transmission" = "flags";
  let clean = false;
  const hello = Buffer.alloc(18);
  hello.write("NBDMAGICIHAVEOPT", "latin1");
  hello.writeUInt16BE(3, 16); // FIXED_NEWSTYLE, NO_ZEROES
  socket.write(hello);
  socket.on("error", () => undefined); // the close that follows says it
  socket.on("close", () => {
    if (phase !== "transmission") return;
    if (clean) {
      cache.flush();
      onEnd({ clean: true, writes });
    } else onEnd({ clean: false, writes, ...cache.cut() });
  });
  socket.on("data", (data: Buffer) => {
    buffer = buffer.length === 0 ? data : Buffer.concat([buffer, data]);
    for (;;) {
      const used = phase === "flags" ? takeFlags() : phase === "options" ? takeOption() : takeRequest();
      if (used === 0) return;
      buffer = buffer.subarray(used);
      if (writesLeft === 0) return void socket.destroy();
    }
  });
  return { cutAfterWrites: (further) => (writesLeft = further) };

  function takeFlags(): number {
    if (buffer.length < 4) return 0;
    phase = "options";
    return 4;
  }

  function takeOption(): number {
    if (buffer.length < 16) return 0;
    const option = buffer.readUInt32BE(8);
    const length = buffer.readUInt32BE(12);
    if (length > 65536) return refuse();
    if (buffer.length < 16 + length) return 0;
    if (option === 6 || option === 7) { // NBD_OPT_INFO, NBD_OPT_GO
      const info = Buffer.alloc(12);
      info.writeBigUInt64BE(BigInt(size), 2);
      info.writeUInt16BE(flags, 10);
      replyOption(option, 3, info);
      replyOption(option, 1, Buffer.alloc(0));
      if (option === 7) phase = "transmission";
    } else if (option === 1) { // NBD_OPT_EXPORT_NAME
      const reply = Buffer.alloc(10);
      reply.writeBigUInt64BE(BigInt(size), 0);
      reply.writeUInt16BE(flags, 8);
      socket.write(reply);
      phase = "transmission";
    } else if (option === 2) { // NBD_OPT_ABORT
      replyOption(option, 1, Buffer.alloc(0));
      socket.end();
    } else replyOption(option, 0x80000001, Buffer.alloc(0));
    return 16 + length;
  }

  function replyOption(option: number, type: number, data: Buffer): void {
    const reply = Buffer.alloc(20);
    reply.writeBigUInt64BE(0x3e889045565a9n, 0);
    reply.writeUInt32BE(option, 8);
    reply.writeUInt32BE(type, 12);
    reply.writeUInt32BE(data.length, 16);
    socket.write(Buffer.concat([reply, data]));
  }

  function takeRequest(): number {
    if (buffer.length < 28) return 0;
    const requestFlags = buffer.readUInt16BE(4);
    const command = buffer.readUInt16BE(6);
    const handle = Buffer.from(buffer.subarray(8, 16));
    const offset = Number(buffer.readBigUInt64BE(16));
    const length = buffer.readUInt32BE(24);
    if (length > longestRequest && command !== 4 && command !== 6) return refuse();
    const used = command === 1 ? 28 + length : 28;
    if (buffer.length < used) return 0;
    try {
      switch (command) {
        case 0: reply(handle, 0, cache.read(offset, length)); break;
        case 1:
          cache.write(offset, buffer.subarray(28, used));
          if ((requestFlags & 1) === 0) {
            writes += 1;
            writesLeft -= 1;
          } else cache.flush(); // FUA: more than asked for, as a real disk may do
          reply(handle, 0);
          break;
        case 2: clean = true; socket.end(); break;
        case 3: cache.flush(); reply(handle, 0); break;
        case 4: reply(handle, 0); break; // TRIM is a hint
        case 6:
          for (let at = 0; at < length; at += 1 << 20) cache.write(offset + at, new Uint8Array(Math.min(1 << 20, length - at)));
          reply(handle, 0);
          break;
        default: reply(handle, 22);
      }
    } catch {
      reply(handle, 22); // EINVAL
    }
    return used;
  }

  function reply(handle: Buffer, error: number, data?: Uint8Array): void {
    const head = Buffer.alloc(16);
    head.writeUInt32BE(0x67446698, 0);
    head.writeUInt32BE(error, 4);
    handle.copy(head, 8);
    socket.write(head);
    if (data !== undefined) socket.write(data);
  }

  function refuse(): number {
    socket.destroy();
    return 0;
  }
}
