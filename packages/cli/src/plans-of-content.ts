import { contentPlanSchema } from "@prestage/contract";
import type { ContentPlan } from "@prestage/contract";
import { z } from "zod";
import type { SiteClient } from "./site-client.ts";

/** Node refuses a request whose head is over 16 KiB; an id takes eleven characters of it. */
const idsInARequest = 500;

/** What a computer started from a media would fetch of these objects, and of what they depend on; each once, however many requests it takes. */
export async function plansOfContent(site: Pick<SiteClient, "call">, mediaId: string, taskSequence: string | undefined, objectIds: readonly string[]): Promise<ContentPlan[]> {
  const plans = new Map<string, ContentPlan>();
  for (let at = 0; at < objectIds.length; at += idsInARequest) {
    const query = new URLSearchParams({ ...(taskSequence !== undefined && { taskSequence }), content: objectIds.slice(at, at + idsInARequest).join(",") });
    for (const plan of await site.call("GET", `/media/${mediaId}/plan?${query.toString()}`, z.array(contentPlanSchema))) plans.set(plan.objectId, plan);
  }
  return [...plans.values()];
}
