import type { ContentSource } from "@prestage/content";
import { Agent, request } from "undici";

/**
 * A distribution point as the command line reads it. `query` is what a site's own distribution point wants after the path; a static one wants none.
 * `ca` is trusted beside the system's authorities: the site's own.
 */
export function distributionPointSource(url: string, options: { ca?: string | undefined; query: (contentId: string, file: string) => Promise<string | undefined> }): ContentSource & { close(): Promise<void> } {
  const name = url.replace(/\/+$/, "");
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000, ...(options.ca !== undefined && { connect: { ca: options.ca } }) });
  return {
    name,
    open: async (contentId, file, { start, end }, signal) => {
      const query = await options.query(contentId, file);
      const range = start > 0 || end !== undefined ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {};
      const answer = await request(`${name}/content/${contentId}/${file}${query === undefined ? "" : `?${query}`}`, { dispatcher: agent, headers: range, signal });
      if (answer.statusCode !== ("range" in range ? 206 : 200)) {
        await answer.body.dump();
        throw new Error(`HTTP ${answer.statusCode}`);
      }
      return answer.body as AsyncIterable<Uint8Array>;
    },
    close: () => agent.close(),
  };
}
