import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { knownVariables, stepTypes } from "@prestage/sequence";

const root = join(import.meta.dirname, "..");

/** Names that look like a variable's and are none. */
const others: Readonly<Record<string, string>> = {
  Prestage: "the name of this program", PrestageAgent: "the service in an installed Windows", SMSTS: "the beginning of names that are kept from secrets and watched for", TSDebug: "the beginning of two of them, in an expression", WSUS: "Windows Server Update Services, in a sentence",
};

/** The packages' own text, without comments, tests, and what the import reads in other products' files. */
async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of ["sequence", "agent", "site"]) {
    const folder = join(root, "packages", name, "src");
    for (const file of await readdir(folder, { recursive: true })) {
      if (!file.endsWith(".ts") || /\.test\.ts$|(^|\/)fixtures\/|^import\/|(known|found|array)-variables?\.ts$/.test(file)) continue;
      found.set(`${name}/${file}`, (await readFile(join(folder, file), "utf8")).replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, " "));
    }
  }
  return found;
}

const files = await sources();
const rows = new Map(knownVariables.map((one) => [one.name.toLowerCase(), one]));
/** OSDAdapterNName and OSDAdapter3Name are OSDAdapter0Name. */
const asRow = (name: string) => name.toLowerCase().replace(/^(osdadapter|osdpartitions)(n(?=[a-z])|\d+)(?=[a-z])/, "$10");

test("every variable that the engine, the agent, the site or a step knows by name has a row in docs/task-sequences.md", () => {
  const without = new Map<string, string>();
  let seen = 0;
  for (const [file, text] of files) {
    for (const { 0: name, index } of text.matchAll(/(?<![A-Za-z0-9_.-])(_?(SMSTS|SMS[A-Z]|OSD|TS_|TS(?=[A-Z][a-z])|WSUS)[A-Za-z0-9_]*|_?Prestage[A-Z][A-Za-z]*|_TS[A-Za-z_]+|(osd|smsts|_smsts)[a-z]+)(?![A-Za-z0-9_])/g)) {
      // What begins a template's text is the beginning of a name.
      const begins = text.startsWith("${", index + name.length) && [...rows.keys()].some((row) => row.startsWith(name.toLowerCase()));
      seen++;
      if (!rows.has(asRow(name)) && !begins && !Object.hasOwn(others, name)) without.set(name, file);
    }
  }
  assert.ok(seen > 300, `${seen} names`);
  assert.deepEqual(Object.fromEntries(without), {});
});

test("every variable that a step's definition sets or reads has a row, and its row says so", () => {
  for (const { type, sets, variables } of stepTypes) {
    for (const name of [...Object.keys(sets), ...Object.values(variables)]) assert.ok(rows.has(asRow(name)), `${name} of ${type}`);
  }
  for (const { name, kind, setBy, readBy } of knownVariables) {
    for (const type of [...(setBy ?? []), ...(readBy ?? [])]) assert.ok(stepTypes.some((one) => one.type === type), `${type} of ${name}`);
    assert.equal(name.startsWith("_"), kind === "engine" || kind === "found", `${name} is ${kind}`);
    if (kind === "found") assert.ok(stepTypes.some(({ sets }) => Object.hasOwn(sets, name)), `${name} is found by no step`);
  }
});

test("no row tells of a variable that nothing knows, or twice of one; each has a meaning and an example", () => {
  const text = [...files.values()].join("\n");
  assert.equal(rows.size, knownVariables.length);
  for (const { name, meaning, example } of knownVariables) {
    const [, base = "", part = ""] = /^([A-Za-z]+)0([A-Za-z]+)$/.exec(name) ?? [];
    assert.ok(text.includes(name) || (base !== "" && text.includes(`${base}\${i}`) && text.includes(`"${part}"`)), `${name} is known to nothing`);
    assert.ok(meaning.endsWith(".") && example !== "", name);
  }
});

test("each exception is met, and is still one", () => {
  const text = [...files.values()].join("\n");
  for (const name of Object.keys(others)) assert.ok(new RegExp(`(?<![A-Za-z0-9_])${name}(?![A-Za-z0-9_])`).test(text) && !rows.has(name.toLowerCase()), name);
});
