import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { seeded } from "../fixtures/fuzz.ts";
import { makeTargets } from "./targets.ts";

/**
 * `npm run fuzz:wim -- [--minutes 10] [--cases 1000000] [--seed N] [--target NAME]`: runs until both are reached. Prints what came
 * of the cases; ends with 1 and the seed of the case when the reader did what it must not, or the process takes more than 512 MiB of memory.
 */
const mostMegabytes = 512;
const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" }, cases: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" }, target: { type: "string", default: "" }, summary: { type: "string" } } });
const targets = await makeTargets(values.target);
if (targets.length === 0) throw new Error(`Expected the beginning of a target's name; found ${values.target}.`);
const schedule = targets.flatMap((target) => Array.from({ length: target.weight }, () => target));
const results = new Map(targets.map(({ name }) => [name, new Map<string, number>()]));
const started = performance.now();
const until = started + Number(values.minutes) * 60_000;
let cases = 0;
for (; cases < Number(values.cases) || performance.now() < until; cases++) {
  const target = schedule[cases % schedule.length]!;
  const seed = (Number(values.seed) * 1_000_003 + cases) | 0;
  try {
    const outcome = await target.run(seeded(seed));
    const counts = results.get(target.name)!;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  } catch (error) {
    process.stdout.write(`FOUND by ${target.name}, case ${cases}, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }
  const megabytes = process.memoryUsage.rss() >> 20;
  if (megabytes > mostMegabytes) {
    process.stdout.write(`FOUND by ${target.name}, case ${cases}, seed ${seed}: ${megabytes} MiB of memory, more than ${mostMegabytes}\n`);
    process.exit(1);
  }
  if (cases % 50_000 === 49_999) process.stdout.write(`${cases + 1} cases, ${Math.round((performance.now() - started) / 1000)} s, ${process.memoryUsage().rss >> 20} MiB\n`);
}
const lines = [...results].map(([name, counts]) => `${name}: ${[...counts].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${outcome.replace("PRESTAGE_WIM_", "")} ${count}`).join(", ")}`);
const text = `${cases} cases in ${Math.round((performance.now() - started) / 1000)} s, seed ${values.seed}, nothing found; ${process.memoryUsage().rss >> 20} MiB at the end\n${lines.join("\n")}\n`;
process.stdout.write(text);
if (values.summary !== undefined) await writeFile(values.summary, text);
