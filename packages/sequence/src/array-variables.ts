import type { KnownVariable } from "./known-variable.ts";

const adapters = { kind: "given", setBy: ["capture-network-settings"], readBy: ["apply-network-settings"] } as const;
const partitions = { kind: "given", readBy: ["partition-disk"] } as const;

/** The reference's arrays: a count, and for each number from 0 the variables of one adapter or partition. The rows are those of the first. */
export const arrayVariables: readonly KnownVariable[] = [
  { ...adapters, name: "OSDAdapterCount", meaning: "Number of network adapters an apply-network-settings step without `adapters` sets up, at most 16, by the array variables below: OSDAdapter1IPAddressList is of the second, and so on.", example: "1" },
  { ...adapters, name: "OSDAdapter0MACAddress", meaning: "Which adapter it is.", example: "52:54:00:12:34:56" },
  { ...adapters, name: "OSDAdapter0Name", meaning: "Or its name in the installed system; without either: the next wired one.", example: "enp1s0" },
  { ...adapters, name: "OSDAdapter0EnableDHCP", meaning: "true: by DHCP; left out: only where no address is given.", example: "false" },
  { ...adapters, name: "OSDAdapter0IPAddressList", meaning: "Its addresses, commas between. On the media, the boot environment takes the first of them where PrestageNetworkAddress is not set.", example: "10.17.0.20" },
  { ...adapters, name: "OSDAdapter0SubnetMask", meaning: "A mask or prefix for each of them, commas between.", example: "255.255.255.0" },
  { ...adapters, name: "OSDAdapter0Gateways", meaning: "Its gateways, commas between.", example: "10.17.0.1" },
  { ...adapters, name: "OSDAdapter0DNSServerList", meaning: "Its name servers, commas between.", example: "10.17.0.2,10.17.0.3" },
  { ...adapters, name: "OSDAdapter0DNSSuffix", meaning: "Domains in which its names are looked up, commas between.", example: "example.org" },
  { ...partitions, name: "OSDPartitions", meaning: "Number of partitions a partition-disk step without `partitions` makes, at most 16, by the array variables below: OSDPartitions1Type is of the second, and so on.", example: "2" },
  { ...partitions, name: "OSDPartitionStyle", meaning: "GPT, as where it is left out; MBR is refused.", example: "GPT" },
  { ...partitions, name: "OSDPartitions0Type", meaning: "Primary, EFI, MSR, Hidden or Recovery.", example: "Primary" },
  { ...partitions, name: "OSDPartitions0FileSystem", meaning: "FAT32, NTFS or ext4.", example: "NTFS" },
  { ...partitions, name: "OSDPartitions0Bootable", meaning: "true: of a Primary one, that it is the EFI system partition.", example: "true" },
  { ...partitions, name: "OSDPartitions0QuickFormat", meaning: "false: every block of it is written first.", example: "true" },
  { ...partitions, name: "OSDPartitions0VolumeName", meaning: "Its name.", example: "Data" },
  { ...partitions, name: "OSDPartitions0Size", meaning: "Its size; left out: all that is left.", example: "60" },
  { ...partitions, name: "OSDPartitions0SizeUnits", meaning: "MB, as where it is left out, GB, or Percent of what is left behind those before it.", example: "Percent" },
  { ...partitions, name: "OSDPartitions0VolumeLetterVariable", meaning: "The variable that gets the partition: its device, in an installed Windows its drive.", example: "DataDisk" },
];
