import { isLikeModel } from "../conditions.ts";
import { contentReferences, referenceKeys } from "../content-references.ts";
import { secretsInSettings } from "../schema.ts";
import type { Step } from "../schema.ts";
import { variablesNamedBy } from "../steps/variables-set.ts";
import { kindNames } from "./lint-rule.ts";
import type { LintKnowledge, LintRule } from "./lint-rule.ts";
import { namedAndNotSet } from "./named-and-not-set.ts";
import { textsIn } from "../text-in-settings.ts";

/** What a sequence refers to: content, variables, secrets. */
export const rulesOfContent: readonly LintRule[] = [
  {
    id: "reference-to-nothing", level: "error", title: "a reference to content the site does not have",
    why: "The reference does not let a sequence be deployed with one (features.md F137, F169).",
    *check({ steps, objects }) {
      if (objects === undefined) return;
      for (const at of steps) {
        const missing = missingProgram(at.step, objects);
        if (missing !== undefined) yield { at, ...missing };
        for (const [key, value] of Object.entries(at.step.with ?? {})) {
          const kind = Object.hasOwn(referenceKeys, key) ? referenceKeys[key] : undefined;
          if (kind === undefined) continue;
          for (const id of Array.isArray(value) ? value : [value]) {
            if (typeof id !== "string" || id.includes("%")) continue;
            const found = objects.get(id.replace(/[{}]/g, ""));
            if (found === undefined) yield { at, message: `${key} names ${id}; the site has no such object.`, fix: `Import the ${kindNames[kind]}, or correct the id.` };
            else if (found.kind !== kind) yield { at, message: `${key} names ${id}, which is ${found.name}, of kind ${found.kind}.`, fix: `Name an object of kind ${kind}.` };
          }
        }
      }
    },
  },
  {
    id: "content-not-whole", level: "warning", title: "content that is damaged at the site, or that no distribution point has whole",
    why: "The object is there, so nothing refuses the deployment; the computer finds out when it fetches the content, hours into it (features.md I10). As validation found it last: what was never validated is not judged.",
    *check({ steps, objects, contentFaults }) {
      if (contentFaults === undefined) return;
      for (const at of steps) {
        // A group has no settings; what is in it is a step of its own.
        const { steps: _within, ...alone } = at.step;
        for (const { objectId } of contentReferences({ name: "", steps: [alone] })) {
          const found = contentFaults.get(objectId);
          if (found === undefined) continue;
          const named = `${objectId}${objects?.get(objectId) === undefined ? "" : ` (${objects.get(objectId)?.name})`}`;
          const when = `when it was validated (${found.checked.slice(0, 16)}Z)`;
          if (found.kind === "damaged") yield { at, message: `The content of ${named} was damaged in the library ${when}: ${found.fault}.`, fix: "Import it again from its source: a version that is the same takes its place. Then `prestage content validate`." };
          else yield { at, message: `The content of ${named} was whole at no distribution point ${when}: ${found.fault}.`, fix: "Publish it (`prestage distribution-point redistribute URL`; at the site's own: import it again), then `prestage distribution-point validate`." };
        }
      }
    },
  },
  {
    id: "model-without-drivers", level: "note", title: "a model of the site's computers that no driver package is for",
    why: "A package for other models changes nothing, and the computer starts without its network or its disk (features.md I10).",
    *check({ steps, objects, computerModels }) {
      const drivers = steps.filter(({ step }) => ["apply-driver-package", "auto-apply-drivers"].includes(step.type));
      if (objects === undefined || computerModels === undefined || drivers.length === 0) return;
      const models = drivers.flatMap(({ step }) => [step.with?.["driverPackage"], step.with?.["driverPackages"]].flat().filter((id) => id !== undefined)).map((id) => (typeof id === "string" ? objects.get(id.replace(/[{}]/g, ""))?.models : undefined));
      // One that a variable names, that is not there, or that is for any may be for each.
      if (models.some((of) => of === undefined || of.length === 0)) return;
      const without = [...new Set(computerModels)].filter((model) => !models.flat().some((pattern) => pattern !== undefined && isLikeModel(model, pattern)));
      if (without.length > 0) yield { message: `No driver package of the sequence is for ${without.slice(0, 10).join(", ")}${without.length > 10 ? ` and ${without.length - 10} more` : ""}.`, fix: "Import drivers for these models, or deploy the sequence to others." };
    },
  },
  {
    id: "secret-nobody-set", level: "warning", title: "a secret the site does not have",
    why: "The step fails when it asks for it, hours into a deployment. A deployment's own secret can be set only once there is the deployment: no failure before.",
    *check({ steps, secrets }) {
      if (secrets === undefined) return;
      const known = new Set(secrets.map((name) => name.toLowerCase()));
      for (const at of steps) {
        for (const name of new Set([...(at.step.secrets ?? []), ...secretsInSettings(at.step.with)])) {
          if (!known.has(name.toLowerCase())) yield { at, message: `It asks for the secret ${name}; no device, deployment or collection of the site has one of that name.`, fix: "Set it (`prestage secret set`), or correct the name." };
        }
      }
    },
  },
  {
    id: "variable-nobody-sets", level: "note", title: "a variable that nothing in the sequence sets",
    why: "What names no variable stays in the text as it is: a computer was once called %OSDComputerName%.",
    *check(context) {
      for (const { at, place, name, unread } of namedAndNotSet(context)) {
        if (unread === undefined) yield { at, message: `${place} holds %${name}%, which no step before it sets.`, fix: "Let the device, a collection or the media set it, or set it in a step." };
      }
    },
  },
  {
    id: "variable-set-unread", level: "note", title: "variables that only a command may set whose text does not say their names",
    why: "A call of prestage-variable by a name that only the run knows, or in a package's file, sets what nobody can check: a misspelt name stays in the text as it is.",
    *check(context) {
      const found = [...namedAndNotSet(context)].filter(({ unread }) => unread !== undefined);
      const [first] = found;
      if (first?.unread === undefined) return;
      const names = found.map(({ name }) => `%${name}%`);
      const held = `${names.slice(0, 10).join(", ")}${names.length > 10 ? ` and ${names.length - 10} more` : ""}`;
      const message = `${first.unread === "prestart" ? "The media's prestart command" : "It"} may set variables whose names its text does not say; nothing else in the sequence sets ${held}, which ${names.length === 1 ? "a later step holds" : "later steps hold"}.`;
      yield { ...(first.unread !== "prestart" && { at: first.unread }), message, fix: "Check that it does, write the name at the call (`prestage-variable NAME VALUE`), or let the device, a collection or the media set it." };
    },
  },
  {
    id: "variable-read-only", level: "error", title: "a read-only variable that is set",
    why: "Names that begin with _ are the engine's own (features.md F200).",
    *check({ steps }) {
      for (const at of steps) {
        for (const name of variablesNamedBy(at.step)) if (name.startsWith("_")) yield { at, message: `${name} is read-only.`, fix: "Choose a name that begins with a letter." };
      }
    },
  },
  {
    id: "secret-in-plain-text", level: "error", title: "a password in the text",
    why: "The text is signed, sent to every computer, shown in the console and kept in version control.",
    *check({ steps }) {
      for (const at of steps) {
        for (const { at: place, text } of textsIn(at.step.with)) {
          const what = secretIn(place, text);
          if (what !== undefined) yield { at, message: `${place} seems to hold ${what}.`, fix: "Keep it at the site (`prestage secret set`), name it under `secrets`, and use it from the step's environment." };
        }
        const name = at.step.type === "set-variable" ? at.step.with?.["name"] : undefined;
        if (typeof name === "string" && /pass(word|wd|phrase)|secret|token|api_?key/i.test(name) && typeof at.step.with?.["value"] === "string" && !/^(%.*%)?$/.test(at.step.with["value"])) {
          yield { at, message: `The variable ${name} is given its value in the text.`, fix: "Keep it at the site as a secret variable." };
        }
      }
    },
  },
];

/** A package that is there and has no program of the name; names are compared without case, as the agent does. */
function missingProgram({ with: settings }: Step, objects: NonNullable<LintKnowledge["objects"]>): { message: string; fix: string } | undefined {
  const [id, program] = [settings?.["package"], settings?.["program"]];
  if (typeof id !== "string" || typeof program !== "string" || program.includes("%")) return undefined;
  const found = objects.get(id.replace(/[{}]/g, ""));
  if (found?.programs === undefined || found.programs.some((name) => name.toLowerCase() === program.toLowerCase())) return undefined;
  return { message: `program names ${program}; the package ${found.name} has ${found.programs.length === 0 ? "no programs" : `only ${found.programs.join(", ")}`}.`, fix: "Correct the program's name, or import the package with it." };
}

function secretIn(place: string, text: string): string | undefined {
  if (/(^|\.)passwordHash$|sshKeys/.test(place)) return undefined; // a hash, and public halves
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return "a private key";
  if (/[a-z]:\/\/[^/\s:@]+:(?![%$])[^/\s@]+@/i.test(text)) return "a password in an address";
  if (/(--?|\/)(password|passwd|pwd|token|secret)[= :]+(?![%$"']?[%$])\S/i.test(text)) return "a password on a command line";
  if (/(^|\.)(password|passphrase|token)$/i.test(place) && text !== "" && !text.startsWith("%")) return "a password";
  return undefined;
}
