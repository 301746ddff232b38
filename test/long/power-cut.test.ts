import { after, before, test } from "node:test";
import { deployThroughCuts, deployThroughCutsAnywhere, openDebianFixture, seedOfRun, writesOfDeployment } from "../support/power-cuts.ts";
import type { DebianFixture } from "../support/power-cuts.ts";

/** Rounds here; `npm run torture -- N` draws N. Every other one cuts over the whole deployment, the rest once in each of its three dangerous windows. */
const rounds = Number(process.env["PRESTAGE_ROUNDS"] ?? "4");
let debian: DebianFixture;
let writes = 0;

before(async () => {
  debian = await openDebianFixture("power-cuts");
}, { timeout: 30 * 60_000 });

after(() => debian?.fixture.close());

test("a deployment on a disk that may lose writes, never cut", { timeout: 30 * 60_000 }, async (t) => {
  writes = await writesOfDeployment(t, debian);
});

for (let round = 1; round <= rounds; round++) {
  const seed = seedOfRun() * 1000 + round;
  if (round % 2 === 0) test(`round ${round}, seed ${seed}: a deployment finishes through three power cuts, once in each window`, { timeout: 60 * 60_000 }, (t) => deployThroughCuts(t, debian, seed));
  else test(`round ${round}, seed ${seed}: a deployment finishes through three power cuts at any instants`, { timeout: 60 * 60_000 }, (t) => deployThroughCutsAnywhere(t, debian, seed, writes));
}
