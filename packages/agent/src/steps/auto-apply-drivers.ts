import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { autoApplyDriversStep } from "@prestage/sequence";
import { aliasPattern, deviceAliases } from "../facts/device-aliases.ts";
import { computerModel, copyDrivers, isForModel, moduleFolders, rebuildInitramfs } from "./install-drivers.ts";
import { stageDriversForWindows } from "../windows/stage-drivers.ts";
import { defineStep } from "./step-executor.ts";

/** What a driver package fits, device by device: how exactly it names it. `model`: it names no devices and is for this model. */
export interface Candidate { id: string; name: string; fits: ReadonlyMap<string, number> | "model" }

const largestList = 4 << 20;
const mostModules = 5000;

/** Applies the driver packages that fit this computer's own devices. */
export const step = defineStep(autoApplyDriversStep, async (run, { driverPackages, choose }) => {
  if (run.context.environment === "boot") return stageDriversForWindows(run, driverPackages);
  const { content, signal } = run.context;
  const model = await computerModel();
  const devices = await deviceAliases();
  const candidates: Candidate[] = [];
  for (const [i, id] of [...new Set(driverPackages)].entries()) {
    run.progress({ label: "Looking for drivers", done: i, total: driverPackages.length, unit: "files" });
    const copy = await content.checkOut(id);
    try {
      const { content: found, folder } = copy;
      const models = found.definition.kind === "driver-package" ? found.definition.models : [];
      if (!isForModel(model, models)) {
        run.output(`${found.name} is for ${models.join(", ")}; this computer is ${JSON.stringify(model)}`);
        continue;
      }
      const aliases = await packageAliases(folder, signal);
      const fits = aliases.length === 0 && models.length > 0 ? "model" : fittingDevices(aliases, devices);
      run.output(`${found.name} ${fits === "model" ? "is for this model" : `fits ${fits.size} of ${devices.length} devices`}`);
      candidates.push({ id, name: found.name, fits });
    } finally {
      await copy.release();
    }
  }
  const chosen = choosePackages(candidates, choose);
  if (chosen.length === 0) return { outputTail: "Nothing was changed: no driver package fits this computer's devices." };
  for (const { id, name } of chosen) {
    const copy = await content.checkOut(id);
    try {
      await copyDrivers(run, name, copy.folder);
    } finally {
      await copy.release();
    }
  }
  const outcome = await rebuildInitramfs(run);
  return { ...outcome, outputTail: `applied ${chosen.map((one) => one.name).join(", ")}\n${outcome.outputTail ?? ""}`.trim() };
});

/** For each device the package that names it most exactly, or every package that fits one; those for the model always. */
export function choosePackages(candidates: readonly Candidate[], choose: "best" | "all"): Candidate[] {
  const best = new Map<string, { exactness: number; id: string }>();
  for (const { id, fits } of candidates) {
    if (fits === "model") continue;
    for (const [device, exactness] of fits) if (exactness > (best.get(device)?.exactness ?? -1)) best.set(device, { exactness, id });
  }
  const ids = new Set([...best.values()].map((one) => one.id));
  return candidates.filter(({ id, fits }) => fits === "model" || (choose === "all" ? fits.size > 0 : ids.has(id)));
}

/** The devices that aliases fit, and how exactly. */
export function fittingDevices(aliases: readonly string[], devices: readonly string[]): Map<string, number> {
  const fits = new Map<string, number>();
  const patterns = aliases.map(aliasPattern);
  for (const device of devices) {
    for (const pattern of patterns) if (pattern.exactness > (fits.get(device) ?? -1) && pattern.fits(device)) fits.set(device, pattern.exactness);
  }
  return fits;
}

/** What the package says it is for: its list, and its modules' own aliases. */
async function packageAliases(folder: string, signal: AbortSignal): Promise<string[]> {
  const list = join(folder, "modaliases");
  const small = await stat(list).then((status) => status.isFile() && status.size <= largestList, () => false);
  const listed = small ? (await readFile(list, "utf8")).split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#")) : [];
  const modules: string[] = [];
  for (const place of moduleFolders(folder)) {
    const names = (await readdir(place, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => entry.isFile() && /\.ko(\.(xz|zst|gz))?$/.test(entry.name));
    modules.push(...names.map((entry) => join(entry.parentPath, entry.name)));
  }
  const found = new Set(listed);
  for (const module of modules.slice(0, mostModules)) {
    const { output } = await runProgram("modinfo", ["--field", "alias", module], { signal });
    for (const line of output.split("\n")) if (line !== "") found.add(line);
  }
  return [...found];
}
