// Runs the tests: unit tests beside their sources, and the end-to-end tests in test/. `--long`: what is too slow for CI.
import { spawnSync } from "node:child_process";

const args = process.argv.slice(2);
const long = args.includes("--long");
const chosen = args.filter((one) => one !== "--long");
const files = chosen.length > 0 ? chosen : long ? ["test/long/**/*.test.ts"] : ["packages/*/src/**/*.test.ts", "demo/*.test.ts", "test/*.test.ts"];
const result = spawnSync(process.execPath, ["--test", "--test-concurrency=2", "--test-reporter=spec", ...files], { stdio: "inherit", cwd: new URL("..", import.meta.url) });
process.exit(result.status ?? 1);
