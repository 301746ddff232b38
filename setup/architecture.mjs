// The import table, enforced; asserts that the tool saw every source file, because on an unknown compiler it silently sees none.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { importTable } from "./import-table.mjs";

const result = spawnSync("node_modules/.bin/depcruise", ["--config", ".dependency-cruiser.cjs", "--output-type", "json", "packages"], { encoding: "utf8", maxBuffer: 1 << 28 });
if (!result.stdout) {
  console.error(result.stderr);
  process.exit(1);
}
const report = JSON.parse(result.stdout);
const seen = new Set(report.modules.map((module) => module.source));
const sources = Object.keys(importTable).flatMap((name) => sourceFiles(`packages/${name}/src`));
const unseen = sources.filter((file) => !seen.has(file));
const edges = report.modules.reduce((sum, module) => sum + module.dependencies.filter((one) => one.resolved.startsWith("packages/")).length, 0);
console.log(`architecture: ${sources.length} source files, ${edges} imports between them, ${report.summary.violations.length} violations`);
for (const { rule, from, to } of report.summary.violations) console.error(`  ${rule.name}: ${from} -> ${to}`);
for (const file of unseen) console.error(`  not seen by dependency-cruiser: ${file}`);
const undeclared = undeclaredPackages();
for (const name of undeclared) console.error(`  package.json names a package its row does not allow: ${name}`);
process.exit(report.summary.violations.length + unseen.length + undeclared.length > 0 || edges < sources.length / 2 ? 1 : 0);

function sourceFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
}

function undeclaredPackages() {
  const wrong = [];
  for (const name of readdirSync("packages")) {
    const declared = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8")).dependencies ?? {};
    for (const dependency of Object.keys(declared)) {
      const [, other] = /^@prestage\/(.+)$/.exec(dependency) ?? [];
      if (other !== undefined && !importTable[name]?.includes(other)) wrong.push(`${name} -> ${other}`);
    }
  }
  return wrong;
}
