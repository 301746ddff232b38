import { openAsBlob } from "node:fs";
import type { ContentSource } from "@prestage/content";
import { Agent, request } from "undici";

export type FilesSource = ContentSource & { close(): Promise<void> };

/** Files below an address at any web server with ranges, or below a folder. */
export function filesSource(base: string): FilesSource {
  return /^https?:\/\//.test(base) ? overHttp(base) : fromFolder(base);
}

function fromFolder(folder: string): FilesSource {
  return {
    name: folder,
    open: async (_id, path, { start, end }) => (await openAsBlob(path === "" ? folder : `${folder.replace(/\/+$/, "")}/${path}`)).slice(start, end).stream(),
    close: () => Promise.resolve(),
  };
}

function overHttp(base: string): FilesSource {
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000 });
  return {
    name: base,
    async open(_id, path, { start, end }, signal) {
      const wanted = start > 0 || end !== undefined;
      const headers = wanted ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {};
      const answer = await request(addressOf(base, path), { dispatcher: agent, headers, signal });
      if (answer.statusCode === (wanted ? 206 : 200)) return answer.body as AsyncIterable<Uint8Array>;
      await answer.body.dump({ limit: 0 }).catch(() => undefined); // what it says does not matter
      throw new Error(answer.statusCode === 200 ? "the server sends whole files only; one with ranges is needed" : `HTTP ${answer.statusCode}`);
    },
    close: () => agent.close(),
  };
}

/** What follows `?` belongs to every file below. */
function addressOf(base: string, path: string): string {
  const url = new URL(base);
  if (path !== "") url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path.split("/").map(encodeURIComponent).join("/")}`;
  return url.href;
}
