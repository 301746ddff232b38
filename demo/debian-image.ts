import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sourcesFor } from "@prestage/boot-image";
import { cachedFolder } from "./cached.ts";
import { runProgram } from "./program.ts";

/** Packages of the demonstration's operating system, beside Debian's minimal base. */
const packages = [
  "systemd-sysv", "systemd-resolved", "dbus", "udev", "kmod", "iproute2", "openssh-server", "ca-certificates", "linux-image-cloud-amd64", "initramfs-tools", "zstd", "grub-efi-amd64-signed", "shim-signed",
];
const epoch = "1700000000";
/** An initramfs rebuilt on the computer holds that computer's drivers; the image's own, made before this is written, holds all. */
const initramfs = "MODULES=dep\nCOMPRESSLEVEL=1\n";

/** There before an initramfs is made: each then holds e2fsck, without which a power cut can leave a root file system that does not mount (docs/os-images.md). */
const rootType = "FSTYPE=ext4";

/** A real Debian 12 as a WIM, made with mmdebstrap; cached. Returns the .wim's path. */
export async function debianImage(say: (line: string) => void, options: { mirror?: string | undefined; signal?: AbortSignal | undefined } = {}): Promise<string> {
  const sources = await sourcesFor("bookworm", ["main"], options);
  const folder = await cachedFolder("debian-12", { packages, epoch, sources, initramfs, rootType, form: 4 }, async (into) => {
    say("Making a Debian 12 image with mmdebstrap (once; about two minutes)");
    const root = join(into, "root");
    const args = [
      "--variant=minbase", "--mode=root", '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
      "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", `--include=${packages.join(",")}`,
      `--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d" && echo ${rootType} > "$1/etc/initramfs-tools/conf.d/root-type"`, "bookworm", root, ...sources,
    ];
    await runProgram("mmdebstrap", args, { env: { SOURCE_DATE_EPOCH: epoch }, onLine: (line) => /^I: /.test(line) && say(`  ${line.slice(3)}`), signal: options.signal });
    for (const name of await readdir(join(root, "dev"))) await rm(join(root, "dev", name), { recursive: true, force: true });
    for (const path of ["var/cache/apt", "var/lib/apt/lists"]) await rm(join(root, path), { recursive: true, force: true });
    await writeFile(join(root, "etc/initramfs-tools/conf.d/own-drivers"), initramfs);
    say("Capturing it as a WIM");
    await runProgram("wimlib-imagex", ["capture", root, join(into, "debian-12.wim"), "Debian 12", "--unix-data", "--norpfix", "--check", "--compress=LZX:20"], { signal: options.signal });
    await rm(root, { recursive: true });
  });
  return join(folder, "debian-12.wim");
}
