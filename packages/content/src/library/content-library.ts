import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { ContentError } from "../error.ts";
import { syncPath } from "../durable-files.ts";
import { openIndex } from "../description/index-document.ts";
import { processMark } from "./process-mark.ts";
import { sha256Schema } from "../description/schema.ts";
import { letGo } from "./single-instance/let-go.ts";
import { makeWhole } from "./single-instance/make-whole.ts";
import { shareStored } from "./single-instance/share-stored.ts";
import type { ShareOptions, ShareResult } from "./single-instance/share-stored.ts";
import { wimSize } from "./single-instance/shared-wim.ts";
import { validateVersion } from "./validate-version.ts";
import type { ContentIndex } from "../description/schema.ts";

/** A content version as it lies in a library: content/<id>/{content.wim, index.json, index.json.zst, chunks.bin, storage.json, storage.json.zst}. */
export interface StoredVersion {
  contentId: string;
  folder: string;
  /** Where content.wim lies, if it lies there as one file (`holdWhole`): data that a newer version has too is stored with that one. `openStoredWim` reads it in any case. */
  wimPath: string;
  index: ContentIndex;
  /** SHA-256 of storage.json, as the signed policy names it. */
  storageSha256: string;
  storedBytes: number;
}

/** An import takes far less from its version to its revision. */
const collectGraceMs = 10 * 60_000;

/** The site's store of content versions: each is written once under its id and never changed. */
export class ContentLibrary {
  readonly root: string;
  /** Versions that stay one file for now, and for how many. */
  readonly #held = new Map<string, number>();
  /** The last change to which files data lies in. */
  #change: Promise<unknown> = Promise.resolve();

  /** `root` holds the folder content/, which any web server can serve as a distribution point. */
  constructor(root: string) {
    this.root = root;
  }

  folderOf(contentId: string): string {
    return join(this.root, "content", sha256Schema.parse(contentId));
  }

  async has(contentId: string): Promise<boolean> {
    return stat(join(this.folderOf(contentId), "storage.json")).then(() => true, () => false);
  }

  /** Reads a version's description. @throws ContentError PRESTAGE_CONTENT_NOT_FOUND, PRESTAGE_CONTENT_INDEX_MALFORMED */
  async open(contentId: string): Promise<StoredVersion> {
    const folder = this.folderOf(contentId);
    try {
      const [index, storage, wim] = await Promise.all([readFile(join(folder, "index.json")), readFile(join(folder, "storage.json")), wimSize(folder)]);
      return {
        contentId, folder, wimPath: join(folder, "content.wim"), index: openIndex(index, contentId),
        storageSha256: createHash("sha256").update(storage).digest("hex"), storedBytes: wim,
      };
    } catch (cause) {
      if (cause instanceof ContentError) throw cause;
      throw new ContentError("PRESTAGE_CONTENT_NOT_FOUND", `Expected content ${contentId} in the library; found none. Import it again.`, { cause });
    }
  }

  /**
   * Makes a version's content.wim one file, and keeps it so until `release` is called, for what needs its path. For the site's process alone: another
   * must not move data about meanwhile.
   * @throws ContentError PRESTAGE_CONTENT_DAMAGED
   */
  async holdWhole(contentId: string, signal?: AbortSignal): Promise<{ release: () => void }> {
    const id = sha256Schema.parse(contentId);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    const release = () => {
      const left = (this.#held.get(id) ?? 1) - 1;
      if (left > 0) this.#held.set(id, left);
      else this.#held.delete(id);
    };
    try {
      await this.#oneAtATime(() => makeWhole(this.root, id, signal));
    } catch (cause) {
      release();
      throw cause;
    }
    return { release };
  }

  /** Stores once what several versions have; see `shareStored`. */
  async share(options: ShareOptions = {}): Promise<ShareResult> {
    return shareStored(this.root, options, { oneAtATime: (work) => this.#oneAtATime(work), isHeld: (contentId) => this.#held.has(contentId) });
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#change.then(work, work);
    this.#change = next.catch(() => undefined);
    return next;
  }

  /** A folder on the library's file system to prepare a version in; `keep` moves it into place. Its name tells whose it is. */
  async prepare(): Promise<string> {
    const folder = join(this.root, "incoming", `${await processMark(process.pid)}-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** Removes what an import left whose process ended in the middle of it; a running one's is not touched. Returns the folders removed. */
  async sweep(): Promise<string[]> {
    const incoming = join(this.root, "incoming");
    const removed: string[] = [];
    for (const name of await readdir(incoming).catch(() => [])) {
      const [pid = ""] = name.split("-");
      if (!/^\d+$/.test(pid) || name.startsWith(`${await processMark(Number(pid))}-`)) continue;
      // A program the dead process had started may write for a moment more.
      await rm(join(incoming, name), { recursive: true, force: true, maxRetries: 5 });
      removed.push(name);
    }
    return removed;
  }

  /**
   * Removes the versions that are not needed. Each is first moved out of where it is served from, so that it is there whole or not at all; `sweep`
   * removes what an interruption left. Versions younger than `graceMs` stay: an import puts its version into place before anything names it.
   */
  async collect(needed: ReadonlySet<string>, options: { signal?: AbortSignal; graceMs?: number; onProgress?: (event: { phase: "collect"; done: number; total: number }) => void } = {}): Promise<{ removed: string[]; bytes: number }> {
    const names = (await readdir(join(this.root, "content")).catch(() => [])).filter((name) => sha256Schema.safeParse(name).success && !needed.has(name));
    const removed: string[] = [];
    let bytes = 0;
    for (const [i, name] of names.entries()) {
      options.signal?.throwIfAborted();
      const folder = this.folderOf(name);
      const isYoung = async () => Date.now() - (await stat(folder)).ctimeMs < (options.graceMs ?? collectGraceMs);
      if (await isYoung()) continue;
      const away = await this.prepare();
      const isGone = await this.#oneAtATime(async () => {
        // It may have waited long for its turn, and an import have taken it up meanwhile.
        if (await isYoung()) return false;
        // Others keep what they have of it.
        await letGo(this.root, name);
        await rename(folder, join(away, name));
        await syncPath(join(this.root, "content"));
        return true;
      });
      if (isGone) {
        for (const file of await readdir(join(away, name))) bytes += (await stat(join(away, name, file))).size;
        removed.push(name);
      }
      await rm(away, { recursive: true, force: true });
      options.onProgress?.({ phase: "collect", done: i + 1, total: names.length });
    }
    return { removed, bytes };
  }

  /** Moves a prepared version into place, durably. One that is there already stays as it is, unless it is damaged, or has another storage map than `storageSha256`: then the new one takes its place. */
  async keep(prepared: string, contentId: string, storageSha256?: string): Promise<StoredVersion> {
    for (const name of await readdir(prepared)) await syncPath(join(prepared, name));
    await syncPath(prepared);
    if (await this.has(contentId)) {
      // Young again: a collection must not take it before what is being imported names it.
      await utimes(this.folderOf(contentId), new Date(), new Date()).catch(() => undefined);
      const faults = await validateVersion(this.folderOf(contentId), contentId, storageSha256);
      // A collection that had begun with it may have taken it meanwhile.
      if (await this.has(contentId)) {
        if (faults.length === 0) {
          await rm(prepared, { recursive: true, force: true });
          return this.open(contentId);
        }
        const away = await this.prepare();
        await this.#oneAtATime(async () => {
          // What is damaged with it is right again, where this one has its bytes at the same places.
          await letGo(this.root, contentId, prepared);
          await rename(this.folderOf(contentId), join(away, contentId));
          await rename(prepared, this.folderOf(contentId));
          await syncPath(join(this.root, "content"));
        });
        await rm(away, { recursive: true, force: true });
        return this.open(contentId);
      }
    }
    await mkdir(join(this.root, "content"), { recursive: true });
    await rename(prepared, this.folderOf(contentId));
    await syncPath(join(this.root, "content"));
    return this.open(contentId);
  }
}
