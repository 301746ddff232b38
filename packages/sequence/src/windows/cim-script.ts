import { cmdlet, powerShellScript, powerShellText } from "./powershell.ts";

/** Properties of the instances of a class of Windows Management Instrumentation. */
export interface CimQuery { className: string; namespace?: string; properties: readonly string[]; filter?: string }

/** A script that prints one line of JSON for each question, whether it can be answered or not. */
export function cimScript(queries: readonly CimQuery[]): string {
  return powerShellScript(queries.flatMap(({ className, namespace, properties, filter }) => [
    `$found = @(${cmdlet("Get-CimInstance", { ClassName: className, Namespace: namespace, Filter: filter, ErrorAction: "SilentlyContinue" })} | ${cmdlet("Select-Object", { Property: { raw: properties.map(powerShellText).join(", ") } })})`,
    cmdlet("ConvertTo-Json", { InputObject: { raw: "$found" }, Compress: true }),
  ]));
}

/** What conditions ask of hardware and system, and where Windows says it. */
export const windowsFactQueries = [
  { className: "Win32_ComputerSystemProduct", properties: ["Vendor", "Name", "Version", "IdentifyingNumber", "UUID"] },
  { className: "Win32_SystemEnclosure", properties: ["SMBIOSAssetTag", "ChassisTypes"] },
  { className: "Win32_ComputerSystem", properties: ["HypervisorPresent", "SystemSKUNumber"] },
  { className: "Win32_Tpm", namespace: "root/cimv2/Security/MicrosoftTpm", properties: ["SpecVersion"] },
  { className: "Win32_DiskDrive", properties: ["Size", "MediaType"] },
  { className: "Win32_Processor", properties: ["MaxClockSpeed"] },
  { className: "Win32_OperatingSystem", properties: ["Version", "MUILanguages", "OSArchitecture"] },
  { className: "Win32_NetworkAdapterConfiguration", properties: ["DefaultIPGateway"], filter: "IPEnabled = TRUE" },
  { className: "Win32_Battery", properties: ["BatteryStatus"] },
  { className: "MSFT_NetAdapter", namespace: "root/StandardCimv2", properties: ["MediaConnectState", "NdisPhysicalMedium", "HardwareInterface"] },
] as const satisfies readonly CimQuery[];

/** What capture-network-settings and capture-system-settings ask. */
export const windowsSettingsQueries = [
  { className: "Win32_NetworkAdapterConfiguration", properties: ["MACAddress", "DHCPEnabled", "IPAddress", "IPSubnet", "DefaultIPGateway", "DNSServerSearchOrder", "DNSDomain"], filter: "IPEnabled = TRUE" },
  { className: "MSFT_NetAdapter", namespace: "root/StandardCimv2", properties: ["Name", "PermanentAddress", "HardwareInterface", "NdisPhysicalMedium"] },
  { className: "Win32_ComputerSystem", properties: ["Name", "PartOfDomain", "Domain", "Workgroup"] },
  { className: "Win32_OperatingSystem", properties: ["RegisteredUser", "Organization", "MUILanguages"] },
] as const satisfies readonly CimQuery[];
