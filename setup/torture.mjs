// `npm run torture -- N`: N stagings cut once each, then N deployments, each through three power cuts, at instants of their own.
import { spawnSync } from "node:child_process";

const rounds = Number(process.argv[2] ?? "10");
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("Expected the number of rounds, as in: npm run torture -- 10");
  process.exit(2);
}
const seed = process.env.PRESTAGE_SEED ?? String(Math.floor(Math.random() * 1_000_000));
console.log(`torture: ${rounds} rounds from seed ${seed}`);
const result = spawnSync(process.execPath, ["--test", "--test-reporter=spec", "--test-concurrency=1", "test/staging-power-cut.test.ts", "test/long/power-cut.test.ts"], {
  stdio: "inherit", cwd: new URL("..", import.meta.url), env: { ...process.env, PRESTAGE_ROUNDS: String(rounds), PRESTAGE_SEED: seed },
});
process.exit(result.status ?? 1);
