import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDataMount } from "@prestage/disk";
import { accountPlaces } from "../account-place.ts";
import { removedFolder, serviceFiles } from "../agent-service.ts";

/** What a capture leaves out, as paths in the volume, and what it has without its content. */
export interface LeftOut { exclude: string[]; empty: { path: string; mode: number }[] }

/** Where captured images lie while the deployment runs, and where they are when it has ended. */
export const localImages = "prestage/captured-images";
export const keptImages = "var/lib/prestage/captured-images";

/** Of the deployment, or of no use: also left out of a backup. */
const never: readonly string[] = [
  "/prestage", `/${removedFolder}`, "/lost+found", `/${keptImages}`, `/${accountPlaces}`, ...serviceFiles.map((path) => `/${path}`),
  "/swapfile", "/swap.img", "/tmp/*", "/var/tmp/*", "/dev/*", "/proc/*", "/sys/*", "/run/*", "/media/*/*",
];

/** What belongs to one computer alone: its identity, its keys, its account, its addresses, what it has logged. */
const own: readonly string[] = [
  "/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/urandom/random-seed", "/var/lib/systemd/coredump/*",
  "/etc/udev/rules.d/70-persistent-net.rules", "/etc/udev/rules.d/75-persistent-net-generator.rules", "/var/lib/dhcp/*", "/var/lib/dhclient/*", "/var/lib/dhcpcd/*", "/var/lib/systemd/network/*",
  "/var/lib/NetworkManager/*", "/etc/NetworkManager/system-connections/prestage-*.nmconnection", "/etc/systemd/network/05-prestage-*.network", "/etc/iscsi/initiatorname.iscsi", "/etc/nvme/hostid", "/etc/nvme/hostnqn",
  "/etc/krb5.keytab", "/etc/sssd/sssd.conf", "/etc/sssd/prestage-directory-ca.pem", "/var/lib/sss/db/*", "/var/lib/sss/mc/*", "/var/lib/sss/pubconf/*", "/var/lib/sss/secrets/*", "/etc/crypttab", "/etc/cryptsetup-keys.d/*",
  "/var/lib/prestage", "/var/log/journal/*", "/var/crash/*", "/var/lib/cloud/*", "/var/cache/apt/*.bin", "/var/cache/apt/archives/*.deb", "/var/cache/apt/archives/partial/*", "/var/cache/dnf/*", "/var/cache/zypp/*", "/root/.bash_history", "/home/*/.bash_history",
];

/** What an image of a Linux does not hold. With `everything` it is a backup: only what is of no use is left out. */
export async function leftOutOfLinux(root: string, everything: boolean): Promise<LeftOut> {
  const exclude = [...never, ...(await swapFiles(root))];
  if (everything) return { exclude, empty: [] };
  // Programs that log want their folders to be there.
  const logs = (await entriesBelow(join(root, "var/log"))).map((path) => `/var/log/${path}`);
  const mounts = await dataMounts(root);
  const empty = (await readdir(join(root, "etc")).catch((): string[] => [])).includes("machine-id") ? [{ path: "/etc/machine-id", mode: 0o444 }] : [];
  return { exclude: [...exclude, ...own, ...logs, ...mounts].filter((path) => !/[\r\n]/.test(path)), empty };
}

/** wimlib's own list for Windows (wimcapture(1)), and what the deployment puts there. */
export function leftOutOfWindows(everything: boolean): LeftOut {
  const always = ["/$ntfs.log", "/hiberfil.sys", "/pagefile.sys", "/swapfile.sys", "/System Volume Information", "/RECYCLER", "/$RECYCLE.BIN", "/$Recycle.Bin", "/Windows/CSC", "/prestage"];
  // An answer file of this deployment would answer for the next.
  return { exclude: everything ? always : [...always, "/Windows/Prestage", "/Windows/Panther/unattend.xml", "/Windows/Temp/*"], empty: [] };
}

/** Files that fstab(5) swaps to. */
async function swapFiles(root: string): Promise<string[]> {
  const lines = (await readFile(join(root, "etc/fstab"), "utf8").catch(() => "")).split("\n").map((line) => line.trim().split(/\s+/));
  // Blanks and the like are octal numbers there. A line that is none must not leave out the whole system.
  const plain = (text: string) => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  const named = lines.filter(([what = "", , type]) => type === "swap" && what.startsWith("/") && !what.startsWith("/dev/")).map(([what = ""]) => plain(what)).filter((path) => !/[\r\n]/.test(path));
  const files = await Promise.all(named.map(async (path) => ({ path, file: await lstat(join(root, path)).then((status) => status.isFile(), () => false) })));
  return files.filter(({ file }) => file).map(({ path }) => path);
}

async function entriesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Mounts of file systems that only this computer has: another one would wait for them in vain. */
async function dataMounts(root: string): Promise<string[]> {
  const folder = "etc/systemd/system";
  const names = (await readdir(join(root, folder)).catch(() => [])).filter((name) => name.endsWith(".mount"));
  const ours = await Promise.all(names.map(async (name) => ({ name, content: await readFile(join(root, folder, name), "utf8").catch(() => "") })));
  return ours.filter(({ content }) => isDataMount(content)).flatMap(({ name }) => [`/${folder}/${name}`, `/${folder}/local-fs.target.wants/${name}`]);
}
