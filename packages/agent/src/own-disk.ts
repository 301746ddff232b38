import { espType } from "@prestage/disk";
import { z } from "zod";
import { runCommand } from "./run-command.ts";
import type { RunContext } from "./run/run-context.ts";

const lsblkSchema = z.object({ blockdevices: z.array(z.object({ path: z.string(), pkname: z.string().nullable(), parttype: z.string().nullable(), partuuid: z.string().nullable() })) });

/** The disk this system runs from, by what is mounted at the root. Only tools of Debian's minimal base: findmnt and lsblk. */
export async function ownDisk(): Promise<RunContext["disk"]> {
  const value = async (column: string) => (await runCommand("findmnt", ["-n", "-o", column, "/"])).output;
  const [dataPartition, dataGuid, dataFileSystemUuid] = [await value("SOURCE"), await value("PARTUUID"), await value("UUID")];
  const { output } = await runCommand("lsblk", ["--json", "--list", "--output", "PATH,PKNAME,PARTTYPE,PARTUUID"]);
  const devices = lsblkSchema.parse(JSON.parse(output)).blockdevices;
  const disk = devices.find((device) => device.path === dataPartition)?.pkname ?? "";
  const esp = devices.find((device) => device.pkname === disk && device.parttype === espType);
  return { device: `/dev/${disk}`, espPartition: esp?.path ?? "", espGuid: esp?.partuuid ?? "", dataPartition, dataGuid, dataFileSystemUuid };
}
