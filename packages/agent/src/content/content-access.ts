import { join } from "node:path";
import { lstat, mkdir, rm } from "node:fs/promises";
import { fetchImageDelta, fetchVersion, LocalCache } from "@prestage/content";
import type { CacheAnswer, ContentIndex, FetchVersionOptions, ImageDelta } from "@prestage/content";
import type { ContentState, ContentUrlsAnswer, Policy, PolicyContent } from "@prestage/contract";
import { AgentError } from "../error.ts";
import type { ContentAccess } from "../run/run-context.ts";
import type { Screen } from "../screens/screen.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import { HttpContentSource } from "./http-source.ts";

export interface ContentAccessOptions {
  /** The data volume's mount point. */
  dataRoot: string;
  policy: NonNullable<Policy["selected"]>;
  /** The media's own list, used when the policy's distribution points fail. */
  mediaDistributionPoints: readonly string[];
  tlsCa: string;
  /** http://HOST:PORT; empty: none. */
  proxy?: string;
  fetchUrls: (contentIds: readonly string[]) => Promise<ContentUrlsAnswer>;
  status: StatusSpool;
  screen: Screen;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Progress is reported to the site at most this often. */
const progressIntervalMs = 5000;
/** How long a distribution point that failed is asked after the others. */
const failureRemembersMs = 5 * 60_000;

/** Resolves content when a step runs, against the versions the signed policy names: the local cache first, only what is missing or changed from a distribution point. */
export class PolicyContentAccess implements ContentAccess {
  readonly #options: ContentAccessOptions;
  readonly #cache: LocalCache;
  readonly #sources: HttpContentSource[];
  readonly #queries = new Map<string, { expires: number; files: Record<string, string> }>();
  /** When a distribution point failed last, by its URL. */
  readonly #failedAt = new Map<string, number>();
  readonly #whole = new Set<string>();

  constructor(options: ContentAccessOptions) {
    this.#options = options;
    this.#cache = new LocalCache(join(options.dataRoot, "prestage/content"));
    const urls = [...new Set([...options.policy.distributionPoints, ...options.mediaDistributionPoints].map((url) => url.replace(/\/+$/, "")))];
    this.#sources = urls.map((url) => new HttpContentSource(url, options.tlsCa, (contentId, file, renew) => this.#query(contentId, file, renew), options.proxy));
  }

  async ensure(objectId: string, signal?: AbortSignal): Promise<{ content: PolicyContent; folder: string }> {
    const { content } = await this.#resolve(objectId, signal);
    return { content, folder: join(this.#cache.folderOf(content.contentId), "files") };
  }

  async checkOut(objectId: string, signal?: AbortSignal): Promise<{ content: PolicyContent; folder: string; release(): Promise<void> }> {
    const { content, index } = await this.#resolve(objectId, signal);
    const parent = join(this.#options.dataRoot, "prestage/work");
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const folder = join(parent, content.objectId);
    await this.#cache.checkOut(content.contentId, index, folder);
    return { content, folder, release: () => rm(folder, { recursive: true, force: true }) };
  }

  async ensureImage(objectId: string, index: number, signal?: AbortSignal): Promise<{ content: PolicyContent; wim: string; image: number; references: string[] }> {
    const content = this.#contentOf(objectId);
    const delta = this.#whole.has(content.contentId) || (await this.#isThere(content)) ? undefined : await this.#fetchDelta(content, index, signal);
    if (delta !== undefined) return { content, ...delta };
    const { folder } = await this.ensure(objectId, signal);
    return { content, wim: join(folder, "image.wim"), image: index, references: [] };
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  async #resolve(objectId: string, signal: AbortSignal | undefined): Promise<{ content: PolicyContent; index: ContentIndex }> {
    const content = this.#contentOf(objectId);
    const held = await this.#cache.readIndex(content.contentId);
    if (held !== undefined && this.#whole.has(content.contentId)) return { content, index: held };
    const index = await this.#fetch(content, signal);
    this.#whole.add(content.contentId);
    return { content, index };
  }

  #contentOf(objectId: string): PolicyContent {
    const content = this.#options.policy.content.find((one) => one.objectId === objectId);
    if (content === undefined) throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected the policy to name content ${objectId}; it does not.`, "Ask the administrator to check the task sequence.");
    return content;
  }

  /** The image itself, perhaps damaged: then it is mended, not made of an older one. */
  async #isThere({ contentId }: PolicyContent): Promise<boolean> {
    const [file] = (await this.#cache.readIndex(contentId))?.files ?? [];
    return file !== undefined && (await lstat(this.#cache.filePath(contentId, file.path)).then((status) => status.isFile(), () => false));
  }

  /** A revised OS image: what differs from the older one on the disk, where there is one. */
  async #fetchDelta(content: PolicyContent, index: number, signal: AbortSignal | undefined): Promise<ImageDelta | undefined> {
    const files = (hit: number) => ({ state: "revised" as const, files: { hit, revised: 1, missing: 0 } });
    let reported = false;
    const delta = await fetchImageDelta(this.#cache, this.#sourcesInOrder(), content, index, {
      ...this.#fetchOptions(content, signal),
      onPlanned: ({ bytes, described, files: data, base }) => {
        reported = true;
        this.#options.log(`${content.name} is made of ${base} on this disk and ${data} files that differ`);
        this.#reportState("content-resolved", content, { ...files(0), bytesToFetch: bytes + described });
      },
    });
    if (delta === undefined) return undefined;
    if (reported) this.#reportState("content-fetch-finished", content, { ...files(0), bytesToFetch: delta.bytes });
    else this.#reportState("content-resolved", content, { state: "hit", files: { hit: 1, revised: 0, missing: 0 }, bytesToFetch: 0 });
    return delta;
  }

  /**
   * Asks the local cache, and fetches what is missing, revised or damaged, by patches or chunks where that is less; then everything is read and hashed once more:
   * nothing is reported done that was not read back.
   */
  async #fetch(content: PolicyContent, signal: AbortSignal | undefined): Promise<ContentIndex> {
    const { index, answer, bytes } = await fetchVersion(this.#cache, this.#sourcesInOrder(), content, {
      ...this.#fetchOptions(content, signal),
      onPlanned: (planned) => {
        this.#report("content-resolved", content, planned.answer, planned.described + planned.plan.bytes);
        for (const way of planned.plan.ways) this.#options.log(`${(way.damaged ?? []).map(({ offset, length }) => `  damaged on the disk: ${way.paths[0] ?? ""}, ${length} bytes at ${offset}\n`).join("")}  ${way.way}: ${way.paths[0] ?? ""}, ${way.bytes} bytes${way.whole === undefined ? "" : ` of ${way.whole}`} in ${way.requests} request(s)`);
      },
    });
    if (answer.state === "hit") return index;
    this.#report("content-fetch-finished", content, answer, bytes);
    const after = await this.#cache.ask(content.contentId, index, []);
    const bad = after.files.find((file) => file.state !== "hit");
    if (bad !== undefined) throw new AgentError("PRESTAGE_AGENT_MEDIA_DAMAGED", `Expected ${content.name} to be whole after fetching; ${JSON.stringify(bad.file.path)} is not.`, "The disk may be failing. Restart to try again.");
    return index;
  }

  /** The distribution points in order of preference; one that failed lately comes after the others, so that a dead one costs its timeout once. */
  #sourcesInOrder(): HttpContentSource[] {
    const lately = (source: HttpContentSource) => performance.now() - (this.#failedAt.get(source.name) ?? -Infinity) < failureRemembersMs;
    return [...this.#sources.filter((source) => !lately(source)), ...this.#sources.filter(lately)];
  }

  #fetchOptions(content: PolicyContent, step: AbortSignal | undefined): FetchVersionOptions {
    const { screen, status, log } = this.#options;
    const signal = step === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, step]);
    let reported = 0;
    return {
      signal,
      onProgress: ({ done, total }) => {
        screen.event("fetch", { objectId: content.objectId, done, total });
        if (performance.now() - reported < progressIntervalMs) return;
        reported = performance.now();
        status.post({ kind: "content-fetch-progress", progress: { done, total, unit: "bytes" }, text: content.name });
      },
      onSourceFailed: ({ source, reason, round }) => {
        this.#failedAt.set(source, performance.now());
        log(`distribution point ${source} failed (round ${round}): ${reason}`);
        screen.event("distribution-point-failed", { source, reason, round });
        status.post({ kind: "distribution-point-failed", text: `${source}: ${reason}`.slice(0, 2000) });
      },
      onWaiting: ({ round, rounds, seconds }) => {
        screen.event("waiting", { for: "distribution-point", round, rounds, seconds });
        status.post({ kind: "distribution-point-failed", text: `All distribution points failed; trying again in ${seconds} s (${round} of ${rounds}).` });
      },
    };
  }

  #report(kind: "content-resolved" | "content-fetch-finished", content: PolicyContent, answer: CacheAnswer, bytesToFetch: number): void {
    const count = (state: "hit" | "revised" | "missing") => answer.files.filter((file) => file.state === state).length;
    this.#reportState(kind, content, { state: answer.state, files: { hit: count("hit"), revised: count("revised"), missing: count("missing") }, bytesToFetch: answer.state === "hit" ? 0 : bytesToFetch });
  }

  #reportState(kind: "content-resolved" | "content-fetch-finished", content: PolicyContent, found: Pick<ContentState, "state" | "files" | "bytesToFetch">): void {
    const state: ContentState = { objectId: content.objectId, kind: content.kind, name: content.name, contentId: content.contentId, ...found, bytesTotal: content.storedBytes };
    this.#options.log(`${kind}: ${content.name} (${content.objectId}) is a ${state.state}: ${state.files.hit} hit, ${state.files.revised} revised, ${state.files.missing} missing; ${state.bytesToFetch} of ${state.bytesTotal} bytes`);
    this.#options.screen.event("content", { ...state, phase: kind });
    this.#options.status.post({ kind, content: state });
  }

  /** One signed query per file, asked for again shortly before it ends. Without a management point a static distribution point may still serve. */
  async #query(contentId: string, file: string, renew: boolean): Promise<string | undefined> {
    const known = this.#queries.get(contentId);
    if (!renew && known !== undefined && known.expires - performance.now() > 60_000) return known.files[file];
    try {
      const answer = await this.#options.fetchUrls([contentId]);
      const files = answer.queries[contentId];
      if (files === undefined) return undefined;
      this.#queries.set(contentId, { expires: performance.now() + 50 * 60_000, files });
      return files[file];
    } catch (cause) {
      this.#options.log(`no signed URLs: ${cause instanceof Error ? cause.message : String(cause)}`);
      return undefined;
    }
  }
}
