import { readdir } from "node:fs/promises";
import { patchFilePattern } from "@prestage/content";
import { contentFileNames } from "@prestage/contract";
import type { ContentUrlsAnswer } from "@prestage/contract";
import { signUrlQuery } from "@prestage/trust";
import type { SiteContext } from "../site-context.ts";

/** Seconds a content URL is valid. */
const urlLifetimeSeconds = 3600;

/** The queries a caller may add to these contents' files, at each of the site's distribution points; `caller` stands in their access logs. */
export async function signContentUrls(context: SiteContext, caller: string, contentIds: readonly string[]): Promise<ContentUrlsAnswer> {
  const expires = Math.floor(context.now().getTime() / 1000) + urlLifetimeSeconds;
  const queryOf = (path: string) => signUrlQuery(path, caller, expires, context.keys.signing.url);
  const queries: ContentUrlsAnswer["queries"] = {};
  for (const id of contentIds) {
    const patches = (await readdir(context.library.folderOf(id)).catch(() => [])).filter((name) => patchFilePattern.test(name));
    queries[id] = Object.fromEntries([...contentFileNames, ...patches].map((file) => [file, queryOf(`/content/${id}/${file}`)]));
  }
  return { expires: new Date(expires * 1000).toISOString(), queries };
}
