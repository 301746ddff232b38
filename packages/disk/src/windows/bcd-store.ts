import { createHash } from "node:crypto";
import { emptyHive } from "../registry/empty-hive.ts";
import { putKey } from "../registry/hive-edit.ts";
import type { RegistryKey, RegistryValue } from "../registry/registry-key.ts";

/** Where the boot manager and Windows lie, by the GUIDs of a GPT; a disk may be moved to another port and is found all the same. */
export interface BcdOptions { diskGuid: string; espGuid: string; volumeGuid: string; /** Language of the boot manager's screens, such as en-US. */ locale: string }

/** Objects every store has under the same names (bcdedit /?; BCDEdit's identifiers). */
const bootManager = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
const globalSettings = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}";
const bootLoaderSettings = "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}";
const debuggerSettings = "{4636856e-540f-4170-a130-a84776f4c654}";
const emergencySettings = "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}";
const badMemory = "{5189b25c-5558-4bf2-bca4-289b11bd29e2}";

/** An element's data, by the format its type's second digit names (BcdElementType). */
type Element = { device: string } | { string: string } | { object: string } | { objects: readonly string[] } | { integer: bigint } | { boolean: boolean };

/**
 * A store of boot configuration data from nothing, as `bcdboot` would make it for one Windows: the boot manager, its loader, and the settings
 * both inherit. A store is a hive: Objects\{id}\Description has the object's type, Objects\{id}\Elements\TYPE its elements.
 */
export function bcdStore(options: BcdOptions, at: Date): Buffer {
  const { locale } = options;
  const device = (guid: string): Element => ({ device: guid });
  const loader = loaderId(options);
  const objects: Record<string, RegistryKey> = {
    [bootManager]: object(0x10100002, {
      "11000001": device(options.espGuid), "12000002": { string: "\\EFI\\Microsoft\\Boot\\bootmgfw.efi" }, "12000004": { string: "Windows Boot Manager" }, "12000005": { string: locale },
      "14000006": { objects: [globalSettings] }, "23000003": { object: loader }, "24000001": { objects: [loader] }, "25000004": { integer: 0n },
    }, options),
    [loader]: object(0x10200003, {
      "11000001": device(options.volumeGuid), "12000002": { string: "\\Windows\\system32\\winload.efi" }, "12000004": { string: "Windows" }, "12000005": { string: locale }, "14000006": { objects: [bootLoaderSettings] },
      // A hypervisor's protections expect it (BcdLibraryBoolean_IsolatedExecutionContext).
      "16000060": { boolean: true }, "21000001": device(options.volumeGuid), "22000002": { string: "\\Windows" }, "25000020": { integer: 0n },
    }, options),
    [globalSettings]: object(0x20100000, { "14000006": { objects: [debuggerSettings, emergencySettings, badMemory] } }, options),
    [bootLoaderSettings]: object(0x20200003, { "14000006": { objects: [globalSettings] } }, options),
    [debuggerSettings]: object(0x20100000, {}, options),
    [emergencySettings]: object(0x20100000, { "16000020": { boolean: false } }, options),
    [badMemory]: object(0x20100000, {}, options),
  };
  const description: RegistryKey = { values: { KeyName: { type: "string", text: "BCD00000000" }, System: { type: "dword", number: 1 }, TreatAsSystem: { type: "dword", number: 1 } } };
  return putKey(emptyHive("NewStoreRoot", at), [], { keys: { Description: description, Objects: { keys: objects } } }, at);
}

function object(type: number, elements: Readonly<Record<string, Element>>, options: BcdOptions): RegistryKey {
  const keys = Object.entries(elements).map(([name, element]) => [name, { values: { Element: elementValue(element, options) } }] as const);
  return { keys: { Description: { values: { Type: { type: "dword", number: type } } }, Elements: { keys: Object.fromEntries(keys) } } };
}

function elementValue(element: Element, { diskGuid }: BcdOptions): RegistryValue {
  if ("string" in element) return { type: "string", text: element.string };
  if ("object" in element) return { type: "string", text: element.object };
  if ("objects" in element) return { type: "multi", texts: element.objects };
  if ("boolean" in element) return { type: "binary", bytes: Buffer.from([element.boolean ? 1 : 0]) };
  if ("device" in element) return { type: "binary", bytes: partitionDevice(diskGuid, element.device) };
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(element.integer);
  return { type: "binary", bytes };
}

/**
 * A partition of a GPT as a device: the GUID of further options (none), then an identifier of kind 6, which names a partition
 * by its own GUID and its disk's.
 */
function partitionDevice(diskGuid: string, partitionGuid: string): Buffer {
  const bytes = Buffer.alloc(0x58);
  bytes.writeUInt32LE(6, 0x10);
  bytes.writeUInt32LE(0x48, 0x18); // length of the identifier
  guidBytes(partitionGuid).copy(bytes, 0x20);
  bytes.writeUInt32LE(0, 0x34); // partitioned by GPT
  guidBytes(diskGuid).copy(bytes, 0x38);
  return bytes;
}

/** The first three parts little-endian, the others as they are written. */
function guidBytes(guid: string): Buffer {
  const hex = /^\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?$/i.exec(guid);
  if (hex === null) throw new TypeError(`no GUID: ${JSON.stringify(guid)}`);
  const [first = "", second = "", third = "", fourth = "", fifth = ""] = hex.slice(1);
  return Buffer.concat([...[first, second, third].map((part) => Buffer.from(part, "hex").reverse()), Buffer.from(fourth + fifth, "hex")]);
}

/** The loader's own GUID: the same one for the same disk and volume, so that the step run again makes the same store. */
function loaderId({ diskGuid, volumeGuid }: BcdOptions): string {
  const hash = createHash("sha256").update(`prestage loader ${diskGuid.toLowerCase()} ${volumeGuid.toLowerCase()}`).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x40; // version 4, variant 1 (RFC 9562): random enough
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return `{${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}}`;
}
