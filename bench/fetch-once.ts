// One computer's top-up, as a process of its own so that its memory can be told: `node fetch-once.ts JSON`; prints what it fetched.
import { fetchVersion, LocalCache } from "@prestage/content";
import type { WantedVersion } from "@prestage/content";
import { distributionPointSource } from "../packages/cli/src/distribution-point-source.ts";

export interface FetchOnce { url: string; cache: string; wanted: WantedVersion }

const { url, cache, wanted } = JSON.parse(process.argv[2] ?? "{}") as FetchOnce;
const source = distributionPointSource(url, { query: async () => undefined });
const { bytes } = await fetchVersion(new LocalCache(cache), [source], wanted);
await source.close();
process.stdout.write(`${bytes}\n`);
