import { createHash, timingSafeEqual } from "node:crypto";
import { SiteError } from "../error.ts";

/** Compared by hash, so that neither length nor content shows in the time taken. @throws SiteError PRESTAGE_SITE_UNAUTHORIZED */
export function checkToken(given: string | undefined, token: string): void {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  if (given === undefined || !timingSafeEqual(digest(given), digest(token))) {
    throw new SiteError("PRESTAGE_SITE_UNAUTHORIZED", "Expected the administration token (Authorization: Bearer ...); found none or another. It stands in the file admin-token in the site's data directory.");
  }
}
