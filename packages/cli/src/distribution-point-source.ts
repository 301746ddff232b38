import { cutRange, RangesIgnored } from "@prestage/content";
import type { ContentSource } from "@prestage/content";
import { Agent, request } from "undici";

/**
 * A distribution point as the command line reads it. `query` is what a site's own distribution point wants after the path; a static one wants none.
 * `ca` is trusted beside the system's authorities: the site's own.
 */
export function distributionPointSource(url: string, options: { ca?: string | undefined; query: (contentId: string, file: string) => Promise<string | undefined> }): ContentSource & { close(): Promise<void> } {
  const name = url.replace(/\/+$/, "");
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000, ...(options.ca !== undefined && { connect: { ca: options.ca } }) });
  const source: ContentSource & { close(): Promise<void>; ranges?: boolean } = {
    name,
    open: async (contentId, file, range, signal) => {
      const query = await options.query(contentId, file);
      const wanted = range.start > 0 || range.end !== undefined;
      const headers = wanted ? { range: `bytes=${range.start}-${range.end === undefined ? "" : range.end - 1}` } : {};
      const answer = await request(`${name}/content/${contentId}/${file}${query === undefined ? "" : `?${query}`}`, { dispatcher: agent, headers, signal });
      if (answer.statusCode === (wanted ? 206 : 200)) return answer.body as AsyncIterable<Uint8Array>;
      if (wanted && answer.statusCode === 200) {
        source.ranges = false;
        if (range.required !== true) return cutRange(answer.body, range);
        await answer.body.dump({ limit: 0 });
        throw new RangesIgnored();
      }
      await answer.body.dump();
      throw new Error(`HTTP ${answer.statusCode}`);
    },
    close: () => agent.close(),
  };
  return source;
}
