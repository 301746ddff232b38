import type { ContentSource } from "@prestage/content";
import { request } from "undici";
import type { Dispatcher } from "undici";
import { newDispatcher } from "../network/dispatcher.ts";

/** Gives the signed query for a content's file, or undefined where the distribution point checks none. `renew`: the last one was refused. */
export type UrlSigner = (contentId: string, file: string, renew: boolean) => Promise<string | undefined>;

/** A distribution point over HTTP: static files below content/<id>/, with Range. */
export class HttpContentSource implements ContentSource {
  readonly name: string;
  readonly #sign: UrlSigner;
  readonly #agent: Dispatcher;

  constructor(url: string, tlsCa: string, sign: UrlSigner, proxy?: string) {
    this.name = url.replace(/\/+$/, "");
    this.#sign = sign;
    this.#agent = newDispatcher({ headersTimeout: 30_000, bodyTimeout: 30_000, tls: { ca: tlsCa }, proxy });
  }

  async open(contentId: string, file: string, range: { start: number; end?: number }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const wanted = range.start > 0 || range.end !== undefined;
    for (const renew of [false, true]) {
      const query = await this.#sign(contentId, file, renew);
      const url = `${this.name}/content/${contentId}/${file}${query === undefined ? "" : `?${query}`}`;
      const headers = wanted ? { range: `bytes=${range.start}-${range.end === undefined ? "" : range.end - 1}` } : {};
      const answer = await request(url, { headers, signal, dispatcher: this.#agent });
      if (answer.statusCode === (wanted ? 206 : 200)) return answer.body;
      // A server without Range support sends the whole file: what is before the range is passed over.
      if (wanted && answer.statusCode === 200) return cut(answer.body, range.start, range.end ?? Number.MAX_SAFE_INTEGER);
      await answer.body.dump();
      if (answer.statusCode !== 403 || query === undefined) throw new Error(`HTTP ${answer.statusCode} for ${file}`);
    }
    throw new Error(`the distribution point refused the signed URL for ${file}`);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}

async function* cut(body: AsyncIterable<Uint8Array>, start: number, end: number): AsyncIterable<Uint8Array> {
  let at = 0;
  for await (const piece of body) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, piece.length);
    if (from < to) yield piece.subarray(from, to);
    at += piece.length;
    if (at >= end) return;
  }
}
