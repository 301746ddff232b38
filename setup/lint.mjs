// Lint, types, import table. Each prints what it found; the first failure ends it.
import { spawnSync } from "node:child_process";

const steps = [
  ["oxlint", ["--type-aware", "--deny-warnings", "packages", "test", "demo", "bench"]],
  ["tsc", ["-p", "."]],
];
for (const [program, args] of steps) {
  console.log(`lint: ${program} ${args.join(" ")}`);
  const result = spawnSync(`node_modules/.bin/${program}`, args, { stdio: "inherit", cwd: new URL("..", import.meta.url) });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
const architecture = spawnSync(process.execPath, ["setup/architecture.mjs"], { stdio: "inherit", cwd: new URL("..", import.meta.url) });
process.exit(architecture.status ?? 1);
