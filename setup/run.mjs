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

/** Each task: the Debian packages it needs, and the programs to run in turn; the last one's exit code is the task's. */
const tasks = {
  cli: { packages: debianPackages.cli, commands: [["packages/cli/src/main.ts", ...args]] },
  demo: { packages: debianPackages.all, commands: [["demo/main.ts", ...args]] },
  lint: { packages: debianPackages.lint, commands: [["setup/lint.mjs"]] },
  test: { packages: [...debianPackages.all, ...debianPackages.test], commands: [["setup/lint.mjs"], ["setup/test.mjs", ...args]] },
  "test-long": { packages: [...debianPackages.all, ...debianPackages.test, ...debianPackages.long], commands: [["setup/test.mjs", "--long", ...args]] },
  "fuzz-wim": { packages: debianPackages.all, commands: [["packages/wim/src/fuzz/main.ts", ...args]] },
  torture: { packages: debianPackages.all, commands: [["setup/torture.mjs", ...args]] },
  screenshots: { packages: debianPackages.all, commands: [["test/support/screenshots.ts"]] },
  bench: { packages: [...debianPackages.all, ...debianPackages.bench], commands: [["bench/main.ts", ...args]] },
};

async function main() {
  const chosen = tasks[task];
  if (chosen === undefined) throw new Error(`Expected one of ${Object.keys(tasks).join(", ")}; found ${task}.`);
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
