import { chmod, chown, lstat, mkdir, open, readFile, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DiskError } from "./error.ts";
import type { InstalledKernel, InstalledSystemOptions } from "./installed-system.ts";
import type { NetworkSystem } from "./network-settings.ts";
import type { SettingChange } from "./setting-change.ts";

/** Reads what the settings build on from an applied image. */
export async function readAppliedImage(root: string): Promise<InstalledSystemOptions["image"]> {
  const read = (name: string): Promise<string> => readFile(join(root, "etc", name), "utf8");
  return { passwd: await read("passwd"), group: await read("group"), shadow: await read("shadow"), kernel: newestKernel(await readdir(join(root, "boot"))), network: await readNetworkSystem(root) };
}

/** What looks after the network in an applied image: NetworkManager where it is enabled, else systemd-networkd, which comes with systemd. */
export async function readNetworkSystem(root: string): Promise<NetworkSystem> {
  const isThere = (path: string) => lstat(join(root, path)).then(() => true, () => false);
  if (!(await isThere("etc/os-release"))) throw new DiskError("PRESTAGE_DISK_FILE_MISSING", "Expected an installed Linux with /etc/os-release on the volume, found none. Apply an OS image before.");
  const units = "lib/systemd/system";
  const resolved = (await isThere(`${units}/systemd-resolved.service`)) || (await isThere(`usr/${units}/systemd-resolved.service`));
  return { manager: (await isThere("etc/systemd/system/multi-user.target.wants/NetworkManager.service")) ? "network-manager" : "systemd-networkd", resolved };
}

/** The newest kernel in /boot that has an initramfs. */
export function newestKernel(names: readonly string[]): InstalledKernel {
  const versions = names.filter((name) => name.startsWith("vmlinuz-")).map((name) => name.slice("vmlinuz-".length)).filter((version) => names.includes(`initrd.img-${version}`));
  const newest = versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  if (newest === undefined) throw new DiskError("PRESTAGE_DISK_NO_KERNEL", "Expected /boot/vmlinuz-VERSION and its initrd.img-VERSION in the OS image, found none. Build the image with a kernel package and initramfs-tools.");
  return { vmlinuz: `vmlinuz-${newest}`, initrd: `initrd.img-${newest}` };
}

/**
 * Carries out changes on a mounted ext4 or similar (never FAT): each file as temporary file, flush, rename, flush of its
 * folder, so that a power cut leaves the old or the new one. May be repeated.
 */
export async function writeSettings(root: string, changes: readonly SettingChange[]): Promise<void> {
  for (const change of changes) {
    const path = join(root, change.path);
    if (!(await folderReady(root, dirname(change.path), change.kind !== "remove"))) continue;
    switch (change.kind) {
      case "file": await writeFileDurably(path, change); break;
      case "link": await replaceDurably(path, (temporary) => symlink(change.target, temporary)); break;
      case "remove": await rm(path, { force: true }); break;
      case "directory":
        await folderReady(root, change.path, true);
        await chmod(path, change.mode);
        await chown(path, change.uid, change.gid);
        break;
    }
    await flushFolder(dirname(path));
  }
}

async function writeFileDurably(path: string, change: Extract<SettingChange, { kind: "file" }>): Promise<void> {
  await replaceDurably(path, async (temporary) => {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(change.content);
      await handle.chown(change.uid ?? 0, change.gid ?? 0);
      await handle.chmod(change.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

async function replaceDurably(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.prestage-new`);
  await rm(temporary, { force: true });
  await make(temporary);
  await rename(temporary, path);
}

/** Walks to a folder part by part, making what is missing if asked to. Nothing is written through a link: one in the image could lead out of it. */
async function folderReady(root: string, path: string, make: boolean): Promise<boolean> {
  let at = root;
  for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
    at = join(at, part);
    const status = await lstat(at).catch(() => undefined);
    if (status === undefined) {
      if (!make) return false;
      await mkdir(at, 0o755);
      await flushFolder(dirname(at));
    } else if (!status.isDirectory()) {
      throw new DiskError("PRESTAGE_DISK_IMAGE_REFUSED", `Expected the folder /${at.slice(root.length + 1)} in the OS image, found a ${status.isSymbolicLink() ? "link" : "file"}: settings are not written through it. Correct the image.`);
    }
  }
  return true;
}

async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
