// Plain JavaScript that Node 18 runs: nothing is installed yet when this is read.
import { homedir } from "node:os";
import { join } from "node:path";

/** Where tools and heavy artifacts are kept, outside the checkout: PRESTAGE_CACHE, /var/cache/prestage for root (PostgreSQL's user must reach it), else the user's cache folder. */
export function cacheFolder() {
  if (process.env.PRESTAGE_CACHE) return process.env.PRESTAGE_CACHE;
  if (process.getuid?.() === 0) return "/var/cache/prestage";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "prestage");
}
