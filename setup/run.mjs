// `npm run demo`, `npm test` and the rest: installs what is missing, then runs the task under Node 24.
// Plain JavaScript that Node 18 runs.
import { spawn } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./cache-folder.mjs";
import { debianPackages, ensureDebianPackages } from "./debian-packages.mjs";
import { ensureNode, ensureNpmPackages, nodeEnvironment } from "./node-runtime.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const [task, ...args] = process.argv.slice(2);

/** Each task: the Debian packages it needs, and the programs to run in turn; the last one's exit code is the task's. `usage`: what --help says where the program itself says nothing. */
const tasks = {
  cli: { packages: debianPackages.cli, commands: [["packages/cli/src/main.ts", ...args]] },
  demo: { packages: debianPackages.all, commands: [["demo/main.ts", ...args]] },
  lint: { usage: "npm run lint\n  Type check, lint and the table of imports.", packages: debianPackages.lint, commands: [["setup/lint.mjs"]] },
  test: { usage: "npm test [-- FILE...]\n  Lint, then all tests, or these files. docs/testing.md says what they are.", packages: [...debianPackages.all, ...debianPackages.test], commands: [["setup/lint.mjs"], ["setup/test.mjs", ...args]] },
  "test-long": { usage: "npm run test:long [-- FILE...]\n  What is too slow for CI, or these files, such as test/long/hardware.test.ts.", packages: [...debianPackages.all, ...debianPackages.test, ...debianPackages.long], commands: [["setup/test.mjs", "--long", ...args]] },
  "fuzz-wim": { usage: "npm run fuzz:wim [-- --minutes 10 --cases 1000000 --seed 1 --target NAME]\n  Damaged WIMs until both numbers are reached; ends with 1 and the case's seed when the reader does what it must not.", packages: debianPackages.all, commands: [["packages/wim/src/fuzz/main.ts", ...args]] },
  torture: { usage: "npm run torture [-- ROUNDS]\n  So many stagings and refreshes cut once, and deployments with three power cuts each. PRESTAGE_SEED=N repeats the instants.", packages: debianPackages.all, commands: [["setup/torture.mjs", ...args]] },
  screenshots: { usage: "npm run screenshots\n  Makes the pictures of docs/ anew.", packages: debianPackages.all, commands: [["test/support/screenshots.ts"]] },
  bench: { usage: "npm run bench [-- [wim | dp | top-up | on-computer] [--runs 5] [--megabytes 400] [--folder DIR] [--only NAME] [--level N | --no-patches]]\n  Ours beside the machine's own tools; bench/README.md says what is measured.", packages: [...debianPackages.all, ...debianPackages.bench], commands: [["bench/main.ts", ...args]] },
};

async function main() {
  const chosen = tasks[task];
  if (chosen === undefined) throw new Error(`Expected one of ${Object.keys(tasks).join(", ")}; found ${task}.`);
  if (chosen.usage !== undefined && args.some((arg) => arg === "--help" || arg === "-h")) {
    console.log(chosen.usage);
    return 0;
  }
  ensureDebianPackages(chosen.packages);
  const cache = cacheFolder();
  const node = ensureNode(cache);
  ensureNpmPackages(root, node);
  for (const command of chosen.commands) {
    const code = await runNode(node, command, cache);
    if (code !== 0) return code;
  }
  return 0;
}

/** Runs a program of the checkout in the caller's folder; Ctrl-C reaches it as the terminal sends it. */
function runNode(node, [file, ...rest], cache) {
  const child = spawn(node, [join(root, file), ...rest], {
    stdio: "inherit",
    env: { ...process.env, ...nodeEnvironment, PRESTAGE_CACHE: cache, PATH: `${dirname(node)}:${process.env.PATH}:/usr/sbin:/sbin`, NODE_NO_WARNINGS: "1", ...(task === "cli" && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cache, "compile") }) },
  });
  const ignore = () => {};
  process.on("SIGINT", ignore).on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
