// What `makePiecesApart` starts: makes one pack at the lowest priority, and says by messages how far it is and how it ended.
import { setPriority } from "node:os";
import { ContentError } from "../error.ts";
import type { ContentErrorCode } from "../error.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { makePieces } from "./make-pieces.ts";

export interface PiecesRequest { root: string; contentId: string; spaceBytes?: number }
export type PiecesMessage =
  | { kind: "progress"; done: number; total: number }
  | { kind: "made"; offer: OfferedPatches | undefined }
  | { kind: "failed"; code: ContentErrorCode | undefined; message: string };

const lowest = 19;

process.on("disconnect", () => process.exit(1)); // the site has ended; what is half made is swept when it starts again
process.once("message", (request: PiecesRequest) => {
  setPriority(lowest);
  const { root, contentId, ...options } = request;
  const say = (message: PiecesMessage, then?: () => void) => process.send?.(message, undefined, undefined, then);
  let said = 0;
  makePieces(new ContentLibrary(root), contentId, {
    ...options,
    onProgress: (event) => {
      if (Date.now() - said < 200 && event.done < event.total) return;
      said = Date.now();
      say({ kind: "progress", ...event });
    },
  }).then(
    (offer) => say({ kind: "made", offer }, () => process.exit(0)),
    (cause: unknown) => say({ kind: "failed", code: cause instanceof ContentError ? cause.code : undefined, message: cause instanceof Error ? cause.message : String(cause) }, () => process.exit(0)),
  );
});
