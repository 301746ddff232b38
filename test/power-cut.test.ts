import { after, before, test } from "node:test";
import { deployThroughCuts, openDebianFixture, seedOfRun } from "./support/power-cuts.ts";
import type { DebianFixture } from "./support/power-cuts.ts";

let debian: DebianFixture;

before(async () => {
  debian = await openDebianFixture("power-cut");
}, { timeout: 30 * 60_000 });

after(() => debian?.fixture.close());

test("a deployment finishes through power cuts in apply, at the boot switch and in an installation, and loses no step", { timeout: 40 * 60_000 }, async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`seed ${seed}; PRESTAGE_SEED=${seed} draws the same instants`);
  await deployThroughCuts(t, debian, seed);
});
