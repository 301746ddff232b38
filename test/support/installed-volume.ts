import { openWimFile, walkEntries } from "@prestage/wim";
import { withDataVolume } from "./disk-faults.ts";

/** Why a path may be on an installed volume that is not in the OS image. */
interface Reason { why: string; paths: RegExp }

/** What Debian itself makes when it starts and runs. */
const systemItself: Reason[] = [
  { why: "the file system's own folder", paths: /^lost\+found$/ },
  { why: "private folders of running services", paths: /^(var\/)?tmp\/(systemd-private-|\.(X11|ICE|XIM|font)-unix)/ },
  { why: "systemd's state", paths: /^var\/lib\/systemd\/(random-seed$|timers(\/|$)|linger$|coredump|rfkill)/ },
  { why: "the journal of the started system", paths: /^var\/log\/(journal\/[0-9a-f]{32}(\/|$)|wtmp|btmp|lastlog|private)/ },
  { why: "this computer's identity", paths: /^(var\/lib\/dbus\/machine-id|etc\/ssh\/ssh_host_\w+_key(\.pub)?)$/ },
  { why: "caches the system keeps", paths: /^var\/cache\/(ldconfig\/aux-cache|private)/ },
];

/** What the set-up step writes (packages/disk/src/installed-system.ts). */
const setUp: Reason[] = [
  { why: "names and disks", paths: /^etc\/(hosts|hostname|fstab|resolv\.conf)$/ },
  { why: "network and units switched on", paths: /^etc\/systemd\/(network\/10-dhcp\.network|system\/(dbus-org\.freedesktop\.(network1|resolve1)\.service|(sockets|network-online|multi-user|getty)\.target\.wants(\/[\w@.-]+)?))$/ },
  { why: "the boot loader's configuration", paths: /^(boot\/(efi|grub|grub\/grub\.cfg)|etc\/default\/grub\.d\/prestage\.cfg)$/ },
];

/** What packages installed by dpkg bring beside their own lists. */
const dpkg: Reason[] = [{ why: "the package manager's records", paths: /^var\/(log\/dpkg\.log|lib\/dpkg\/info\/[^/]+)$/ }];

/**
 * Paths of an installed volume that neither the OS image, nor Debian by itself, nor a step accounts for.
 * `packages` are those installed by steps; `steps` what other steps make.
 */
export async function unexplainedPaths(disk: string, osImage: string, made: { packages: readonly string[]; steps: readonly Reason[] }): Promise<string[]> {
  const known = new Set<string>();
  const wim = await openWimFile(osImage);
  try {
    for (const { path } of walkEntries(await wim.readImage(1))) known.add(path);
  } finally {
    await wim.close();
  }
  const reasons = [...systemItself, ...setUp, ...dpkg, ...made.steps];
  const unexplained: string[] = [];
  await withDataVolume(disk, async (reader) => {
    for (const name of made.packages) {
      for (const line of (await reader.readFile(`var/lib/dpkg/info/${name}.list`)).toString().split("\n")) known.add(line.slice(1));
    }
    for await (const { path } of reader.walk()) if (!known.has(path) && !reasons.some((reason) => reason.paths.test(path))) unexplained.push(path);
  });
  return unexplained;
}
