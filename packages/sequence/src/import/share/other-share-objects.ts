import { attributeOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import type { ImportLine } from "../import-report.ts";
import { driverFolder, isEnabled, membersOf } from "./read-share.ts";
import type { ShareFiles } from "./read-share.ts";

/** Lines for what a share holds and what is not imported: updates, selections, groups and drivers that no driver package comes of. */
export function otherShareObjects(files: ShareFiles): ImportLine[] {
  const drivers = childrenOf(files.drivers, "driver");
  const groups = childrenOf(files.driverGroups, "group");
  const grouped = new Set(groups.flatMap(membersOf));
  const usable = new Set(drivers.filter((one) => isEnabled(one) && driverFolder(one) !== undefined).map(guidOf));
  return [
    ...childrenOf(files.packages, "package").map((one) => lineOf(one, packageType(one), `make a package of ${textOf(one, "Source").slice(0, 300) || "its file"} (prestage package import), and name it in install-updates${described(one)}; language packs and features belong into the image`)),
    ...drivers.filter((one) => !grouped.has(guidOf(one))).map((one) => lineOf(one, "driver", "it is in no driver group, and a driver package is made of a group")),
    ...drivers.filter((one) => grouped.has(guidOf(one)) && driverFolder(one) === undefined).map((one) => lineOf(one, "driver", "its files do not lie in the share")),
    ...groups.filter((one) => !membersOf(one).some((guid) => usable.has(guid))).map((one) => lineOf(one, "driver group", "it holds no driver that is on and lies in the share")),
    ...childrenOf(files.selectionProfiles, "selectionProfile").map((one) => lineOf(one, "selection profile", "steps name content itself here: a driver package, or a package of updates")),
  ];
}

const guidOf = (one: XmlElement): string => attributeOf(one, "guid").toLowerCase();

function packageType(one: XmlElement): string {
  return textOf(one, "PackageType") || "package";
}

/** What the package is for, where the share says it. */
function described(one: XmlElement): string {
  const found = ["ProductName", "ProductVersion", "Architecture", "Language", "Keyword"].map((name) => textOf(one, name)).filter((value) => value !== "");
  return `${found.length === 0 ? "" : ` (for ${found.join(", ").slice(0, 200)})`}${/^true$/i.test(textOf(one, "Reboot")) ? "; it asks for a restart, which install-updates does where Windows wants one" : ""}`;
}

function lineOf(one: XmlElement, type: string, note: string): ImportLine {
  return { kind: "object", name: textOf(one, "Name"), path: [guidOf(one)], type, status: "disabled", enabled: isEnabled(one), to: "", notes: [note] };
}
