import type { SiteContext } from "../site-context.ts";

const unitMs = { h: 3_600_000, d: 86_400_000 } as const;

/** Reads `7d` or `12h`. */
export function intervalMs(text: string): number {
  return Number(text.slice(0, -1)) * unitMs[text.endsWith("h") ? "h" : "d"];
}

/** Has the library and what the distribution points serve validated, where the configuration asks for it and the last time is that long ago. */
export async function validateIfDue(context: SiteContext): Promise<boolean> {
  const { validateContentEvery } = context.configuration;
  if (validateContentEvery === undefined) return false;
  const last = await context.db.selectFrom("job").select("created").where("kind", "=", "validate").orderBy("created", "desc").executeTakeFirst();
  if (last !== undefined && context.now().getTime() - last.created.getTime() < intervalMs(validateContentEvery)) return false;
  await context.jobs.add("validate", {});
  await context.jobs.add("validate-distribution-points", { full: false });
  return true;
}
