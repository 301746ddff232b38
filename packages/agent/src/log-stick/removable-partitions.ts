import { z } from "zod";
import { runCommand } from "../run-command.ts";

/** A file system a person may have plugged in to take the log away. */
export interface RemovablePartition { path: string; fileSystem: "vfat" | "exfat" | "ext4"; label: string; size: number; model: string }

const fileSystemSchema = z.enum(["vfat", "exfat", "ext4"]);
const partSchema = z.object({ path: z.string().regex(/^\/dev\/[A-Za-z0-9/_-]+$/), type: z.string(), size: z.int().min(0), mountpoints: z.array(z.string().nullable()) });
const diskSchema = partSchema.extend({ rm: z.boolean(), hotplug: z.boolean(), tran: z.string().nullable(), model: z.string().nullable(), children: z.array(partSchema).max(256).optional() });
const lsblkSchema = z.object({ blockdevices: z.array(diskSchema).max(1000) });

/** Every removable partition with a file system the log can go to; nothing of the disk the computer was started from, and nothing in use. */
export async function removablePartitions(startDisk: string, run: typeof runCommand = runCommand): Promise<RemovablePartition[]> {
  const { code, output } = await run("lsblk", ["--json", "--bytes", "--paths", "--output", "PATH,TYPE,SIZE,MOUNTPOINTS,RM,HOTPLUG,TRAN,MODEL"]);
  if (code !== 0) return [];
  const found: RemovablePartition[] = [];
  for (const { part, model } of candidates(JSON.parse(output), startDisk)) {
    const fileSystem = fileSystemSchema.safeParse(await probe(run, part.path, "TYPE"));
    if (fileSystem.success) found.push({ path: part.path, fileSystem: fileSystem.data, label: await probe(run, part.path, "LABEL"), size: part.size, model });
  }
  return found;
}

function candidates(listing: unknown, startDisk: string): { part: z.infer<typeof partSchema>; model: string }[] {
  const disks = lsblkSchema.parse(listing).blockdevices.filter((disk) => disk.type === "disk" && disk.path !== startDisk && (disk.rm || disk.hotplug || disk.tran === "usb"));
  // A stick without a partition table is one file system from its first sector.
  return disks.flatMap((disk) => (disk.children ?? [disk]).filter((part) => part.mountpoints.every((one) => one === null)).map((part) => ({ part, model: disk.model?.trim() ?? "" })));
}

async function probe(run: typeof runCommand, path: string, field: "TYPE" | "LABEL"): Promise<string> {
  const { code, output } = await run("blkid", ["-p", "-o", "value", "-s", field, path]);
  return code === 0 ? output.slice(0, 64) : "";
}
