import type { DebianSuite } from "./debian-sources.ts";

export type BootProfile = "hardware" | "virtual";

export interface ProfileDefinition {
  suite: DebianSuite;
  components: readonly string[];
  /** Kernel and firmware packages, from the profile's own suite. */
  packages: readonly string[];
  /** Modules taken by name; loaded by name, in this order, before anything else. */
  modules: readonly string[];
  /** Folders under the kernel's module tree of which every module is taken. */
  moduleFolders: readonly string[];
  /** Folders and modules left out of those above: large, and never what a computer starts from or is installed over. */
  excluded: readonly string[];
  /** Whether the machine's devices are matched against all modules at the start. */
  matchDevices: boolean;
}

/** Debian's defaults for FAT need these by name: no dependency leads to them. */
const fileSystemModules = ["vfat", "exfat", "nls_cp437", "nls_ascii", "nls_utf8", "fuse", "loop", "efivarfs", "overlay"] as const;

/** For folders of file servers, loaded when one is mounted: the file system, and the ciphers it asks for by name (its soft dependencies). */
const networkFolderModules = ["fs/smb/client", ...["ccm", "gcm", "cmac", "ecb", "ctr", "ghash-generic", "sha512_generic", "hmac", "md5", "aes_generic"].map((name) => `crypto/${name}.ko`)] as const;

const virtual: ProfileDefinition = {
  suite: "bookworm",
  components: ["main"],
  packages: ["linux-image-cloud-amd64"],
  modules: ["8021q", "virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "virtio_scsi", "sd_mod", "nvme", ...fileSystemModules],
  moduleFolders: networkFolderModules,
  excluded: [],
  matchDevices: false,
};

const hardware: ProfileDefinition = {
  suite: "trixie",
  components: ["main", "non-free-firmware"],
  packages: [
    "linux-image-amd64",
    "firmware-realtek",
    "firmware-bnx2",
    "firmware-bnx2x",
    "firmware-misc-nonfree",
    "firmware-intel-misc",
    "firmware-netxen",
    "firmware-qlogic",
  ],
  modules: ["8021q", "ext4", "crc32c_generic", "sd_mod", /* a stick may be plugged in later */ "usb_storage", "uas", "usbhid", "hid_generic", "virtio_rng", ...fileSystemModules],
  moduleFolders: [
    ...networkFolderModules,
    "drivers/ata",
    "drivers/nvme/host",
    "drivers/nvme/common",
    "drivers/scsi",
    "drivers/message/fusion",
    "drivers/block/virtio_blk.ko",
    "drivers/block/mtip32xx",
    "drivers/pci/controller",
    "drivers/mmc",
    "drivers/ufs",
    "drivers/misc/cardreader",
    "drivers/usb/host",
    "drivers/usb/storage",
    "drivers/usb/core",
    "drivers/usb/common",
    "drivers/usb/roles",
    "drivers/usb/dwc3",
    "drivers/hid",
    "drivers/input/keyboard",
    "drivers/input/serio",
    "drivers/net/ethernet",
    "drivers/net/phy",
    "drivers/net/mdio",
    "drivers/net/pcs",
    "drivers/net/usb",
    "drivers/net/hyperv",
    "drivers/net/vmxnet3",
    "drivers/net/virtio_net.ko",
    "drivers/hv",
    "drivers/virtio",
    "drivers/i2c/busses",
    "drivers/pinctrl/intel",
    "drivers/platform/x86/intel",
    "drivers/mfd/intel-lpss.ko",
    "drivers/mfd/intel-lpss-pci.ko",
    "drivers/mfd/intel-lpss-acpi.ko",
    "drivers/char/tpm",
    "drivers/char/hw_random",
  ],
  excluded: [
    "drivers/scsi/bfa",
    "drivers/scsi/lpfc",
    "drivers/scsi/qla2xxx",
    "drivers/scsi/qla4xxx",
    "drivers/scsi/qedf",
    "drivers/scsi/qedi",
    "drivers/scsi/bnx2i",
    "drivers/scsi/bnx2fc",
    "drivers/scsi/be2iscsi",
    "drivers/scsi/cxgbi",
    "drivers/scsi/csiostor",
    "drivers/scsi/fcoe",
    "drivers/scsi/fnic",
    "drivers/scsi/snic",
    "drivers/scsi/libfc",
    "drivers/scsi/pcmcia",
    "drivers/scsi/scsi_debug.ko",
    "drivers/scsi/st.ko",
    "drivers/scsi/iscsi_tcp.ko",
    "drivers/net/ethernet/mellanox/mlxsw",
    "drivers/net/ethernet/netronome",
    "drivers/net/ethernet/cavium",
    "drivers/net/ethernet/huawei",
    "drivers/net/ethernet/pensando",
    "drivers/net/ethernet/fungible",
    "drivers/net/ethernet/brocade",
    "drivers/net/ethernet/emulex",
    "drivers/net/ethernet/sfc",
    "drivers/net/ethernet/chelsio",
    "drivers/net/ethernet/amazon",
    "drivers/net/usb/sierra_net.ko",
    "drivers/hid/amd-sfh-hid",
    "drivers/hid/intel-thc-hid",
    "drivers/pci/controller/dwc",
    "drivers/platform/x86/intel/ifs",
    "drivers/platform/x86/intel/speed_select_if",
  ],
  matchDevices: true,
};

export const profiles: Readonly<Record<BootProfile, ProfileDefinition>> = { hardware, virtual };

/** Userland comes from one suite whatever the kernel: the ICU replacement and the tested tools belong to it. */
export const userlandSuite: DebianSuite = "bookworm";
export const userlandPackages = [
  "busybox",
  "kmod",
  "mount",
  "wimtools",
  "e2fsprogs",
  "dosfstools",
  "ntfs-3g",
  "fuse3",
  "cifs-utils",
  "fdisk",
  "util-linux",
  "efibootmgr",
  "kbd",
  "console-data",
  "console-setup-linux",
  "libstdc++6",
  "libatomic1",
  "shim-signed",
  "grub-efi-amd64-signed",
] as const;
