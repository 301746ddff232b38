import { DiskError } from "./error.ts";
import { dhcpEverywhere } from "./network-settings.ts";
import type { NetworkSystem } from "./network-settings.ts";
import type { SettingChange } from "./setting-change.ts";

export interface InstalledUser {
  name: string;
  /** A crypt(3) hash; without one the account has no password. */
  passwordHash?: string;
  /** OpenSSH public keys. */
  authorizedKeys?: readonly string[];
  /** Groups the user joins where they exist in the image, such as sudo. */
  groups?: readonly string[];
}

export interface InstalledSystemOptions {
  computerName: string;
  /** UUID of the file system that holds the system, for GRUB. */
  rootFileSystemUuid: string;
  rootPartitionGuid: string;
  espPartitionGuid: string;
  users?: readonly InstalledUser[];
  /** A login, and the boot loader's kernel messages, on ttyS0. */
  serialConsole?: boolean;
  /** What the applied image already has. */
  image: { passwd: string; group: string; shadow: string; kernel: InstalledKernel; network: NetworkSystem };
}

export interface InstalledKernel {
  vmlinuz: string;
  initrd: string;
}

const systemd = "etc/systemd/system";
/** Makes the computer's own ssh host keys at its first start, and goes. Who may end that start comes after it. */
export const sshHostKeysUnit = "prestage-ssh-host-keys.service";

/** Everything that makes of an applied image this computer's own system, as changes to files; nothing runs in the image. */
export function installedSystemSettings(options: InstalledSystemOptions): SettingChange[] {
  const name = checkComputerName(options.computerName);
  const root = options.rootPartitionGuid.toLowerCase();
  const esp = options.espPartitionGuid.toLowerCase();
  const fstab = [
    `PARTUUID=${root} / ext4 defaults,noatime 0 1`,
    // Mounted only while something looks at it: it stays clean when the power fails.
    `PARTUUID=${esp} /boot/efi vfat umask=0077,nofail,x-systemd.automount,x-systemd.idle-timeout=30 0 2`,
  ];
  return [
    file("etc/fstab", `${fstab.join("\n")}\n`),
    { kind: "directory", path: "boot/efi", mode: 0o700, uid: 0, gid: 0 },
    file("etc/hostname", `${name}\n`),
    file("etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n`),
    // Empty, not missing: it is filled at the first start without presets being applied anew.
    file("etc/machine-id", "", 0o444),
    { kind: "remove", path: "var/lib/dbus/machine-id" },
    ...sshHostKeys(),
    ...dhcpEverywhere(options.image.network),
    ...accounts(options),
    ...bootLoader(options, root),
    ...(options.serialConsole === true ? [{ kind: "link" as const, path: `${systemd}/getty.target.wants/serial-getty@ttyS0.service`, target: "/lib/systemd/system/serial-getty@.service" }] : []),
  ];
}

/** A host name as RFC 1123 has it, one label, at most 63 characters. */
export function checkComputerName(name: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name)) throw new DiskError("PRESTAGE_DISK_BAD_SETTING", `Expected a computer name of letters, digits and hyphens, at most 63 characters, found ${JSON.stringify(name)}.`);
  return name;
}

/** The image has one set of host keys for all computers, or none: each makes its own before its ssh server starts. The service goes when they are on the disk. */
function sshHostKeys(): SettingChange[] {
  const paths = [`${systemd}/multi-user.target.wants/${sshHostKeysUnit}`, `${systemd}/${sshHostKeysUnit}`] as const;
  const types = ["rsa", "dsa", "ecdsa", "ed25519"];
  // A power cut may leave one half of a key without a byte, or not there. ssh-keygen looks for the private half alone. ($$ is systemd's $.)
  const halves = types.map((type) => `/etc/ssh/ssh_host_${type}_key`).join(" ");
  const script = `if [ -x /usr/bin/ssh-keygen ]; then for key in ${halves}; do [ -s $$key ] && [ -s $$key.pub ] || rm -f $$key $$key.pub; done; ssh-keygen -A && sync -f /etc/ssh; fi && rm -f ${paths.map((path) => `/${path}`).join(" ")}`;
  const unit = `[Unit]
Description=Make this computer's own ssh host keys
Before=ssh.service

[Service]
Type=oneshot
TimeoutStartSec=10min
ExecStart=/bin/sh -c '${script}'

[Install]
WantedBy=multi-user.target
`;
  return [
    ...types.flatMap((type): SettingChange[] => [{ kind: "remove", path: `etc/ssh/ssh_host_${type}_key` }, { kind: "remove", path: `etc/ssh/ssh_host_${type}_key.pub` }]),
    file(paths[1], unit),
    { kind: "link", path: paths[0], target: `/${paths[1]}` },
  ];
}

/** The first configuration of the installed GRUB; Debian's own package hooks write the next. */
function bootLoader(options: InstalledSystemOptions, root: string): SettingChange[] {
  const consoles = options.serialConsole === true ? " console=tty0 console=ttyS0,115200" : "";
  const { vmlinuz, initrd } = options.image.kernel;
  const config = `# Written by the deployment; update-grub replaces it.
set timeout=0
search --no-floppy --fs-uuid --set=root ${options.rootFileSystemUuid}
linux /boot/${vmlinuz} root=PARTUUID=${root} ro${consoles} quiet
initrd /boot/${initrd}
boot
`;
  return [
    file("boot/grub/grub.cfg", config, 0o600),
    file("etc/default/grub.d/prestage.cfg", `# Written by the deployment.\nGRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX${consoles}"\n`),
  ];
}

/** Adds the users to the image's own account files. */
function accounts(options: InstalledSystemOptions): SettingChange[] {
  const users = options.users ?? [];
  if (users.length === 0) return [];
  const passwd = options.image.passwd.split("\n").filter((line) => line !== "");
  const shadow = options.image.shadow.split("\n").filter((line) => line !== "");
  let group = options.image.group.split("\n").filter((line) => line !== "");
  const changes: SettingChange[] = [];
  const used = new Set(passwd.map((line) => Number(line.split(":")[2])));
  for (const line of group) used.add(Number(line.split(":")[2]));
  for (const user of users) {
    checkUser(user);
    const existing = passwd.find((line) => line.startsWith(`${user.name}:`))?.split(":");
    let id = 1000;
    while (existing === undefined && used.has(id)) id += 1;
    used.add(id);
    const uid = existing === undefined ? id : Number(existing[2]);
    const gid = existing === undefined ? id : Number(existing[3]);
    const home = existing?.[5] ?? `/home/${user.name}`;
    const entry = `${user.name}:${user.passwordHash ?? "*"}:19000:0:99999:7:::`;
    const row = shadow.findIndex((line) => line.startsWith(`${user.name}:`));
    if (row < 0) shadow.push(entry);
    else shadow[row] = entry;
    if (existing === undefined) {
      passwd.push(`${user.name}:x:${uid}:${gid}:${user.name}:${home}:/bin/bash`);
      group.push(`${user.name}:x:${gid}:`);
      changes.push({ kind: "directory", path: home.slice(1), mode: 0o700, uid, gid });
    }
    group = group.map((line) => joinGroup(line, user));
    if ((user.authorizedKeys ?? []).length > 0) {
      changes.push({ kind: "directory", path: `${home.slice(1)}/.ssh`, mode: 0o700, uid, gid });
      changes.push({ kind: "file", path: `${home.slice(1)}/.ssh/authorized_keys`, mode: 0o600, uid, gid, content: `${(user.authorizedKeys ?? []).join("\n")}\n` });
    }
  }
  // The shadow file's group is the image's own, by name.
  const shadowGid = Number(group.find((line) => line.startsWith("shadow:"))?.split(":")[2] ?? 0);
  changes.push(file("etc/passwd", `${passwd.join("\n")}\n`), file("etc/group", `${group.join("\n")}\n`));
  changes.push({ kind: "file", path: "etc/shadow", mode: 0o640, uid: 0, gid: shadowGid, content: `${shadow.join("\n")}\n` });
  return changes;
}

function joinGroup(line: string, user: InstalledUser): string {
  const [name = "", password = "", gid = "", members = ""] = line.split(":");
  const list = members.split(",").filter((member) => member !== "");
  if (user.groups?.includes(name) !== true || list.includes(user.name)) return line;
  return [name, password, gid, [...list, user.name].join(",")].join(":");
}

/** These go into line-based files: nothing in them may start a new field or line. */
function checkUser(user: InstalledUser): void {
  const refuse = (what: string): never => {
    throw new DiskError("PRESTAGE_DISK_BAD_SETTING", `The user ${JSON.stringify(user.name)} has ${what}. Correct it in the task sequence.`);
  };
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user.name)) refuse("a name that is not lower-case letters, digits, _ and - beginning with a letter");
  if (user.passwordHash !== undefined && !/^\$[0-9a-z]+\$[./0-9A-Za-z$=,]{8,250}$/.test(user.passwordHash)) refuse("a password hash that is not in crypt form ($6$..., $y$...); make one with 'openssl passwd -6'");
  for (const key of user.authorizedKeys ?? []) if (!/^[ -~]{20,16000}$/.test(key)) refuse("an ssh key that is not one line of text");
  for (const group of user.groups ?? []) if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(group)) refuse(`a group name ${JSON.stringify(group)} that is not valid`);
}

function file(path: string, content: string, mode = 0o644): SettingChange {
  return { kind: "file", path, mode, content };
}
