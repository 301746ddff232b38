import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import type { DeviceAttributes } from "@prestage/trust";
import { wiredInterfaces } from "../network/wired-interfaces.ts";

/** What this machine says of itself: SMBIOS, wired MAC addresses, the disk's serial. They choose among records; they grant nothing. */
export async function readDeviceAttributes(disk: string): Promise<DeviceAttributes> {
  const macAddresses: string[] = [];
  for (const name of await wiredInterfaces().catch(() => [])) {
    const address = (await readFile(`/sys/class/net/${name}/address`, "utf8").catch(() => "")).trim().toLowerCase();
    if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(address)) macAddresses.push(address);
  }
  const texts = {
    smbiosUuid: await firstLine("/sys/class/dmi/id/product_uuid", 64),
    serialNumber: await firstLine("/sys/class/dmi/id/product_serial", 128),
    manufacturer: await firstLine("/sys/class/dmi/id/sys_vendor", 128),
    model: await firstLine("/sys/class/dmi/id/product_name", 128),
    diskSerial: await firstLine(`/sys/block/${disk.replace("/dev/", "")}/serial`, 128),
  };
  const found = Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== ""));
  return { ...found, macAddresses, memoryMiB: Math.round(totalmem() / 1048576) };
}

async function firstLine(path: string, limit: number): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return (text.split("\n")[0] ?? "").replace(/[^\x20-\x7e]/g, "").trim().slice(0, limit);
}
