import { open } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { contentFileSchema } from "@prestage/contract";
import { sha256Schema } from "@prestage/content";
import { checkUrlQuery } from "@prestage/trust";
import { z } from "zod";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import type { SiteContext } from "../site-context.ts";
import { AccessLog } from "./access-log.ts";
import { parseRange } from "./parse-range.ts";

/** Positional reads of this size: twice as fast as streams, and safe when a client goes away. */
const pieceSize = 256 * 1024;

/** Immutable files under /content/<id>/, patches to the version among them, plain HTTP with Range (RFC 9110), each behind a short-lived signed URL. */
export function distributionPointRoutes(server: Routes, context: SiteContext): void {
  const log = new AccessLog(join(context.configuration.dataDirectory, "logs"));
  server.addHook("onClose", () => log.flush());
  const params = z.strictObject({ id: sha256Schema, file: contentFileSchema });
  server.route({
    method: ["GET", "HEAD"], url: "/content/:id/:file", schema: { params },
    handler: async (request, reply) => {
      const { id, file } = request.params;
      const url = new URL(request.url, "https://distribution.point");
      const record = { time: context.now().toISOString(), contentId: id, file, deviceId: null as string | null };
      try {
        record.deviceId = checkUrlQuery(url.pathname, url.searchParams, context.keys.keyring.roles.url, context.now()).deviceId;
      } catch (cause) {
        log.add({ ...record, range: null, bytes: 0, status: 403 });
        throw cause;
      }
      const handle = await open(join(context.library.folderOf(id), file), "r").catch((cause: unknown) => {
        log.add({ ...record, range: null, bytes: 0, status: 404 });
        throw new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected content ${id} at this distribution point; found none.`, { cause });
      });
      const { size } = await handle.stat();
      // RFC 9110 sections 13.1.5 and 14.2: with an If-Range that does not match, or in a HEAD, Range is as if it were not there.
      const ifRange = request.headers["if-range"];
      const range = request.method === "GET" && (ifRange === undefined || ifRange === `"${id}"`) ? parseRange(request.headers.range, size) : "whole";
      reply.hijack();
      const response = reply.raw;
      if (range === "unsatisfiable") {
        await handle.close();
        log.add({ ...record, range: null, bytes: 0, status: 416 });
        response.writeHead(416, { "content-range": `bytes */${size}` }).end();
        return;
      }
      const { first, last } = range === "whole" ? { first: 0, last: size - 1 } : range;
      response.writeHead(range === "whole" ? 200 : 206, {
        "content-type": "application/octet-stream", "content-length": last - first + 1, "accept-ranges": "bytes", etag: `"${id}"`, "cache-control": "private, immutable, max-age=31536000",
        ...(range !== "whole" && { "content-range": `bytes ${first}-${last}/${size}` }),
      });
      const sent = request.method === "HEAD" ? await headOnly(handle, response) : await sendRange(handle, response, first, last + 1);
      log.add({ ...record, range: sent === 0 ? null : [first, first + sent - 1], bytes: sent, status: range === "whole" ? 200 : 206 });
    },
  });
}

async function headOnly(handle: FileHandle, response: ServerResponse): Promise<number> {
  await handle.close();
  response.end();
  return 0;
}

/** Sends bytes [start, end); returns how many the client took before it went away. */
async function sendRange(handle: FileHandle, response: ServerResponse, start: number, end: number): Promise<number> {
  let at = start;
  const closed = new Promise<"closed">((resolve) => response.once("close", () => resolve("closed")));
  try {
    while (at < end && !response.destroyed) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(pieceSize, end - at)), 0, Math.min(pieceSize, end - at), at);
      if (bytesRead === 0) {
        response.destroy(); // the file is shorter than it was: never let a client take that for the end
        break;
      }
      at += bytesRead;
      if (!response.write(buffer.subarray(0, bytesRead))) {
        const next = await Promise.race([new Promise<"drained">((resolve) => response.once("drain", () => resolve("drained"))), closed]);
        if (next === "closed") break;
      }
    }
    if (!response.destroyed) response.end();
    return at - start;
  } catch {
    response.destroy(); // the disk failed: the client sees the connection break and asks elsewhere
    return at - start;
  } finally {
    await handle.close();
  }
}
