import { readdir, readFile, stat } from "node:fs/promises";
import { windowsFacts } from "../windows/windows-facts.ts";
import { cpus, networkInterfaces, totalmem } from "node:os";

const dmi = "/sys/class/dmi/id";
const dmiFiles: Readonly<Record<string, string>> = {
  manufacturer: "sys_vendor", model: "product_name", version: "product_version", sku: "product_sku", serialNumber: "product_serial", assetTag: "chassis_asset_tag", uuid: "product_uuid", chassis: "chassis_type",
};

/** What firmware and kernel say of this computer; undefined where they say nothing. */
export async function hardwareFact(name: string): Promise<string | undefined> {
  if (process.platform === "win32" && !["processor", "cores", "memoryMiB", "macAddresses"].includes(name)) return (await windowsFacts(new AbortController().signal)).hardware[name];
  const file = dmiFiles[name];
  if (file !== undefined) return firstLine(`${dmi}/${file}`);
  switch (name) {
    case "firmware":
      return (await isThere("/sys/firmware/efi")) ? "uefi" : "bios";
    case "secureBoot":
      return secureBoot();
    case "tpm":
      return (await firstLine("/sys/class/tpm/tpm0/tpm_version_major")) ?? ((await isThere("/sys/class/tpm/tpm0")) ? "1" : undefined);
    case "virtual":
      return String(/^flags\s*:.*\bhypervisor\b/m.test(await readFile("/proc/cpuinfo", "utf8")));
    case "processor":
      return cpus()[0]?.model.trim();
    case "processorMHz":
      return String(Math.round(Number(/^cpu MHz\s*: (\d+(\.\d+)?)$/m.exec(await readFile("/proc/cpuinfo", "utf8"))?.[1] ?? cpus()[0]?.speed ?? 0)));
    case "cores":
      return String(cpus().length);
    case "memoryMiB":
      return String(Math.round(totalmem() / 2 ** 20));
    case "diskMiB":
      return largestDisk();
    case "macAddresses":
      return macAddresses();
    default:
      return undefined;
  }
}

async function firstLine(path: string): Promise<string | undefined> {
  const line = (await readFile(path, "utf8").catch(() => "")).split("\n")[0]?.trim();
  return line === undefined || line === "" ? undefined : line;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

/** The firmware variable's fifth byte, after four of attributes (UEFI Specification, 3.3). */
async function secureBoot(): Promise<string> {
  const name = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  const bytes = await readFile(name).catch(() => undefined);
  return bytes === undefined ? "NA" : bytes[4] === 1 ? "Enabled" : "Disabled";
}

/** Of the disks that are no stick, card or memory, the largest; the kernel counts in 512 bytes. */
async function largestDisk(): Promise<string | undefined> {
  let largest = 0;
  for (const disk of await readdir("/sys/block").catch(() => [])) {
    if (/^(loop|ram|zram|sr|fd|nbd|dm-|md)/.test(disk) || (await firstLine(`/sys/block/${disk}/removable`)) === "1") continue;
    largest = Math.max(largest, Number((await firstLine(`/sys/block/${disk}/size`)) ?? 0) * 512);
  }
  return largest === 0 ? undefined : String(Math.floor(largest / 2 ** 20));
}

function macAddresses(): string | undefined {
  const found = Object.values(networkInterfaces()).flat().filter((one) => one !== undefined && !one.internal).map((one) => one?.mac.toUpperCase() ?? "");
  const unique = [...new Set(found)].toSorted();
  return unique.length === 0 ? undefined : unique.join(",");
}
