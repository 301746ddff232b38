/** Programs taken from Debian's packages, under the path they have in the boot environment. */
export const programs: readonly string[] = [
  "usr/bin/busybox",
  "usr/bin/wimlib-imagex",
  "usr/bin/lsblk",
  "usr/bin/mount",
  "usr/bin/umount",
  "usr/bin/findmnt",
  "usr/bin/ntfs-3g",
  "usr/bin/ntfsinfo",
  "usr/bin/efibootmgr",
  "usr/bin/loadkeys",
  "usr/bin/setfont",
  "usr/bin/partx",
  "usr/sbin/blkid",
  "usr/sbin/blockdev",
  "usr/sbin/debugfs",
  "usr/sbin/dumpe2fs",
  "usr/sbin/e2fsck",
  "usr/sbin/fsck.fat",
  "usr/sbin/mke2fs",
  "usr/sbin/mkfs.fat",
  "usr/sbin/mkntfs",
  "usr/sbin/mount.cifs",
  "usr/sbin/resize2fs",
  "usr/sbin/sfdisk",
  "usr/sbin/tune2fs",
  "usr/sbin/wipefs",
];

export const programLinks: Readonly<Record<string, string>> = {
  "usr/sbin/fsck.ext4": "e2fsck",
  "usr/sbin/fsck.vfat": "fsck.fat",
  "usr/sbin/mkfs.ext4": "mke2fs",
  "usr/sbin/mkfs.vfat": "mkfs.fat",
  "usr/sbin/mkfs.ntfs": "mkntfs",
  "usr/sbin/mount.ntfs-3g": "../bin/ntfs-3g",
  // Where the kernel looks for it when a file system or cipher is asked for by name.
  "usr/sbin/modprobe": "../bin/busybox",
};

/** Busybox's own; where a full program stands above, that one is used. */
export const busyboxApplets: readonly string[] = `[ ar arping ash awk base64 basename bc blkdiscard cat chgrp chmod chown chroot clear cmp cp cpio cttyhack cut date dd depmod
df dirname dmesg dnsdomainname du echo egrep env expr false fgrep find flock fold free fstrim fsfreeze grep gunzip gzip halt head hexdump hostname hwclock id
ifconfig insmod ip kill killall less ln loadfont loadkmap losetup ls lsmod md5sum mkdir mkfifo mknod mkswap mktemp modinfo modprobe more mountpoint mv nc
nslookup od openvt pidof ping ping6 pivot_root poweroff printf ps pwd readlink realpath reboot reset rm rmdir rmmod route sed seq setsid sh sha1sum sha256sum
sha512sum sleep sort stat strings stty sync sysctl tail tar tee test time timeout top touch tr traceroute true truncate tty udhcpc umount uname uniq
unlink unshare uptime usleep vi wc wget which xargs xxd xzcat yes zcat`.split(/\s+/);

/** Compressed data, unpacked in the boot environment: keymaps with what they include, and fonts of the console. */
export const consoleData: readonly string[] = [
  ...["qwerty/us", "qwerty/uk", "azerty/fr-latin9", "qwertz/de-latin1", "qwertz/de-latin1-nodeadkeys"].map((name) => `usr/share/keymaps/i386/${name}.kmap`),
  ...["azerty-layout", "qwerty-layout", "qwertz-layout", "linux-with-alt-and-altgr", "linux-keys-bare", "linux-keys-extd", "euro", "keypad", "backspace", "ctrl", "windowkeys"].map((name) => `usr/share/keymaps/i386/include/${name}.inc`),
  ...["compose.latin1", "compose.latin"].map((name) => `usr/share/keymaps/include/${name}.inc`),
  ...["Lat15-Terminus16", "Lat15-Terminus32x16"].map((name) => `usr/share/consolefonts/${name}.psf`),
];

/** Configuration a program does not work well without. */
export const configuration: readonly string[] = ["etc/mke2fs.conf"];
