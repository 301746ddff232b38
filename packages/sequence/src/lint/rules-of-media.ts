import type { LintRule } from "./lint-rule.ts";

const day = 86_400_000;
/** A disk lies on a shelf for weeks before it is started. */
const shelfDays = 30;

/** What is built into the media and was true when it was: its dates, and where it asks. */
export const rulesOfMedia: readonly LintRule[] = [
  {
    id: "media-ends-soon", level: "warning", title: "media that is out of date, or soon will be",
    why: "A disk lies on a shelf for weeks; media whose certificate had ended failed at the customer (features.md I10, C13).",
    *check({ media, now }) {
      if (media?.validTo === undefined || now === undefined) return;
      const days = Math.floor((Date.parse(media.validTo) - now.getTime()) / day);
      if (days < 0) yield { message: `The media was valid to ${media.validTo}.`, fix: "Renew it (`prestage media renew`): the disks need not be touched." };
      else if (days < shelfDays) yield { message: `The media is valid for ${days} more days, to ${media.validTo}.`, fix: "Renew it before the disks are started (`prestage media renew`)." };
    },
  },
  {
    id: "management-point-of-no-site", level: "warning", title: "media that asks where the site is not",
    why: "Built in the wrong place or with another port, media looked fine and failed at the customer (features.md I10, C10).",
    *check({ media, managementPoints }) {
      if (managementPoints === undefined || managementPoints.length === 0) return;
      const known = new Set(managementPoints.map(addressOf));
      const unknown = (media?.managementPoints ?? []).filter((url) => !known.has(addressOf(url)));
      if (unknown.length === 0) return;
      const none = unknown.length === media?.managementPoints?.length;
      yield { message: `${none ? "None of the media's management points is" : `Of the media's management points, ${unknown.join(", ")} is not`} the site's, which has ${managementPoints.join(", ")}.`, fix: "Build the media with the site's own addresses and ports, or add the address to the site." };
    },
  },
];

function addressOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
