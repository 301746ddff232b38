// A process of its own, because a power cut is that this side sees the connection break.
// node volatile-disk-main.ts DISK SOCKET SEED; on standard input: the number of further writes to cut the power after
import { fstatSync, openSync, readSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { serveNbd } from "./nbd-server.ts";
import { VolatileCache } from "./volatile-cache.ts";

const [disk = "", socketPath = "", seed = "1"] = process.argv.slice(2);
const file = openSync(disk, "r+");
const size = Math.floor(fstatSync(file).size / 512) * 512;
const cache = new VolatileCache(
  { size, read: (offset, target) => void readSync(file, target, 0, target.length, offset), write: (offset, data) => void writeSync(file, data, 0, data.length, offset) },
  Number(seed),
);
const server = createServer((socket) => {
  server.close(); // one machine, one connection
  const served = serveNbd(socket, cache, size, (end) => process.stdout.write(`${JSON.stringify(end)}\n`, () => process.exit(0)));
  createInterface({ input: process.stdin }).on("line", (line) => {
    served.cutAfterWrites(Number(line));
    process.stdout.write("counting\n");
  });
});
server.listen(socketPath, () => process.stdout.write("ready\n"));
