// Plain JavaScript that Node 18 runs.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** Debian packages each task needs, and why. */
export const debianPackages = {
  lint: [],
  cli: ["wimtools", "postgresql-15"],
  all: [
    "ca-certificates", "openssl", "debian-archive-keyring", // package downloads
    "wimtools", "7zip", // WIM as a program, and a second reader as test oracle
    "mmdebstrap", "zstd", "xz-utils", "cpio", "kmod", "binutils", "sbsigntool", // boot environment and demo image
    "fdisk", "gdisk", "dosfstools", "mtools", "e2fsprogs", "ntfs-3g", "util-linux", "mount", "attr", // disks
    "qemu-system-x86", "ovmf", // the lab
    "postgresql-15", // the site's database
    "busybox", // the root without our tools that a depot's bundle is tried in
  ],
  test: [
    "nginx-light", // a web server as distribution point
    "slapd", "ldap-utils", "sssd-common", "sssd-ldap", "libnss-sss", // a directory to join, and what asks it
    "cryptsetup-bin", "dmsetup", // volumes a sequence encrypts
    "libhivex-bin", // what reads the registry's hives a step writes
    "systemd", "iproute2", // what reads the network settings a sequence writes
  ],
  long: [
    "ceph-mon", "ceph-osd", "radosgw", "ceph-common", // an S3 store as distribution point
    "gcc-mingw-w64-x86-64", "wine", "wine64", "wixl", // the agent's service for Windows, and where it is tried
    "nfs-ganesha", "nfs-ganesha-vfs", "libnfs-utils", // an NFS server that needs nothing of the kernel, and what asks it
    "samba", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules", "winbind", "adcli", "smbclient", // an Active Directory to join, a file server
  ],
  bench: ["casync", "xdelta3", "zsync", "nginx-light", "wrk", "time"], // what a top-up is measured against
};

/** Servers the tests start themselves, each on a port of its own: installing one must not open a port of this machine. */
const keptStopped = ["nginx-light", "ceph-mon", "ceph-osd", "radosgw", "slapd", "sssd-common", "sssd-ldap", "samba", "winbind", "nfs-ganesha"];

/** Installs what is missing, naming it first. */
export function ensureDebianPackages(names) {
  const missing = names.filter((name) => !isInstalled(name));
  const noLists = !readdirSync("/var/lib/apt/lists").some((name) => name.endsWith("Release"));
  if (missing.length === 0 && !noLists) return;
  if (missing.length > 0) console.error(`Installing Debian packages: ${missing.join(" ")}`);
  runAsRoot(["apt-get", "-q", "update"]);
  const [servers, others] = [missing.filter((name) => keptStopped.includes(name)), missing.filter((name) => !keptStopped.includes(name))];
  if (others.length > 0) runAsRoot([...install, ...others]);
  // Debian's own way to say "do not start it" (invoke-rc.d(8)); a file that is there already is its owner's.
  if (servers.length > 0) runAsRoot(["sh", "-c", 'p=/usr/sbin/policy-rc.d; if [ -e $p ]; then exec "$@"; fi; trap "rm -f $p" EXIT INT TERM; printf "#!/bin/sh\\nexit 101\\n" >$p; chmod 755 $p; "$@"', "sh", ...install, ...servers]);
}

const install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends", "install"];

function isInstalled(name) {
  const result = spawnSync("dpkg-query", ["-W", "-f=${Status}", name], { encoding: "utf8" });
  if (result.error) throw new Error(`Expected a Debian system with dpkg; found: ${result.error.message}. Prestage's set-up runs on Debian 12 or newer.`);
  return result.stdout.includes("install ok installed");
}

function runAsRoot(command) {
  const argv = process.getuid() === 0 ? command : ["sudo", ...command];
  const result = spawnSync(argv[0], argv.slice(1), { stdio: ["ignore", 2, 2] });
  if (result.error || result.status !== 0) {
    throw new Error(`Expected \`${argv.join(" ")}\` to succeed; it ended with ${result.error ? result.error.message : result.status}. Run it by hand as root, then start again.`);
  }
}
