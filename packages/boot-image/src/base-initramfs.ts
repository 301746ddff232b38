import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { compressTo } from "./compress.ts";
import { sourcesFor } from "./debian-sources.ts";
import { debianTree, type DebianPackage, type DebianTree } from "./debian-tree.ts";
import { icuDataLibrary, icuStub } from "./icu-stub.ts";
import { dhcpScript, initScript } from "./init-script.ts";
import { addPackageFiles, findProgram, InitramfsFiles, listFiles } from "./initramfs-files.ts";
import { openKernelTree, selectModules, moduleName, type KernelTree } from "./kernel-modules.ts";
import { addModules, type SizedFile } from "./module-files.ts";
import { writeNewc } from "./newc.ts";
import { profiles, userlandPackages, userlandSuite, type BootProfile } from "./profiles.ts";
import { pruneCache, touch } from "./prune-cache.ts";
import { runProgram } from "./run-program.ts";
import { sharedLibraries } from "./shared-libraries.ts";
import { sourceHash } from "./source-hash.ts";
import { busyboxApplets, configuration, consoleData, programLinks, programs } from "./userland.ts";

/** Initramfs archives kept in the cache: 40 to 70 MB each. */
const keptArchives = 6;

export interface BaseOptions {
  profile: BootProfile;
  nodeBinary: string;
  cacheDir: string;
  addModules: readonly string[];
  addFirmware: readonly string[];
  addDebs: readonly string[];
  mirror: string | undefined;
  refresh: boolean;
  compressionLevel: number;
  signal: AbortSignal | undefined;
  onProgress: (message: string) => void;
}

/** Everything of the boot environment that does not depend on the site: kernel, tools, Node, modules, firmware. */
export interface BaseInitramfs {
  /** Stands for every input. */
  key: string;
  /** Compressed archive in the cache. */
  archive: string;
  /** Node without its symbols, in the cache. */
  node: string;
  kernel: KernelTree;
  userland: DebianTree;
  packages: DebianPackage[];
  modules: SizedFile[];
  firmware: SizedFile[];
  /** Seconds since 1970 when the kernel was made: the time of every file, and the earliest a clock may show. */
  time: number;
}

/** Makes the part of the initramfs that all boot images of a profile share, or takes it from the cache. */
export async function baseInitramfs(options: BaseOptions): Promise<BaseInitramfs> {
  const definition = profiles[options.profile];
  const localDebs = options.addDebs.filter((name) => name.endsWith(".deb")).map((path) => resolve(path));
  const namedDebs = options.addDebs.filter((name) => !name.endsWith(".deb"));
  const shared = { cacheDir: options.cacheDir, refresh: options.refresh, signal: options.signal, onProgress: options.onProgress };
  const source = { mirror: options.mirror, signal: options.signal };
  options.onProgress(`Debian packages of ${userlandSuite}`);
  const userland = await debianTree({ ...shared, suite: userlandSuite, sources: await sourcesFor(userlandSuite, ["main", "non-free-firmware"], source), packages: [...userlandPackages, ...namedDebs], listed: namedDebs });
  options.onProgress(`Debian's kernel of ${definition.suite}`);
  const kernelTree = await debianTree({ ...shared, suite: definition.suite, sources: await sourcesFor(definition.suite, definition.components, source), packages: definition.packages });
  const kernel = await openKernelTree(kernelTree.root);
  const time = Math.floor((await stat(kernel.image)).mtimeMs / 1000);
  const modulePaths = selectModules(kernel, definition, options.addModules);
  const node = await strippedNode(options);
  const debHashes = await Promise.all(localDebs.map(async (path) => sha256(await readFile(path))));
  const key = sha256(JSON.stringify([
    userland.hash, kernelTree.hash, node.hash, modulePaths, options.addFirmware, namedDebs, debHashes, options.compressionLevel, definition,
    await sourceHash(), (await runProgram("zstd", ["--version"])).trim(),
  ]));
  const archive = join(options.cacheDir, "initramfs", `${key}.cpio.zst`);
  const known = await readFile(`${archive}.json`, "utf8").catch(() => undefined);
  const common = { key, archive, node: node.path, kernel, userland, packages: [...userland.packages, ...kernelTree.packages], time };
  if (known !== undefined && existsSync(archive)) {
    await touch(archive);
    const lists = JSON.parse(known) as { modules: SizedFile[]; firmware: SizedFile[] };
    return { ...common, ...lists };
  }
  options.onProgress("initramfs");
  const files = new InitramfsFiles();
  addSkeleton(files, definition.modules.map(moduleName), definition.matchDevices, time);
  const binaries = await addPrograms(files, userland, namedDebs);
  files.file("usr/bin/node", await readFile(node.path), 0o755);
  const roots = [userland.root];
  const unpacked = await mkdtemp(join(tmpdir(), "prestage-debs-"));
  let lists: { modules: SizedFile[]; firmware: SizedFile[] };
  try {
    for (const [index, deb] of localDebs.entries()) {
      const root = join(unpacked, String(index));
      await runProgram("dpkg-deb", ["-x", deb, root], { signal: options.signal });
      roots.push(root);
      binaries.push(...(await addPackageFiles(files, root, await listFiles(root))));
    }
    await addLibraries(files, roots, [...binaries, node.path], options.signal);
    lists = await addModules(files, kernel, modulePaths, { roots: [kernelTree.root, ...roots], added: options.addFirmware }, options.signal);
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
  options.onProgress("compressing the initramfs");
  await mkdir(join(options.cacheDir, "initramfs"), { recursive: true });
  const partial = `${archive}.partial-${process.pid}`;
  await compressTo(partial, writeNewc(files.entries(), time), options.compressionLevel, options.signal);
  await writeFile(`${archive}.json`, JSON.stringify(lists));
  await rename(partial, archive);
  await pruneCache(join(options.cacheDir, "initramfs"), ".zst", keptArchives);
  return { ...common, ...lists };
}

/** The few files that make a system of it. */
function addSkeleton(files: InitramfsFiles, modules: readonly string[], matchDevices: boolean, time: number): void {
  for (const name of ["bin", "sbin", "lib", "lib64"]) files.link(name, `usr/${name}`);
  for (const name of ["proc", "sys", "dev", "run", "mnt", "root", "agent", "etc/prestage"]) files.directory(name);
  files.directory("tmp", 0o777);
  files.device("dev/console", 0o600, 5, 1);
  files.device("dev/null", 0o666, 1, 3);
  files.file("init", initScript, 0o755);
  files.file("usr/share/udhcpc/default.script", dhcpScript, 0o755);
  files.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  files.file("etc/group", "root:x:0:\n");
  files.file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
  files.link("etc/mtab", "../proc/self/mounts");
  files.file("etc/resolv.conf", "");
  files.file("etc/prestage/modules", `${modules.join(" ")}\n`);
  files.file("etc/prestage/earliest-time", `${time}\n`);
  if (matchDevices) files.file("etc/prestage/match-devices", "");
}

/** Adds the programs, their links and busybox's applets; returns where the programs lie in the unpacked packages. */
async function addPrograms(files: InitramfsFiles, userland: DebianTree, namedDebs: readonly string[]): Promise<string[]> {
  const binaries: string[] = [];
  for (const path of programs) {
    const source = await findProgram(userland.root, path);
    binaries.push(source);
    files.file(path, await readFile(source), 0o755);
  }
  for (const [path, target] of Object.entries(programLinks)) files.link(path, target);
  for (const path of consoleData) files.file(path, gunzipSync(await readFile(join(userland.root, `${path}.gz`))));
  for (const path of configuration) files.file(path, await readFile(join(userland.root, path)));
  for (const name of namedDebs) binaries.push(...(await addPackageFiles(files, userland.root, userland.contents.get(name) ?? [])));
  for (const applet of busyboxApplets) {
    if (!files.has(`usr/bin/${applet}`) && !files.has(`usr/sbin/${applet}`)) files.link(`usr/bin/${applet}`, "busybox");
  }
  return binaries;
}

async function addLibraries(files: InitramfsFiles, roots: readonly string[], binaries: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const libraries = await sharedLibraries(roots, binaries, new Set([icuDataLibrary]), signal);
  for (const [soname, path] of libraries) {
    const folder = soname.startsWith("ld-linux") ? "usr/lib64" : "usr/lib/x86_64-linux-gnu";
    files.file(`${folder}/${soname}`, await readFile(path), 0o755);
  }
  files.file(`usr/lib/x86_64-linux-gnu/${icuDataLibrary}`, await icuStub(signal), 0o755);
}

/** Node's symbols are 18 MB that every start would have to load. */
async function strippedNode(options: BaseOptions): Promise<{ path: string; hash: string }> {
  const hash = sha256(await readFile(options.nodeBinary));
  const path = join(options.cacheDir, "node", hash.slice(0, 32), basename("node"));
  if (!existsSync(path)) {
    await mkdir(join(options.cacheDir, "node", hash.slice(0, 32)), { recursive: true });
    const partial = `${path}.partial-${process.pid}`;
    await copyFile(options.nodeBinary, partial);
    await runProgram("strip", [partial], { signal: options.signal });
    await rename(partial, path);
  }
  return { path, hash };
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
