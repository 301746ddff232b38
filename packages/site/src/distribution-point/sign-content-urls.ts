import { contentFileNames } from "@prestage/contract";
import type { ContentUrlsAnswer } from "@prestage/contract";
import { signUrlQuery } from "@prestage/trust";
import type { SiteContext } from "../site-context.ts";

/** Seconds a content URL is valid. */
const urlLifetimeSeconds = 3600;

/** The queries a caller may add to these contents' files, at each of the site's distribution points; `caller` stands in their access logs. */
export function signContentUrls(context: SiteContext, caller: string, contentIds: readonly string[]): ContentUrlsAnswer {
  const expires = Math.floor(context.now().getTime() / 1000) + urlLifetimeSeconds;
  const queryOf = (path: string) => signUrlQuery(path, caller, expires, context.keys.signing.url);
  const queries = Object.fromEntries(contentIds.map((id) => [id, Object.fromEntries(contentFileNames.map((file) => [file, queryOf(`/content/${id}/${file}`)]))]));
  return { expires: new Date(expires * 1000).toISOString(), queries };
}
