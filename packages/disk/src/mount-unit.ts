import { DiskError } from "./error.ts";
import type { SettingChange } from "./setting-change.ts";

const systemFolders = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/prestage", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var/cache", "/var/lib/dpkg", "/var/lib/systemd", "/var/log", "/var/run", "/var/tmp"];

/** Mounts a file system at every start of the installed system, by a unit of its own: what writes /etc/fstab leaves it alone. `what` is a device or UUID=... */
export function mountUnit(what: string, place: string, fileSystem: "ext4" | "ntfs-3g"): SettingChange[] {
  if (!/^(\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}){1,8}$/.test(place) || systemFolders.some((taken) => place === taken || place.startsWith(`${taken}/`)) || ["/var", "/var/lib", "/home"].includes(place)) {
    throw new DiskError("PRESTAGE_DISK_BAD_SETTING", `Expected a place for data such as /srv/data, found ${JSON.stringify(place)}. Correct it in the task sequence.`);
  }
  const name = `${unitName(place)}.mount`;
  const systemd = "etc/systemd/system";
  const content = `[Unit]
Description=Data at ${place}

[Mount]
What=${what.replace(/^UUID=/, "/dev/disk/by-uuid/")}
Where=${place}
Type=${fileSystem}

[Install]
WantedBy=local-fs.target
`;
  return [
    { kind: "directory", path: place.slice(1), mode: 0o755, uid: 0, gid: 0 },
    { kind: "file", path: `${systemd}/${name}`, mode: 0o644, content },
    { kind: "link", path: `${systemd}/local-fs.target.wants/${name}`, target: `/${systemd}/${name}` },
  ];
}

/** Whether a unit is one of these: it names a file system of one computer. */
export function isDataMount(content: string): boolean {
  return /^\[Unit\]\nDescription=Data at \/[^\n]*\n\n\[Mount\]\n/.test(content);
}

/** A path's name as a unit (systemd.unit(5), "String escaping for inclusion in unit names"). */
function unitName(path: string): string {
  return path.slice(1).replace(/[^A-Za-z0-9:_./]/g, (one) => `\\x${one.charCodeAt(0).toString(16)}`).replace(/(^|\/)\./g, "$1\\x2e").replaceAll("/", "-");
}
