// A computer that holds a version and brings the next into its cache; tells how much memory it took.
import { fetchVersion, LocalCache } from "@prestage/content";
import type { ContentSource, OfferedPatches, StoredVersion } from "@prestage/content";

const { url, cache: root, step, older, newer, offered } = JSON.parse(process.argv[2] ?? "{}") as { url: string; cache: string; step: "fill" | "revise"; older: StoredVersion; newer: StoredVersion; offered: OfferedPatches };
const source: ContentSource = {
  name: url,
  async open(contentId, file, { start, end }, signal) {
    const answer = await fetch(`${url}/content/${contentId}/${file}`, { signal, headers: start > 0 || end !== undefined ? { range: `bytes=${start}-${end === undefined ? "" : end - 1}` } : {} });
    if (!answer.ok || answer.body === null) throw new Error(`HTTP ${answer.status}`);
    return answer.body;
  },
};
const cache = new LocalCache(root);
const wanted = step === "fill" ? { ...older, earlierContentIds: [] } : { ...newer, earlierContentIds: [older.contentId], patches: [offered] };
const { bytes } = await fetchVersion(cache, [source], wanted);
const maxRssBytes = process.resourceUsage().maxRSS * 1024;
const { state } = await cache.ask(wanted.contentId, (await cache.readIndex(wanted.contentId))!, []);
process.send?.({ bytes, maxRssBytes, state }, () => process.disconnect());
