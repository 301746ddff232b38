import { cutRange, RangesIgnored } from "@prestage/content";
import type { ContentSource } from "@prestage/content";
import { request } from "undici";
import type { Dispatcher } from "undici";
import { newDispatcher } from "../network/dispatcher.ts";

/** Gives the signed query for a content's file, or undefined where the distribution point checks none. `renew`: the last one was refused. */
export type UrlSigner = (contentId: string, file: string, renew: boolean) => Promise<string | undefined>;

/** A distribution point over HTTP: static files below content/<id>/, with Range. */
export class HttpContentSource implements ContentSource {
  readonly name: string;
  /** False once this distribution point answered a range with a whole file. */
  ranges?: boolean;
  readonly #sign: UrlSigner;
  readonly #agent: Dispatcher;

  constructor(url: string, tlsCa: string, sign: UrlSigner, proxy?: string) {
    this.name = url.replace(/\/+$/, "");
    this.#sign = sign;
    this.#agent = newDispatcher({ headersTimeout: 30_000, bodyTimeout: 30_000, tls: { ca: tlsCa }, proxy });
  }

  async open(contentId: string, file: string, range: { start: number; end?: number; required?: boolean }, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const wanted = range.start > 0 || range.end !== undefined;
    for (const renew of [false, true]) {
      const query = await this.#sign(contentId, file, renew);
      const url = `${this.name}/content/${contentId}/${file}${query === undefined ? "" : `?${query}`}`;
      const headers = wanted ? { range: `bytes=${range.start}-${range.end === undefined ? "" : range.end - 1}` } : {};
      const answer = await request(url, { headers, signal, dispatcher: this.#agent });
      if (answer.statusCode === (wanted ? 206 : 200)) return answer.body;
      if (wanted && answer.statusCode === 200) {
        this.ranges = false;
        if (range.required !== true) return cutRange(answer.body, range);
        await answer.body.dump({ limit: 0 });
        throw new RangesIgnored();
      }
      await answer.body.dump();
      if (answer.statusCode !== 403 || query === undefined) throw new Error(`HTTP ${answer.statusCode} for ${file}`);
    }
    throw new Error(`the distribution point refused the signed URL for ${file}`);
  }

  close(): Promise<void> {
    return this.#agent.close();
  }
}
