import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sourcesFor } from "@prestage/boot-image";

const execute = promisify(execFile);
const run = (program: string, args: readonly string[], cwd?: string) => execute(program, args, { cwd, maxBuffer: 2 ** 26, env: { ...process.env, LC_ALL: "C.UTF-8", SOURCE_DATE_EPOCH: "1700000000" } });

/** Debian 12 as its last point release left it, with every update since but the old kernel, and with all of them. */
export type DebianState = "release" | "updated" | "updated, new kernel";

const packages = ["systemd-sysv", "systemd-resolved", "dbus", "udev", "kmod", "iproute2", "openssh-server", "ca-certificates", "initramfs-tools", "zstd", "grub-efi-amd64-signed", "shim-signed", "python3", "curl", "sudo", "perl", "openssl", "gnupg", "nano"];
const kernel = "linux-image-amd64";

/** A Debian 12 of that state as a captured WIM and as a tree; made once by mmdebstrap from the machine's own apt sources. */
export async function debianImage(cache: string, state: DebianState, say: (text: string) => void): Promise<{ wim: string; tree: string }> {
  const folder = join(cache, "debian", state.replace(/\W+/g, "-"));
  const made = { wim: join(folder, "os.wim"), tree: join(folder, "tree") };
  if (await exists(folder)) return made;
  say(`Making a Debian 12, ${state} (once; minutes)`);
  const partial = `${folder}.partial`;
  const tree = join(partial, "tree");
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const all = await sourcesFor("bookworm", ["main"]);
  const sources = state === "release" ? all.filter((line) => line.includes(" bookworm ")) : all;
  const [oldest, newest] = await versionsOf(kernel);
  const image = await kernelPackage(state === "updated, new kernel" ? newest : oldest);
  await run("mmdebstrap", [
    "--variant=minbase", "--mode=root", '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
    `--include=${[...packages, image].join(",")}`, "bookworm", tree, ...sources,
  ]);
  for (const name of await readdir(join(tree, "dev"))) await rm(join(tree, "dev", name), { recursive: true, force: true });
  for (const path of ["var/cache/apt", "var/lib/apt/lists", "var/log"]) await rm(join(tree, path), { recursive: true, force: true });
  await run("wimlib-imagex", ["capture", tree, join(partial, "os.wim"), "Debian 12", "--unix-data", "--norpfix", "--check", "--compress=LZX:20"]);
  await rename(partial, folder);
  return made;
}

/** The package with the kernel itself, of a version of the one that depends on it. */
async function kernelPackage(version: string): Promise<string> {
  const { stdout } = await run("apt-cache", ["show", `${kernel}=${version}`]);
  const name = /^Depends: (linux-image-[\w.+-]+)/m.exec(stdout)?.[1];
  if (name === undefined) throw new Error(`Expected ${kernel} ${version} to depend on a kernel; found: ${stdout.slice(0, 200)}`);
  return name;
}

/** The oldest and the newest version of a package the archives hold. */
export async function versionsOf(name: string): Promise<readonly [oldest: string, newest: string]> {
  const { stdout } = await run("apt-cache", ["madison", name]);
  const versions = stdout.split("\n").flatMap((line) => line.split("|")[1]?.trim() ?? []);
  const [newest, oldest] = [versions[0], versions.at(-1)];
  if (newest === undefined || oldest === undefined || newest === oldest) throw new Error(`Expected two versions of ${name} in the archives; found ${versions.join(", ") || "none"}. Run apt-get update, or take another package.`);
  return [oldest, newest];
}

/** A package's files as another release of Debian has them, of a component this machine need not know. */
export async function packageOfRelease(cache: string, name: string, suite: "bookworm" | "trixie", component: string): Promise<string> {
  const state = join(cache, "apt", `${suite}-${component}`);
  for (const folder of ["lists/partial", "archives/partial"]) await mkdir(join(state, folder), { recursive: true });
  await writeFile(join(state, "sources.list"), `${(await sourcesFor(suite, [component])).filter((line) => line.includes(` ${suite} `)).join("\n")}\n`);
  await writeFile(join(state, "status"), "");
  const apt = Object.entries({ "Dir::State::lists": "lists", "Dir::Etc::sourcelist": "sources.list", "Dir::Cache::archives": "archives", "Dir::State::status": "status" }).flatMap(([key, path]) => ["-o", `${key}=${join(state, path)}`]);
  const all = [...apt, "-o", "Dir::Etc::sourceparts=-", "-o", `Dir::Cache::pkgcache=`, "-o", "Dir::Cache::srcpkgcache=", "-o", "APT::Sandbox::User=root"];
  await run("apt-get", [...all, "-q", "update"]);
  const { stdout } = await run("apt-cache", [...all, "madison", name]);
  const version = stdout.split("\n")[0]?.split("|")[1]?.trim();
  if (version === undefined || version === "") throw new Error(`Expected ${name} in Debian ${suite}, ${component}; found none.`);
  return debianPackage(cache, name, version, all);
}

/** A package's files, without its symbolic links: content of an application holds none. Fetched once. `apt`: options of apt-get. */
export async function debianPackage(cache: string, name: string, version: string, apt: readonly string[] = []): Promise<string> {
  const folder = join(cache, "published", `${name}_${version.replaceAll(/[^\w.+-]/g, "_")}`);
  if (await exists(folder)) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(join(partial, "tree"), { recursive: true });
  await run("apt-get", [...apt, "-q", "download", `${name}=${version}`], partial);
  const archive = (await readdir(partial)).find((file) => file.endsWith(".deb")) ?? "";
  await run("dpkg-deb", ["-x", join(partial, archive), join(partial, "tree")]);
  await run("find", [join(partial, "tree"), "-type", "l", "-delete"]);
  await rename(join(partial, "tree"), folder);
  await rm(partial, { recursive: true });
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
