/** A place content can be read from: a distribution point over HTTP, or anything else with ranges. */
export interface ContentSource {
  /** For messages: the distribution point's URL. */
  readonly name: string;
  /**
   * Opens bytes [start, end) of a content's file; `end` absent: to its end. Rejects, or breaks off, where the source fails.
   * Yields exactly the bytes asked for, or fewer when the connection is cut.
   */
  open(contentId: string, file: string, range: { start: number; end?: number }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
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
}
