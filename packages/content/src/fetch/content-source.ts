/** A place content can be read from: a distribution point over HTTP, or anything else with ranges. */
export interface ContentSource {
  /** For messages: the distribution point's URL. */
  readonly name: string;
  /** False once the source has answered a range with the whole file: each range of a file then costs all that lies before it, too. */
  readonly ranges?: boolean;
  /**
   * Opens bytes [start, end) of a content's file; `end` absent: to its end. Rejects, or breaks off, where the source fails.
   * Yields exactly the bytes asked for, or fewer when the connection is cut. `required`: rejects with RangesIgnored where the file is sent from its first byte.
   */
  open(contentId: string, file: string, range: { start: number; end?: number; required?: boolean }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface FetchEvents {
  /** Bytes received so far, of those planned. */
  onProgress?: (event: { done: number; total: number }) => void;
  /** A source failed; the next one is tried. */
  onSourceFailed?: (event: { source: string; reason: string; round: number }) => void;
  /** Every source failed once; waiting before the next round. */
  onWaiting?: (event: { round: number; rounds: number; seconds: number }) => void;
}

export interface FetchOptions extends FetchEvents {
  signal?: AbortSignal;
  /** How often all sources are tried in turn before giving up. */
  rounds?: number;
  /** Seconds to wait before a round. */
  waitSeconds?: (round: number) => number;
  /** Where no source but those without ranges delivers, throw RangesIgnored, so that the caller plans for whole files. */
  rangesOnly?: boolean;
}

/** No distribution point that can be reached sends ranges. */
export class RangesIgnored extends Error {
  constructor() {
    super("whole files only are sent, no ranges");
  }
}

/** Bytes [start, end) of a body that begins with the file's first byte: what a server without ranges sends. */
export async function* cutRange(body: AsyncIterable<Uint8Array>, { start, end = Number.MAX_SAFE_INTEGER }: { start: number; end?: number }): AsyncIterable<Uint8Array> {
  let at = 0;
  for await (const piece of body) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, piece.length)];
    if (from < to) yield piece.subarray(from, to);
    at += piece.length;
    if (at >= end) return;
  }
}
