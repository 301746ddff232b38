import { isUnlike } from "@prestage/content";
import type { SiteContext } from "../site-context.ts";

/** So many of an object's earlier versions are compared, the newest; versions never change, so each pair is compared once while the server runs. */
const mostCompared = 16;
const mostKept = 10_000;
const known = new Map<string, Promise<boolean>>();

/** Those of a version's earlier ones whose chunks a computer need not ask about. `pieces`: it has a pack of them. */
export async function unlikeVersions(context: SiteContext, contentId: string, earlierContentIds: readonly string[], pieces: boolean): Promise<string[]> {
  const unlike: string[] = [];
  for (const earlier of earlierContentIds.slice(0, mostCompared)) if (await compare(context, contentId, earlier, pieces)) unlike.push(earlier);
  return unlike;
}

async function compare(context: SiteContext, contentId: string, earlier: string, pieces: boolean): Promise<boolean> {
  const pair = `${contentId} ${earlier} ${pieces}`;
  const found = known.get(pair);
  if (found !== undefined) return found;
  const answer = Promise.all([context.library.open(contentId), context.library.open(earlier)]).then(([wanted, older]) => isUnlike(wanted, older, pieces));
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
