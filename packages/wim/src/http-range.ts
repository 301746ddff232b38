import { WimError } from "./error.ts";

/** The part of `fetch` that is used. */
export type HttpFetch = (url: string, init: { headers: Record<string, string>; signal?: AbortSignal }) => Promise<Response>;

export interface HttpRangeOptions {
  readonly fetch?: HttpFetch;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Fetches ranges of one file, and makes sure that it stays the same file. */
export class HttpRange {
  size = 0;
  requests = 0;
  bytes = 0;
  private readonly url: string;
  private readonly options: HttpRangeOptions;
  private validator: { readonly etag: string | null; readonly modified: string | null } | undefined;

  constructor(url: string, options: HttpRangeOptions) {
    this.url = url;
    this.options = options;
  }

  /** Fetches the first bytes, up to `most`, and learns the size and what the file is recognised by. */
  async open(most: number): Promise<Uint8Array> {
    const response = await this.request(0, most);
    const { from, to, size } = this.contentRange(response);
    if (from !== 0 || to !== Math.min(most, size)) throw await this.failed(response, `it sent bytes ${from} to ${to} of ${size}, asked for 0 to ${most}`);
    this.size = size;
    this.validator = { etag: response.headers.get("etag"), modified: response.headers.get("last-modified") };
    return await this.body(response, to);
  }

  /** Exactly `length` bytes from `offset`. */
  async fetch(offset: number, length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const response = await this.request(offset, length);
    const { from, to, size } = this.contentRange(response);
    const { etag, modified } = this.validator ?? { etag: null, modified: null };
    if (size !== this.size || response.headers.get("etag") !== etag || response.headers.get("last-modified") !== modified) throw await this.changed(response);
    if (from !== offset || to !== offset + length) throw await this.failed(response, `it sent bytes ${from} to ${to}, asked for ${offset} to ${offset + length}`);
    return await this.body(response, length);
  }

  /** One request; anything but 206 is refused. If-Range takes strong validators only (RFC 9110, 13.1.5). */
  private async request(offset: number, length: number): Promise<Response> {
    const { validator, options } = this;
    const strong = validator?.etag?.startsWith('"') === true ? validator.etag : undefined;
    const headers: Record<string, string> = { ...options.headers, range: `bytes=${offset}-${offset + length - 1}`, "accept-encoding": "identity" };
    if (strong !== undefined) headers["if-range"] = strong;
    options.signal?.throwIfAborted();
    this.requests++;
    let response: Response;
    try {
      response = await (options.fetch ?? fetch)(this.url, { headers, ...(options.signal && { signal: options.signal }) });
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new WimError("PRESTAGE_WIM_HTTP", `${this.url} cannot be fetched: ${reason(cause)}. Check the address and the network.`, { cause });
    }
    if (response.status === 206) return response;
    if (validator !== undefined && (response.status === 200 || response.status === 416)) throw await this.changed(response);
    if (response.status !== 200) throw await this.failed(response, `it answered ${response.status}`);
    await response.body?.cancel();
    throw new WimError("PRESTAGE_WIM_HTTP_NO_RANGE", `${this.url} is on a server that does not send ranges of a file. Download it, and open the file.`);
  }

  private contentRange(response: Response): { from: number; to: number; size: number } {
    const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(response.headers.get("content-range") ?? "");
    if (match === null) throw new WimError("PRESTAGE_WIM_HTTP", `${this.url}: the answer says Content-Range ${JSON.stringify(response.headers.get("content-range"))}, expected bytes FROM-TO/SIZE. Download the file, and open it.`);
    return { from: Number(match[1]), to: Number(match[2]) + 1, size: Number(match[3]) };
  }

  /** Reads a body that must have `length` bytes, and never more into memory. */
  private async body(response: Response, length: number): Promise<Uint8Array> {
    const output = new Uint8Array(length);
    let at = 0;
    try {
      for await (const piece of response.body ?? []) {
        if (piece.length > length - at) throw new RangeError(`more than ${length} bytes came`);
        output.set(piece, at);
        at += piece.length;
        this.bytes += piece.length;
      }
    } catch (cause) {
      this.options.signal?.throwIfAborted();
      throw new WimError("PRESTAGE_WIM_HTTP", `${this.url}: the answer broke off after ${at} of ${length} bytes: ${reason(cause)}. Try again.`, { cause });
    }
    if (at !== length) throw new WimError("PRESTAGE_WIM_HTTP", `${this.url}: the answer ended after ${at} of ${length} bytes. Try again.`);
    return output;
  }

  private async failed(response: Response, why: string): Promise<WimError> {
    await response.body?.cancel();
    return new WimError("PRESTAGE_WIM_HTTP", `${this.url} cannot be read: ${why}. Check the address.`);
  }

  private async changed(response: Response): Promise<WimError> {
    await response.body?.cancel();
    return new WimError("PRESTAGE_WIM_HTTP_CHANGED", `${this.url} changed while it was read. Open it again.`);
  }
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}
