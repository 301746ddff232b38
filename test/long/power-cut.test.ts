import { after, before, test } from "node:test";
import { deployThroughCuts, openDebianFixture, seedOfRun } from "../support/power-cuts.ts";
import type { DebianFixture } from "../support/power-cuts.ts";

/** Three instants of each kind here; `npm run torture -- N` draws N. */
const rounds = Number(process.env["PRESTAGE_ROUNDS"] ?? "3");
let debian: DebianFixture;

before(async () => {
  debian = await openDebianFixture("power-cuts");
}, { timeout: 30 * 60_000 });

after(() => debian?.fixture.close());

for (let round = 1; round <= rounds; round++) {
  const seed = seedOfRun() * 1000 + round;
  test(`round ${round}, seed ${seed}: a deployment finishes through three power cuts`, { timeout: 60 * 60_000 }, (t) => deployThroughCuts(t, debian, seed));
}
