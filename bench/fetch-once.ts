// One computer's top-up, as a process of its own so that its memory can be told: `node fetch-once.ts JSON`; prints what it fetched.
import { join } from "node:path";
import { fetchImageDelta, fetchVersion, LocalCache, runWimlib } from "@prestage/content";
import type { WantedVersion } from "@prestage/content";
import { distributionPointSource } from "../packages/cli/src/distribution-point-source.ts";

/** `apply`: an OS image, whose first image is applied into this folder, as the agent does. */
export interface FetchOnce { url: string; cache: string; wanted: WantedVersion; apply?: string }

const { url, cache: root, wanted, apply } = JSON.parse(process.argv[2] ?? "{}") as FetchOnce;
const source = distributionPointSource(url, { query: async () => undefined });
const cache = new LocalCache(root);
const delta = apply === undefined ? undefined : await fetchImageDelta(cache, [source], wanted, 1);
const { bytes } = delta ?? (await fetchVersion(cache, [source], wanted));
await source.close();
if (apply !== undefined) {
  const { wim, image, references } = delta ?? { wim: join(cache.folderOf(wanted.contentId), "files/image.wim"), image: 1, references: [] };
  await runWimlib(["apply", wim, String(image), apply, "--unix-data", "--norpfix", ...references.map((path) => `--ref=${path}`)]);
}
process.stdout.write(`${bytes}\n`);
