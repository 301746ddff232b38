import { isRelated, isUnlike } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";
import type { SiteContext } from "../site-context.ts";

/** So many of an object's earlier versions are compared, the newest; versions never change, so each pair is compared once while the server runs. */
const mostCompared = 16;
const mostRelated = 16;
/** Of what a media carries: the first policy after a start compares each. */
const mostAsked = 128;
/** More than one policy asks about: a hundred objects for a media with hundreds of versions. Some 30 MB. */
const mostKept = 100_000;
const known = new Map<string, Promise<boolean>>();

/** Those of a version's earlier ones whose chunks a computer need not ask about. `pieces`: it has a pack of them. */
export async function unlikeVersions(context: SiteContext, contentId: string, earlierContentIds: readonly string[], pieces: boolean): Promise<string[]> {
  const unlike: string[] = [];
  for (const earlier of earlierContentIds.slice(0, mostCompared)) if (await compare(context, contentId, earlier, pieces ? "unlike, with pieces" : "unlike", (wanted, older) => isUnlike(wanted, older, pieces))) unlike.push(earlier);
  return unlike;
}

/** Those of other content that have enough of a version for its chunks to be asked about. */
export async function relatedVersions(context: SiteContext, contentId: string, others: readonly string[]): Promise<string[]> {
  const related: string[] = [];
  for (const other of others.slice(0, mostAsked)) if (related.length < mostRelated && (await compare(context, contentId, other, "related", isRelated))) related.push(other);
  return related;
}

async function compare(context: SiteContext, contentId: string, earlier: string, question: string, ask: (wanted: StoredVersion, older: StoredVersion) => Promise<boolean>): Promise<boolean> {
  const pair = `${contentId} ${earlier} ${question}`;
  const found = known.get(pair);
  if (found !== undefined) return found;
  const answer = Promise.all([context.library.open(contentId), context.library.open(earlier)]).then(([wanted, older]) => ask(wanted, older));
  known.set(pair, answer);
  for (const oldest of known.keys()) {
    if (known.size <= mostKept) break;
    known.delete(oldest);
  }
  return answer.catch(() => {
    // Damaged at the site, or removed since: it may be there again.
    known.delete(pair);
    return false;
  });
}
