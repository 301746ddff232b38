// The tools a top-up is measured beside, where this machine has them.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export function withoutProxies(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name)));
}

export async function peersHere(): Promise<Set<string>> {
  const found = new Set(["wimlib-imagex"]);
  for (const [program, argument] of [["casync", "--version"], ["xdelta3", "-V"], ["zsync", "-V"]] as const) if (await run(program, [argument]).then(() => true, () => false)) found.add(program);
  return found;
}
