import type { ContentFault, DistributionStatus, LibraryFault } from "@prestage/contract";
import type { SiteContext } from "../site-context.ts";
import { listStatus, pointsToValidate } from "./distribution-points.ts";
import { listObjects } from "./objects.ts";

/**
 * Objects whose newest version a computer could not have whole, as far as validation found it: damaged in the library, or whole at no distribution
 * point. Where nothing was validated, or a distribution point did not answer, nothing is known and nothing is said.
 */
export async function contentFaults(context: SiteContext): Promise<ContentFault[]> {
  const [library, statuses, points] = [await damagedInLibrary(context), Map.groupBy(await listStatus(context.db, undefined), ({ contentId }) => contentId), await pointsToValidate(context, undefined)];
  return (await listObjects(context.db)).flatMap(({ id, contentId, confidential }): ContentFault[] => {
    const damaged = library.get(contentId);
    if (damaged !== undefined) return [{ objectId: id, contentId, kind: "damaged", ...damaged }];
    // What is confidential is nowhere but at the site's own.
    const wanted = points.filter(({ own }) => own || !confidential).map(({ url }) => statuses.get(contentId)?.find((one) => plain(one.url) === plain(url)));
    const known = wanted.filter((one) => one !== undefined);
    if (known.length === 0 || known.length < wanted.length || !known.every(({ state }) => state === "missing" || state === "damaged")) return [];
    return [{ objectId: id, contentId, kind: "nowhere", fault: atPoints(known), checked: known.map(({ checked }) => checked).sort().at(-1) ?? "" }];
  });
}

/** The first fault of each version that the library's last validation found and that was not imported again since: a version that is the same takes its place. */
async function damagedInLibrary({ db }: SiteContext): Promise<Map<string, { fault: string; checked: string }>> {
  const last = await db.selectFrom("job").select(["result", "created"]).where("kind", "=", "validate").where("state", "=", "succeeded").orderBy("created", "desc").executeTakeFirst();
  if (last === undefined) return new Map();
  const imports = await db.selectFrom("job").select("result").where("kind", "=", "import").where("state", "=", "succeeded").where("created", ">", last.created).execute();
  const again = new Set(imports.map(({ result }) => (result as { object?: { contentId?: string } } | null)?.object?.contentId));
  const found = new Map<string, { fault: string; checked: string }>();
  for (const { contentId, file, fault } of (last.result as { faults?: LibraryFault[] } | null)?.faults ?? []) {
    if (!again.has(contentId) && !found.has(contentId)) found.set(contentId, { fault: `${file}: ${fault}`.slice(0, 500), checked: last.created.toISOString() });
  }
  return found;
}

function atPoints(known: readonly DistributionStatus[]): string {
  return known.map(({ url, state, faults: [first] }) => `${state} at ${url}${first === undefined ? "" : ` (${first})`}`).join(", ").slice(0, 500);
}

const plain = (url: string): string => url.replace(/\/+$/, "");
