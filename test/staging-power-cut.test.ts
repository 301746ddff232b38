import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { openRefreshCuts, refreshThroughCut } from "./support/refresh-cuts.ts";
import type { RefreshCuts } from "./support/refresh-cuts.ts";
import { seedOfRun } from "./support/power-cuts.ts";
import { openStagingCuts, stageThroughCut } from "./support/staging-cuts.ts";
import type { StagingCuts } from "./support/staging-cuts.ts";

/** Three instants here; `npm run torture -- N` draws N. */
const rounds = Number(process.env["PRESTAGE_ROUNDS"] ?? "3");
/** The disk is a FUSE export. */
const skip = existsSync("/dev/fuse") ? false : "this kernel has no FUSE";
let cuts: StagingCuts;
let refreshes: RefreshCuts;

before(async () => {
  if (skip !== false) return;
  cuts = await openStagingCuts();
  refreshes = await openRefreshCuts();
});
after(async () => {
  await cuts?.close();
  await refreshes?.close();
});

for (let round = 1; round <= rounds; round++) {
  const seed = seedOfRun() * 1000 + round;
  test(`round ${round}, seed ${seed}: a disk whose staging lost power is no staged disk or a whole one, and is staged by staging it again`, { skip, timeout: 10 * 60_000 }, (t) => stageThroughCut(t, cuts, seed));
  test(`round ${round}, seed ${seed}: a disk whose refresh lost power starts as the old one or the new one or not at all, and is finished by refreshing it again`, { skip, timeout: 10 * 60_000 }, (t) => refreshThroughCut(t, refreshes, seed));
}
