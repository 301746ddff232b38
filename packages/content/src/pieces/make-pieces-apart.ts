import { fork } from "node:child_process";
import { ContentError } from "../error.ts";
import type { ContentLibrary } from "../library/content-library.ts";
import type { OfferedPatches } from "../description/schema.ts";
import type { MakePiecesOptions } from "./make-pieces.ts";
import type { PiecesMessage, PiecesRequest } from "./pieces-process.ts";

/**
 * `makePieces` in a process of its own at the lowest priority, as zstd makes patches: a site goes on answering computers while it lasts, and no more than one processor is used.
 * An abort ends the process; what it left in the library's incoming folder is swept like any other import's.
 * @throws ContentError as makePieces does
 */
export async function makePiecesApart(library: ContentLibrary, contentId: string, { signal, spaceBytes, onProgress }: MakePiecesOptions = {}): Promise<OfferedPatches | undefined> {
  signal?.throwIfAborted();
  const child = fork(new URL("pieces-process.ts", import.meta.url), { stdio: ["ignore", "ignore", "pipe", "ipc"], env: { ...process.env, NODE_NO_WARNINGS: "1", UV_THREADPOOL_SIZE: "1" } });
  const end = () => void child.kill("SIGKILL");
  signal?.addEventListener("abort", end, { once: true });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2000)));
  try {
    const last = await new Promise<PiecesMessage | undefined>((resolve, reject) => {
      let answer: PiecesMessage | undefined;
      child.on("error", reject).on("close", () => resolve(answer)).on("message", (message) => {
        const said = message as PiecesMessage;
        if (said.kind === "progress") onProgress?.({ done: said.done, total: said.total });
        else answer = said;
      });
      const request: PiecesRequest = { root: library.root, contentId, ...(spaceBytes !== undefined && { spaceBytes }) };
      child.send(request, (cause) => cause && reject(cause));
    });
    signal?.throwIfAborted();
    if (last?.kind === "made") return last.offer;
    if (last?.kind === "failed") throw last.code === undefined ? new Error(last.message) : new ContentError(last.code, last.message);
    throw new Error(`the process that makes pieces ended without a word${errors === "" ? "" : `: ${errors.trim()}`}`);
  } finally {
    signal?.removeEventListener("abort", end);
    if (child.exitCode === null && child.signalCode === null) end();
  }
}
