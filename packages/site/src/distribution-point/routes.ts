import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { contentFileSchema } from "@prestage/contract";
import { sha256Schema } from "@prestage/content";
import { z } from "zod";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import type { SiteContext } from "../site-context.ts";
import { AccessLog } from "./access-log.ts";
import { OpenFiles } from "./open-files.ts";
import type { ReadableFile } from "./open-files.ts";
import { parseRange } from "./parse-range.ts";
import { VerifiedUrls } from "./verified-urls.ts";

/** Positional reads of this size: twice as fast as streams, and safe when a client goes away. */
const pieceSize = 256 * 1024;
/** Smaller ones lie in a buffer of their own. */
const smallSize = 32 * 1024;
/** Files nobody asks for any more are closed so soon. */
const sweepMs = 5000;

/** Immutable files under /content/<id>/, patches to the version among them, plain HTTP with Range (RFC 9110), each behind a short-lived signed URL. */
export function distributionPointRoutes(server: Routes, context: SiteContext): void {
  const log = new AccessLog(join(context.configuration.dataDirectory, "logs"));
  const files = new OpenFiles();
  const urls = new VerifiedUrls();
  const sweeping = setInterval(() => files.sweep(), sweepMs).unref();
  server.addHook("onClose", async () => {
    clearInterval(sweeping);
    files.sweep(true);
    await log.flush();
  });
  const params = z.strictObject({ id: sha256Schema, file: contentFileSchema });
  server.route({
    method: ["GET", "HEAD"], url: "/content/:id/:file", schema: { params },
    handler: async (request, reply) => {
      const { id, file } = request.params;
      const record = { time: context.now().toISOString(), contentId: id, file, deviceId: null as string | null };
      try {
        record.deviceId = urls.check(request.url, context.keys.keyring.roles.url, context.now());
      } catch (cause) {
        log.add({ ...record, range: null, bytes: 0, status: 403 });
        throw cause;
      }
      const { handle, size, release } = await files.acquire(join(context.library.folderOf(id), file)).catch((cause: unknown) => {
        log.add({ ...record, range: null, bytes: 0, status: 404 });
        throw new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected content ${id} at this distribution point; found none.`, { cause });
      });
      // RFC 9110 sections 13.1.5 and 14.2: with an If-Range that does not match, or in a HEAD, Range is as if it were not there.
      const ifRange = request.headers["if-range"];
      const range = request.method === "GET" && (ifRange === undefined || ifRange === `"${id}"`) ? parseRange(request.headers.range, size) : "whole";
      reply.hijack();
      const response = reply.raw;
      try {
        if (range === "unsatisfiable") {
          log.add({ ...record, range: null, bytes: 0, status: 416 });
          response.writeHead(416, { "content-range": `bytes */${size}` }).end();
          return;
        }
        const { first, last } = range === "whole" ? { first: 0, last: size - 1 } : range;
        response.writeHead(range === "whole" ? 200 : 206, {
          "content-type": "application/octet-stream", "content-length": last - first + 1, "accept-ranges": "bytes", etag: `"${id}"`, "cache-control": "private, immutable, max-age=31536000",
          ...(range !== "whole" && { "content-range": `bytes ${first}-${last}/${size}` }),
        });
        if (request.method === "HEAD") response.end();
        const sent = request.method === "HEAD" ? 0 : await sendRange(handle, response, first, last + 1);
        log.add({ ...record, range: sent === 0 ? null : [first, first + sent - 1], bytes: sent, status: range === "whole" ? 200 : 206 });
      } finally {
        release();
      }
    },
  });
}

/** Buffers nobody uses at the moment: one of this size made anew costs a page fault for each 4 KiB of it. */
const pool: Buffer[] = [];
const mostPooled = 64;

/** Sends bytes [start, end); returns how many the client took before it went away. */
async function sendRange(handle: ReadableFile, response: ServerResponse, start: number, end: number): Promise<number> {
  let at = start;
  const closed = new Promise<"closed">((resolve) => response.once("close", () => resolve("closed")));
  try {
    while (at < end && !response.destroyed) {
      const length = Math.min(pieceSize, end - at);
      const pooled = length > smallSize;
      const buffer = pooled ? (pool.pop() ?? Buffer.allocUnsafeSlow(pieceSize)) : Buffer.allocUnsafe(length);
      const { bytesRead } = await handle.read(buffer, 0, length, at);
      if (bytesRead === 0) {
        response.destroy(); // the file is shorter than it was: never let a client take that for the end
        break;
      }
      at += bytesRead;
      // Called when its bytes are encrypted and handed to the system; where they never will be, the buffer is not used again.
      const free = (failed?: Error | null) => void (pooled && (failed === undefined || failed === null) && pool.length < mostPooled && pool.push(buffer));
      if (!response.write(bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead), free)) {
        const next = await Promise.race([new Promise<"drained">((resolve) => response.once("drain", () => resolve("drained"))), closed]);
        if (next === "closed") break;
      }
    }
    if (!response.destroyed) response.end();
    return at - start;
  } catch {
    response.destroy(); // the disk failed: the client sees the connection break and asks elsewhere
    return at - start;
  }
}
