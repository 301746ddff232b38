import type { WimEntry } from "./entry.ts";
import type { WimImage } from "./metadata.ts";

export type NameTarget = "linux" | "windows";

export type UnsafeNameReason =
  | "empty" | "dot" | "separator" | "nul" | "too-long" | "unpaired-surrogate" | "duplicate"
  | "case-twin" | "reserved-character" | "device-name" | "trailing-dot-or-space";

/** A name that must not be laid down on the target. */
export interface UnsafeName {
  readonly path: string;
  readonly reason: UnsafeNameReason;
}

const deviceName = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;
// eslint-disable-next-line no-control-regex -- control characters are what Windows refuses
const reservedCharacter = /[\u0001-\u001f<>:"|?*]/;

/** What is wrong with one name on its own; undefined when nothing is. */
export function nameFault(name: string, target: NameTarget): UnsafeNameReason | undefined {
  if (name === "") return "empty";
  if (name === "." || name === "..") return "dot";
  if (name.includes("\0")) return "nul";
  if (name.includes("/") || (target === "windows" && name.includes("\\"))) return "separator";
  if (target === "linux") {
    if (!name.isWellFormed()) return "unpaired-surrogate";
    return Buffer.byteLength(name) > 255 ? "too-long" : undefined;
  }
  if (name.length > 255) return "too-long";
  if (reservedCharacter.test(name)) return "reserved-character";
  if (deviceName.test(name)) return "device-name";
  return /[. ]$/.test(name) ? "trailing-dot-or-space" : undefined;
}

/** Every name of an image the target could not hold, or would take for something else. Iterative: depth costs no stack. */
export function unsafeNames(image: WimImage, target: NameTarget): UnsafeName[] {
  const found: UnsafeName[] = [];
  const pending: { path: string; entry: WimEntry }[] = [{ path: "", entry: image.root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const exact = new Set<string>();
    const folded = new Set<string>();
    for (const entry of next.entry.children) {
      const path = next.path === "" ? entry.name : `${next.path}/${entry.name}`;
      const fold = upperCase(entry.name);
      const twin = target === "windows" && folded.has(fold) ? "case-twin" : undefined;
      const reason = nameFault(entry.name, target) ?? (exact.has(entry.name) ? "duplicate" : twin);
      if (reason !== undefined) found.push({ path, reason });
      exact.add(entry.name);
      folded.add(fold);
      pending.push({ path, entry });
    }
  }
  return found;
}

/** Upper case unit by unit, as NTFS compares: characters whose upper case is longer stay. */
export function upperCase(name: string): string {
  if (/^[\u0020-\u007e]*$/.test(name)) return name.toUpperCase();
  let upper = "";
  for (let i = 0; i < name.length; i++) {
    const unit = name.charAt(i);
    const mapped = unit.toUpperCase();
    upper += mapped.length === 1 ? mapped : unit;
  }
  return upper;
}
