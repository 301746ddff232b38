// `npm run bench -- wim`: the WIM library and what stands on it against wimlib-imagex, on the same trees.
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ContentLibrary, importFolder } from "@prestage/content";
import { applyOsImage } from "@prestage/disk";
import { extractImage, openAnyWimFile, openWimFile, ResourceHasher, verifyBlobs, verifyWim } from "@prestage/wim";
import type { WimFile } from "@prestage/wim";
import { line, median, memoryOf, timeProgram, timeWork } from "./measure.ts";

/** One thing done by us and by wimlib; both are given the same bytes. */
interface Race { name: string; bytes: number; ours: () => Promise<number>; wimlib: () => Promise<number> }

const smallFiles = 50_000;

export async function benchWimLibrary(cache: string, tree: string, options: { runs: number; say: (text: string) => void }): Promise<void> {
  const { runs, say } = options;
  const folder = join(cache, "wim-library");
  await mkdir(folder, { recursive: true });
  const [lzx, xpress, lzms, solid, many] = await Promise.all([captured(folder, tree, "LZX:20"), captured(folder, tree, "XPRESS"), captured(folder, tree, "LZMS"), captured(folder, tree, "LZMS", "--solid"), manySmallFiles(folder)]);
  const out = join(folder, "out");
  const fresh = async (work: () => Promise<number>) => {
    await rm(out, { recursive: true, force: true });
    return await work();
  };
  const bytes = await using(lzx, async (wim) => totalBytes(wim));
  const library = new ContentLibrary(join(folder, "library"));
  const races: Race[] = [
    { name: "verify, LZX, all threads", bytes, ours: () => timeWork(() => using(lzx, (wim) => verifyWim(wim))), wimlib: () => timeProgram("wimlib-imagex", ["verify", lzx]) },
    { name: "verify, XPRESS, all threads", bytes, ours: () => timeWork(() => using(xpress, (wim) => verifyWim(wim))), wimlib: () => timeProgram("wimlib-imagex", ["verify", xpress]) },
    { name: "decode and hash, LZX, one thread", bytes, ours: () => timeWork(() => oneThread(lzx)), wimlib: () => timeProgram("wimlib-imagex", ["verify", lzx]) },
    { name: "decode and hash, XPRESS, one thread", bytes, ours: () => timeWork(() => oneThread(xpress)), wimlib: () => timeProgram("wimlib-imagex", ["verify", xpress]) },
    { name: "decode and hash, LZMS, one thread", bytes, ours: () => timeWork(() => oneThread(lzms)), wimlib: () => timeProgram("wimlib-imagex", ["verify", lzms]) },
    { name: "decode and hash, solid (.esd), one thread", bytes, ours: () => timeWork(() => oneThread(solid)), wimlib: () => timeProgram("wimlib-imagex", ["verify", solid]) },
    { name: "extract", bytes, ours: () => fresh(() => timeWork(() => using(lzx, (wim) => extractImage(wim, 1, out)))), wimlib: () => fresh(() => timeProgram("wimlib-imagex", ["apply", lzx, "1", out, "--unix-data", "--norpfix"])) },
    { name: `extract ${smallFiles} small files`, bytes: smallFiles * 20, ours: () => fresh(() => timeWork(() => using(many, (wim) => extractImage(wim, 1, out)))), wimlib: () => fresh(() => timeProgram("wimlib-imagex", ["apply", many, "1", out, "--unix-data", "--norpfix"])) },
    {
      name: "apply an OS image as the agent does, and sync", bytes,
      ours: () => fresh(async () => {
        for (const name of ["usr", "etc", "boot"]) await mkdir(join(out, name), { recursive: true });
        return await timeWork(() => applyOsImage({ wim: lzx, index: 1, target: out, keep: ["etc", "boot"] }));
      }),
      wimlib: () => fresh(async () => {
        await mkdir(out, { recursive: true });
        return (await timeProgram("wimlib-imagex", ["apply", lzx, "1", out, "--unix-data", "--norpfix"])) + (await timeProgram("sync", ["-f", out]));
      }),
    },
    {
      name: "import a folder (wimlib: capture it, LZX:20)", bytes,
      ours: async () => {
        await rm(library.root, { recursive: true, force: true });
        return await timeWork(() => importFolder(library, tree));
      },
      wimlib: () => fresh(() => timeProgram("wimlib-imagex", ["capture", tree, out, "x", "--compress=LZX:20", "--check"])),
    },
  ];
  say(`A tree of ${(bytes / 1e6).toFixed(0)} MB of this machine's files; seconds: min, median, max of ${runs} runs, in turn`);
  const ratios: string[] = [];
  try {
    for (const { name, bytes: size, ours, wimlib } of races) {
      const seconds = { ours: [] as number[], wimlib: [] as number[] };
      for (let run = 0; run < runs; run++) {
        seconds.ours.push(await ours());
        seconds.wimlib.push(await wimlib());
      }
      say(line({ name: `prestage: ${name}`, seconds: seconds.ours }, size));
      say(line({ name: "wimlib-imagex", seconds: seconds.wimlib }, size));
      ratios.push(`  ${name.padEnd(50)}${(median(seconds.ours) / median(seconds.wimlib)).toFixed(2).padStart(6)}`);
    }
  } finally {
    for (const path of [out, library.root]) await rm(path, { recursive: true, force: true });
  }
  say("\nMost memory at once, MiB: ours, wimlib-imagex");
  const prestage = fileURLToPath(new URL("../packages/cli/src/main.ts", import.meta.url));
  for (const [name, ours, theirs] of [["verify, LZX", ["wim", "verify", lzx], ["verify", lzx]], ["verify, solid", ["wim", "verify", solid], ["verify", solid]], ["extract", ["wim", "extract", lzx, out, "--unix-data"], ["apply", lzx, "1", out, "--unix-data", "--norpfix"]], ["list 50,000 files", ["wim", "tree", many], ["dir", many, "1"]]] as const) {
    const taken: number[] = [];
    for (const command of [[process.execPath, prestage, ...ours], ["wimlib-imagex", ...theirs]]) {
      await rm(out, { recursive: true, force: true });
      taken.push(await memoryOf(folder, command));
    }
    await rm(out, { recursive: true, force: true });
    say(`  ${name.padEnd(50)}${taken.map((megabytes) => megabytes.toFixed(0).padStart(6)).join("")}`);
  }
  say(`\nPrestage / wimlib, ratios of the medians (below 1: faster)\n${ratios.join("\n")}`);
}

async function using<T>(path: string, use: (wim: WimFile) => Promise<T>): Promise<T> {
  const wim = await openWimFile(path);
  try {
    return await use(wim);
  } finally {
    await wim.close();
  }
}

async function oneThread(path: string): Promise<void> {
  const hasher = new ResourceHasher({ threads: 0 });
  const wim = await openAnyWimFile(path);
  await verifyBlobs(wim, { hasher });
  await wim.close();
  await hasher.close();
}

function totalBytes(wim: WimFile): number {
  return [...wim.blobs.values()].reduce((sum, { resource }) => sum + resource.size, 0);
}

async function captured(folder: string, tree: string, method: string, solid?: "--solid"): Promise<string> {
  const path = join(folder, `${method.replace(":", "-")}${solid ?? ""}.wim`);
  if (!(await exists(path))) await timeProgram("wimlib-imagex", ["capture", tree, path, "x", `--compress=${method}`, ...(solid === undefined ? [] : [solid]), "--unix-data", "--norpfix"]);
  return path;
}

async function manySmallFiles(folder: string): Promise<string> {
  const path = join(folder, "many.wim");
  if (await exists(path)) return path;
  const tree = join(folder, "many");
  for (let i = 0; i < smallFiles; i++) {
    if (i % 100 === 0) await mkdir(join(tree, `${i / 100}`), { recursive: true });
    await writeFile(join(tree, `${Math.floor(i / 100)}`, `${i}`), `file ${i}, ${i * 7919}\n`);
  }
  await timeProgram("wimlib-imagex", ["capture", tree, path, "x", "--compress=LZX:20", "--unix-data"]);
  await rm(tree, { recursive: true });
  return path;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
