import { createHash } from "node:crypto";
import { filesToPublish, openLibraryFile, sha256Schema } from "@prestage/content";
import type { ContentLibrary, PublishOptions, PublishTarget } from "@prestage/content";
import type { S3Location } from "@prestage/contract";
import { S3mini } from "s3mini";
import { SiteError } from "../error.ts";
import type { S3Credentials } from "./s3-credentials.ts";

/** A larger file goes up in parts; each is in memory whole. At most 10,000 parts make an object. */
const smallestPart = 16 * 1024 * 1024;
const mostParts = 10_000;
/** A request that takes longer is given up. */
const requestMs = 10 * 60_000;
const listingMs = 60_000;

interface StoredObject { size: number; etag: string }

/** A bucket of an S3 store: objects PREFIX/content/ID/FILE, which devices fetch by plain HTTP. It must not list its objects to anyone: the ids are what lets one in. */
export class S3Target implements PublishTarget {
  readonly name: string;
  readonly #location: S3Location;
  readonly #client: S3mini;
  #signal: AbortSignal | undefined;
  #listingRefused = false;

  constructor(location: S3Location, credentials: S3Credentials) {
    this.#location = location;
    this.name = `s3://${location.bucket}${location.prefix === "" ? "" : `/${location.prefix}`}`;
    this.#client = new S3mini({
      ...credentials, endpoint: bucketUrl(location), region: location.region,
      fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.any([...(this.#signal ? [this.#signal] : []), AbortSignal.timeout(requestMs)]) }),
    });
  }

  async publish(library: ContentLibrary, contentId: string, options: PublishOptions = {}): Promise<number> {
    return this.#with(options.signal, () => this.#publishNow(library, contentId, options));
  }

  async #publishNow(library: ContentLibrary, contentId: string, options: PublishOptions): Promise<number> {
    await this.#refuseListed();
    const files = await filesToPublish(library, contentId);
    const there = await this.#objects(`content/${sha256Schema.parse(contentId)}/`);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    // Of a version stored anew (it was damaged) every file is another; its storage map tells.
    const storage = files.at(-1);
    const again = options.again === true || (storage !== undefined && there.has(storage.name) && !(await isSame(storage, there.get(storage.name))));
    let [done, written] = [0, 0];
    for (const file of files) {
      options.signal?.throwIfAborted();
      if (again || !(await isSame(file, there.get(file.name)))) {
        await this.#upload(this.#key(`content/${contentId}/${file.name}`), file.path, file.size, (bytes) => options.onProgress?.({ done: done + bytes, total }));
        written += file.size;
      }
      options.onProgress?.({ done: (done += file.size), total });
    }
    const names = new Set(files.map((file) => file.name));
    await this.#remove([...there.keys()].filter((name) => !names.has(name)).map((name) => `content/${contentId}/${name}`));
    await this.#refuseHidden(this.#key(`content/${contentId}/storage.json`));
    return written;
  }

  async published(signal?: AbortSignal): Promise<string[]> {
    const keys = await this.#with(signal, () => this.#objects("content/"));
    return [...new Set([...keys.keys()].map((key) => key.split("/")[0] ?? ""))].filter((id) => sha256Schema.safeParse(id).success).sort();
  }

  async unpublish(contentId: string, signal?: AbortSignal): Promise<void> {
    await this.#with(signal, async () => {
      const folder = `content/${sha256Schema.parse(contentId)}/`;
      const names = [...(await this.#objects(folder)).keys()];
      // Without its storage map nobody begins to fetch it.
      await this.#remove(names.includes("storage.json") ? [`${folder}storage.json`] : []);
      await this.#remove(names.filter((name) => name !== "storage.json").map((name) => folder + name));
    });
  }

  /** What lies below a folder of the prefix, by the rest of its name. */
  async #objects(folder: string): Promise<Map<string, StoredObject>> {
    const prefix = this.#key(folder);
    const found = await this.#client.listObjects("/", prefix).catch((cause: unknown) => this.#failed("list its objects", cause));
    if (found === null) throw new SiteError("PRESTAGE_SITE_S3_FAILED", `Expected the bucket ${this.#location.bucket} at ${this.#location.endpoint}; found none. Make it first.`);
    return new Map(found.map((object) => [object.Key.slice(prefix.length), { size: Number(object.Size), etag: object.ETag.replaceAll(/"|&quot;/g, "") }]));
  }

  async #upload(key: string, path: string, size: number, onBytes: (done: number) => void): Promise<void> {
    const source = await openLibraryFile(path);
    try {
      if (size <= smallestPart) {
        const bytes = Buffer.from(await source.read(0, source.size));
        await this.#client.putObject(key, bytes, undefined, undefined, { ...this.#access(), ...checked(bytes) }, bytes.length).catch((cause: unknown) => this.#failed(`take ${key}`, cause));
      } else await this.#uploadParts(source, key, size, onBytes);
    } finally {
      await source.close();
    }
  }

  async #uploadParts(source: Awaited<ReturnType<typeof openLibraryFile>>, key: string, size: number, onBytes: (done: number) => void): Promise<void> {
    const partSize = Math.max(smallestPart, Math.ceil(size / mostParts / 1024) * 1024);
    const uploadId = await this.#client.getMultipartUploadId(key, undefined, undefined, this.#access()).catch((cause: unknown) => this.#failed(`take ${key}`, cause));
    try {
      const parts = [];
      for (let at = 0; at < size; at += partSize) {
        this.#signal?.throwIfAborted();
        const bytes = Buffer.from(await source.read(at, Math.min(partSize, size - at)));
        parts.push(await this.#client.uploadPart(key, uploadId, bytes, parts.length + 1, {}, undefined, checked(bytes)));
        onBytes(at + bytes.length);
      }
      await this.#client.completeMultipartUpload(key, uploadId, parts);
    } catch (cause) {
      // What was sent would be kept, and paid for, without a name. The signal may be what ended it.
      this.#signal = undefined;
      await this.#client.abortMultipartUpload(key, uploadId).catch(() => undefined);
      this.#failed(`take ${key}`, cause);
    }
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += 500) {
      const keys = names.slice(at, at + 500).map((name) => this.#key(name));
      const removed = await this.#client.deleteObjects(keys).catch((cause: unknown) => this.#failed("remove objects", cause));
      const kept = keys.find((_key, i) => removed[i] !== true);
      if (kept !== undefined) throw new SiteError("PRESTAGE_SITE_S3_FAILED", `Expected ${this.name} to remove ${kept}; it did not. May these keys remove objects?`);
    }
  }

  #key(name: string): string {
    return this.#location.prefix === "" ? name : `${this.#location.prefix}/${name}`;
  }
  #access(): { "x-amz-acl"?: "public-read" } {
    return this.#location.access === "acl" ? { "x-amz-acl": "public-read" } : {};
  }

  /** Nothing is put where anyone can read the ids. @throws SiteError PRESTAGE_SITE_S3_LISTED */
  async #refuseListed(): Promise<void> {
    if (this.#listingRefused) return;
    this.#listingRefused = !(await this.#anyoneMay("GET", "?list-type=2&max-keys=1"));
    if (!this.#listingRefused) throw new SiteError("PRESTAGE_SITE_S3_LISTED", `Expected the bucket ${this.#location.bucket} to refuse its listing to those without a key; it gives it, and who has an id can fetch its content. Take s3:ListBucket from everyone.`);
  }

  /** What is published is there for those without a key. @throws SiteError PRESTAGE_SITE_S3_NOT_READABLE */
  async #refuseHidden(key: string): Promise<void> {
    if (await this.#anyoneMay("HEAD", `/${key}`)) return;
    throw new SiteError("PRESTAGE_SITE_S3_NOT_READABLE", `Expected ${key} in the bucket ${this.#location.bucket} to be readable without a key, as devices read it; it is not. ${this.#location.access === "acl" ? "Where the bucket takes no ACLs, let its policy give s3:GetObject to everyone, and publish with --bucket-policy." : "Let its policy give s3:GetObject on content/* to everyone."}`);
  }

  /** Whether a request without a key is granted. */
  async #anyoneMay(method: "GET" | "HEAD", rest: string): Promise<boolean> {
    const signal = AbortSignal.any([...(this.#signal ? [this.#signal] : []), AbortSignal.timeout(listingMs)]);
    const answer = await fetch(bucketUrl(this.#location) + rest, { method, signal }).catch((cause: unknown) => this.#failed("answer", cause));
    await answer.body?.cancel();
    return answer.ok;
  }

  async #with<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    this.#signal = signal;
    try {
      return await work();
    } finally {
      this.#signal = undefined;
    }
  }

  #failed(what: string, cause: unknown): never {
    this.#signal?.throwIfAborted();
    if (cause instanceof SiteError || (cause instanceof Error && cause.name === "AbortError")) throw cause;
    throw new SiteError("PRESTAGE_SITE_S3_FAILED", `Expected ${this.name} at ${this.#location.endpoint} to ${what}; found: ${(cause instanceof Error ? cause.message : String(cause)).slice(0, 500)}. Check the endpoint, the region and the keys.`, { cause });
  }
}

function bucketUrl({ endpoint, bucket }: S3Location): string {
  return `${endpoint.replace(/\/+$/, "")}/${bucket}`;
}

/** The store refuses bytes that arrive altered (RFC 1864). */
function checked(bytes: Uint8Array): Record<`x-amz-${string}`, string> {
  return { "content-md5": createHash("md5").update(bytes).digest("base64") } as Record<string, string>;
}

/** Of one size, and - where the store tells an MD5, as it does of what went up in one piece - of the same bytes. */
async function isSame(file: { path: string; size: number }, there: StoredObject | undefined): Promise<boolean> {
  if (there?.size !== file.size) return false;
  if (file.size > smallestPart || !/^[0-9a-f]{32}$/.test(there.etag)) return true;
  const hash = createHash("md5");
  const source = await openLibraryFile(file.path);
  try {
    for (let at = 0; at < source.size; at += 1 << 20) hash.update(await source.read(at, Math.min(1 << 20, source.size - at)));
  } finally {
    await source.close();
  }
  return hash.digest("hex") === there.etag;
}
