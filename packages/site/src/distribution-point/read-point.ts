import { get as getPlain } from "node:http";
import type { IncomingMessage } from "node:http";
import { get as getTls } from "node:https";
import { rootCertificates } from "node:tls";
import type { ReadPublished } from "@prestage/content";

/** A distribution point that says nothing for so long does not answer. */
const silenceMs = 30_000;

export interface PointOptions {
  /** Trusted beside the public authorities: the site's own. */
  ca: string;
  /** What the site's own distribution points want after the path; a static one ignores it. */
  query: (path: string) => string;
  signal: AbortSignal;
}

/** Reads a content version's files where a distribution point has them, over HTTP as a device does. */
export function readPoint(url: string, contentId: string, options: PointOptions): ReadPublished {
  return async (file, { start, end }) => {
    const path = `/content/${contentId}/${file}`;
    const answer = await request(`${url.replace(/\/+$/, "")}${path}?${options.query(path)}`, end > start ? `bytes=${start}-${end - 1}` : undefined, options);
    const { statusCode = 0, headers } = answer;
    if (statusCode === 206) {
      const [, from, last, total] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(headers["content-range"] ?? "") ?? [];
      if (from !== undefined && Number(from) === start && Number(last) < end) return { total: Number(total), start, end: Number(last) + 1, bytes: answer };
    } else if (statusCode === 200) {
      const total = Number(headers["content-length"] ?? NaN);
      return { total, start: 0, end: total, bytes: answer };
    }
    answer.destroy();
    // Where listing is off some stores answer 403 for what is not there (RFC 9110 section 15.5.4); 416: the file is shorter than the range's first byte.
    if ([403, 404, 410].includes(statusCode)) return undefined;
    if (statusCode === 416) return { total: Number(/\/(\d{1,16})$/.exec(headers["content-range"] ?? "")?.[1] ?? NaN), start, end: start, bytes: nothing() };
    throw new Error(`${url} answered HTTP ${statusCode}${statusCode === 206 ? " with another range than was asked for" : ""}`);
  };
}

async function* nothing(): AsyncIterable<Uint8Array> {}

function request(address: string, range: string | undefined, { ca, signal }: PointOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const common = { signal, timeout: silenceMs, agent: false, headers: { ...(range !== undefined && { range }) } } as const;
    const sent = address.startsWith("https:") ? getTls(address, { ...common, ca: [...rootCertificates, ca] }, resolve) : getPlain(address, common, resolve);
    sent.on("error", reject).on("timeout", () => sent.destroy(new Error(`nothing came for ${silenceMs / 1000} s`)));
  });
}
