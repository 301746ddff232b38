import assert from "node:assert/strict";
import { test } from "node:test";
import { readXmlText } from "../../read-xml.ts";
import { imagesOf } from "./export-images.ts";
import type { ExportObject } from "./exported-object.ts";
import { importSequence, readSourceSequence } from "../index.ts";

const object = (className: string, id: string, path = ""): ExportObject => ({ className, id, properties: new Map([["name", id], ["pkgsourcepath", path]]), root: readXmlText("<INSTANCE/>") });
const step = (values: Readonly<Record<string, string>>) => `<step type="SMS_TaskSequence_ApplyOperatingSystemAction" name="System"><defaultVarList>${Object.entries(values).map(([name, value]) => `<variable name="${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList></step>`;
const sequence = (...steps: string[]) => readSourceSequence(readXmlText(`<sequence version="3.10"><group name="G">${steps.join("")}</group></sequence>`));

test("images and setup files are imported with the index that a step names, else the first; boot images are not", () => {
  const objects = [object("SMS_ImagePackage", "PS100003", "\\\\server\\images\\W11.wim"), object("SMS_ImagePackage", "PS100005", "\\\\server\\images"), object("SMS_OperatingSystemInstallPackage", "PS100004", "\\\\server\\setup"), object("SMS_BootImagePackage", "PS100002", "\\\\server\\boot.wim")];
  const found = imagesOf(objects, [sequence(), sequence(step({ ImagePackageID: "ps100003", ImageIndex: "4" }), step({ InstallPackageID: "PS100004", InstallEditionIndex: "6", ImageIndex: "1" }), step({ ImagePackageID: "PS100003", ImageIndex: "7" }))]);
  assert.deepEqual(found.map((one) => [one.guid, one.kind, one.index, one.images]), [["PS100003", "os-image", 4, ["W11.wim"]], ["PS100005", "os-image", 1, []], ["PS100004", "os-image", 6, ["sources/install.wim", "sources/install.esd"]]]);
});

test("a step that installs from setup files applies the edition it names; one that names none is disabled", () => {
  const imported = (values: Readonly<Record<string, string>>) => importSequence(sequence(step(values)), { origin: "configmgr", mapping: new Map([["ps100004", "ABC00004"]]) });
  const named = imported({ InstallPackageID: "PS100004", InstallEditionIndex: "6", ImageIndex: "1" });
  assert.match(named.yaml, /osImage: ABC00004, index: 6/);
  assert.match(named.report.lines.at(-1)?.notes.join("\n") ?? "", /nothing of the setup itself is run/);
  for (const values of [{ InstallPackageID: "PS100004" }, { InstallPackageID: "PS100004", InstallEditionIndex: "0" }]) assert.match(imported(values).report.lines.at(-1)?.notes.join("\n") ?? "", /does not say which edition/);
  assert.match(imported({}).report.lines.at(-1)?.notes.join("\n") ?? "", /^no image is named/);
});
