// Writes docs/task-sequences.md from the sequence package, run under Node 24: `node setup/task-sequences-page.mjs`.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = join(root, "docs/task-sequences.md");
const everyStep = ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_ENVIRONMENT", "PRESTAGE_AGENT_STEP_TIME_LIMIT", "PRESTAGE_AGENT_STEP_INTERRUPTED", "PRESTAGE_AGENT_STEP_FAILED"];
const places = { environment: "boot environment", installed: "installed system" };

const introduction = `# Task sequences
A task sequence is a YAML text: a name and steps. This page is written by \`node setup/task-sequences-page.mjs\` from the code that runs them.

\`\`\`yaml
# yaml-language-server: $schema=./task-sequence.schema.json      (\`prestage sequence schema -o task-sequence.schema.json\`)
name: Debian for branch offices
steps:
  - name: Apply the system
    type: apply-os-image
    with: { osImage: ABC00003 }
  - name: Set up
    type: set-up-operating-system
  - name: Restart
    type: restart
  - name: In the new system
    type: group
    steps:
      - name: Tools
        type: install-application
        with: { application: ABC00004 }
        when: { variable: Role, equals: desktop }
        retry: { times: 2, delaySeconds: 60 }
\`\`\`

    prestage sequence new > deploy.yaml       # a text to begin with
    prestage sequence lint deploy.yaml        # what is wrong with it, before a computer finds out
    prestage sequence simulate ABC00006 --record BRANCH-07
    prestage sequence add deploy.yaml

\`simulate\` runs nothing. It goes through the sequence with the engine of a real run, for a computer described in a JSON file (\`--device\`) or a device of the site (\`--record\`), and marks
each step: \`run\`, \`skip\`, \`FAIL\` where it would certainly fail, with what that ends, and \`?\` where only a run can tell. That is so for what depends on a variable that a step sets when it
runs, such as a script's output: it names the variable and the step. Behind a step that calls \`prestage-variable\` without its text saying the name (a shell variable as the name,
JavaScript's \`execFileSync\`), or that runs a package's files (\`package\` of run-command-line and run-script), what hangs on a variable that is not set is \`?\`, too; one that is set is taken
to stay. Of programs of install-package and install-application this is not assumed, since nearly every sequence would be nothing but \`?\` behind its first application: what they set by
\`prestage-variable\` a simulation does not see. With \`--media\` it says of each piece of content whether the media holds it (hit), an older version of it (revised) or
nothing (missing), and what would be fetched.

With \`--record\` it takes in all that the site would give the device if it asked now: its variables, those of its collections and of the deployment it would run, and of the media it was
staged from (\`--media\` names another), each with whose it is and what it took the place of; secrets by their names alone. Of several deployments of the sequence that reach the device it
takes one that is required and due, else one that is offered, and says which others there are; \`--deployment ID\` takes another one, also for a sequence in a file. What a condition asks of
the computer and its record does not say is unknown, \`?\`, and not false; a file given by \`--device\` may say it. What such a file alone leaves out is taken as not there, unless it says
\`"notDescribed": "unknown"\`. What the agent says of itself (\`_SMSTSClientCache\`, \`OSDTargetSystemDrive\` once an image was applied) is what it would say there, in the boot environment and after the
restart; its time zone only it knows. What a media's prestart command sets is known only to the run.

Beside \`name\` and \`steps\` a sequence has a \`description\` and \`maximumRunMinutes\`: a run that lasts longer is marked as overdue at the site, and nothing ends it (120 where it is
left out; 0 is 720).

## Steps and groups
| Key | Of | Meaning |
|---|---|---|
| \`name\` | both | What people see; 1 to 256 characters |
| \`id\` | both | How a run's journal knows it; from the name where it is left out. Keep it when you rename a step |
| \`type\` | both | \`group\`, or one of the types below |
| \`with\` | steps | The step's settings; \`%NAME%\` in any text is a variable |
| \`when\` | both | Condition; a group's is evaluated once, before its steps |
| \`secrets\` | steps | Secret variables of the site that the step's programs find in their environment, and nowhere else. A setting that is a password names it: \`password: { secret: NAME }\`; what stands there in clear is refused |
| \`continueOnError\` | both | A failure does not fail what it is in: the next step, or after a group the next group, goes on |
| \`retry\` | steps | \`{ times: 1 to 5, delaySeconds }\`: run again when it fails |
| \`once\` | steps | A condition that is asked only when the step was interrupted, by a power cut as a rule: where it holds the step was done and is not run again. For what must not be done twice |
| \`timeLimitMinutes\` | steps | It is ended, and has failed, when it is not done by then; counted anew after an interruption |
| \`disabled\` | both | It is left out, and needs no content |
| \`description\` | both | For people |

## What happens when something fails
* Without \`continueOnError\` a failing step fails the group it is in, that fails the one around it, and so on to the sequence.
* With it on the step, the next step runs. With it on a group, the rest of that group is left out and the next group runs.
* A step that is skipped or disabled leaves \`_SMSTSLastActionSucceeded\` as it was.
* A power cut is no failure: the step it fell into is run again (how each step bears that is said below). So is a restart that nobody asked for, by a program of a step: where the
  reference tries a step that installs something twice again (1 to 5), every step is run again here, and \`retry\` counts failures alone. A program should end with a restart code (3010) instead; lint
  finds commands that restart by themselves. One that was interrupted more than
  10 times is given up, and so is one that asked for a restart and another try 20 times.
* Every transition becomes a message at the site: [status-messages.md](status-messages.md) has them all.
* Beside our code a failure says the reference's, where it has one, in the log, in the messages at the site (in brackets behind the text) and on the screen; a group's is in the log alone: 0x80091007 a file is not as
  signed, 0x87d00269 no management point answers, 0x80072f8f its certificate or the date is wrong, 0x80004005 it refuses, or a step failed without a code, 0x87d00267 content could
  not be fetched, 0x80004004 what is in a group failed, or a person ended it, 4316 the computer is not ready; an installer's own 1602, 1603, 1618.
* Of installers 3010 and 1641 mean a restart, 1707 a success. One that finds another in its way (1618) is run again every minute, ten times: the reference's two hours between tries are
  for computers that people work at.

## Conditions
One test, or \`{ all: [...] }\`, \`{ any: [...] }\`, \`{ none: [...] }\` of several. A test has exactly one operator: \`exists: true\`, \`notExists: true\`, \`equals\`,
\`notEquals\`, \`greater\`, \`greaterOrEqual\`, \`less\`, \`lessOrEqual\`, \`like\`, \`notLike\` (\`*\` and \`?\`). Numbers are compared as numbers, versions part by part, text without case; what is not
there is unequal to everything, neither greater nor less. Names and values may hold \`%NAME%\`.

| Test of | Example |
|---|---|
| a variable | \`{ variable: Role, equals: kiosk }\` |
| a file, as the deployed system sees it; \`property\`: size, modified, version | \`{ file: /etc/branch, exists: true }\` |
| a folder; \`property\`: modified | \`{ folder: /opt/tool, property: modified, greater: "2026-01-01" }\` |
| hardware, in place of WMI queries: HARDWARE | \`{ hardware: memoryMiB, greaterOrEqual: 4096 }\` |
| the deployed system: SYSTEM | \`{ operatingSystem: version, greaterOrEqual: "12.5" }\` |
| an installed package or program; compared is its version | \`{ software: jq, less: "1.7" }\` |
| the registry of Windows; \`value\` names one of the key's values | \`{ registry: "HKLM\\\\SOFTWARE\\\\Vendor", value: Version, equals: 2 }\` |

## Variables
Later wins: collection < deployment < device < media < prestart < task sequence. Names are compared without case; a step may set names of letters, digits, \`_\`, \`-\` and \`.\` that begin
with a letter, 256 characters long at most, to texts of at most 4,000 characters; an empty value deletes. A step's own settings win over the variable
they are otherwise taken from, and do not change it.

Command lines, scripts and the programs of applications and packages read and set variables by a program that they find in their path (in a batch file of
Windows: \`call prestage-variable\`; a program that runs as another account on Windows does not have it):

    prestage-variable NAME           prints a variable; of one that is not set, nothing
    prestage-variable NAME VALUE     sets one, a single line

### The debugger
Where \`TSDebugMode\` is true, set by a deployment, a device, a collection, the media or a step, the run holds before each step; with \`TSDebugOnError\` where a step has failed without
\`continueOnError\`. Whoever sits at the computer, at its screen or on its serial port in the boot environment, sees the steps with the next one marked, or the variables and where each
comes from, and chooses by a key:

| Key | |
|---|---|
| S | runs the marked step, and holds at the next |
| R | runs to the next breakpoint |
| B | sets or clears a breakpoint at the chosen step |
| C | goes on at the chosen step, before or behind the marked one (the reference's Set Current): what lies between is passed over, what comes after has not run; the groups it is in are entered whatever their conditions say |
| V, Enter, N | variables; changes one; sets a new one. It is journalled; read-only ones are refused |
| Q | leaves the debugger until the next start of the computer |
| X, twice | fails the sequence |
| F8, F9 | the support shell, where the media allows it; the log |

Values of variables named like a password are masked, and secrets of the site are never variables. A power cut in a hold does no harm: the run holds again at the same place. What was
done is not undone by going back. In the installed system, whose console has no keyboard of the agent's, nothing is held; nor does a failure hold on unattended media.
`;

/** The text of docs/task-sequences.md. */
export async function taskSequencesPage() {
  const { hardwareProperties, knownVariables, lintRules, settingsJsonSchema, stepTypes, systemProperties } = await import(pathToFileURL(join(root, "packages/sequence/src/index.ts")).href);
  const out = [introduction.replace("HARDWARE", hardwareProperties.join(", ")).replace("SYSTEM", systemProperties.join(", "))];
  const kinds = {
    engine: "The engine's own, read-only", found: "Found out by a step, read-only", asked: "Set by a step, read by the engine", given: "Set by you: at the site, on the media, or by a step before they are used",
  };
  for (const [kind, title] of Object.entries(kinds)) {
    out.push(`### ${title}`, "", "| Variable | Meaning | Set and read by | Example |", "|---|---|---|---|");
    for (const one of knownVariables.filter((variable) => variable.kind === kind)) out.push(`| \`${one.name}\` | ${cell(one.meaning)} | ${whereUsed(one, stepTypes)} | \`${cell(one.example)}\` |`);
    out.push("");
  }
  out.push("## Step types", `Any step can fail by ${everyStep.map((code) => `\`${code}\``).join(", ")} ([errors.md](errors.md)).`);
  for (const one of stepTypes) out.push("", ...stepSection(one, settingsJsonSchema(one)));
  out.push("", "## What `prestage sequence lint` looks for", "", "| Rule | | Looks for | Why |", "|---|---|---|---|");
  for (const { id, level, title, why } of lintRules) out.push(`| \`${id}\` | ${level} | ${cell(title)} | ${cell(why)} |`);
  return `${out.join("\n")}\n`;
}

/** Where a variable is set and read: by steps whose definitions say so, or by the system itself. */
function whereUsed({ name, kind, setBy = [], readBy = [] }, stepTypes) {
  const types = (has) => stepTypes.filter(has).map(({ type }) => type);
  const sets = [...new Set([...setBy, ...types(({ sets: own }) => Object.hasOwn(own, name))])];
  const reads = [...new Set([...readBy, ...types(({ variables }) => Object.values(variables).includes(name))])];
  const list = (names) => names.map((one) => `\`${one}\``).join(", ");
  const who = sets.length > 0 ? `set by ${kind === "given" ? "you, and by " : ""}${list(sets)}` : kind === "engine" ? "set by the system" : kind === "asked" ? "set by your steps" : "set by you";
  return `${who}; read by ${reads.length > 0 ? list(reads) : kind === "engine" || kind === "found" ? "your conditions and settings" : "the agent itself"}`;
}

function stepSection({ type, title, reference, summary, environments, platforms, variables, sets, again, errors, example, settings: form }, schema) {
  const lines = [`### ${type}: ${title}`, summary, "", `${referenceText(reference)} Runs in the ${environments.map((one) => places[one]).join(" and the ")}; for ${platforms.map((one) => ({ linux: "Linux", windows: "Windows" })[one]).join(" and ")}.`];
  const settings = Object.entries(schema.properties ?? {});
  if (settings.length > 0) {
    lines.push("", "| Setting | Is | Default | Meaning |", "|---|---|---|---|");
    for (const [name, one] of settings) {
      const required = (schema.required ?? []).includes(name);
      const fallback = variables[name] === undefined ? defaultOf(form.shape?.[name], required) : `\`%${variables[name]}%\``;
      lines.push(`| \`${name}\` | ${cell(kindOf(one))} | ${cell(fallback)} | ${cell(one.description ?? "")} |`);
    }
  }
  const set = Object.entries(sets);
  if (set.length > 0) lines.push("", `Sets ${set.map(([name, what]) => `\`${name}\` (${what})`).join(", ")}.`);
  lines.push("", `Run again after an interruption: ${again}`, "", ...(errors.some((code) => !everyStep.includes(code)) ? [`Errors of its own: ${errors.filter((code) => !everyStep.includes(code)).map((code) => `\`${code}\``).join(", ")}.`, ""] : []), "```yaml", example, "```");
  return lines;
}

/** What the reference calls the step. */
function referenceText(names) {
  if (names.length === 0) return "Configuration Manager and MDT have no such step.";
  const own = names.filter((name) => !name.startsWith("MDT "));
  const list = (of) => of.map((name) => `*${name}*`).join(", ");
  const mdt = names.filter((name) => name.startsWith("MDT ")).map((name) => name.slice(4));
  return `${[...(own.length > 0 ? [`In Configuration Manager: ${list(own)}`] : []), ...(mdt.length > 0 ? [`${own.length > 0 ? "in" : "In"} MDT: ${list(mdt)}`] : [])].join("; ")}.`;
}

function defaultOf(field, required) {
  if (required) return "needed";
  const parsed = field?.safeParse(undefined);
  return parsed?.success !== true || parsed.data === undefined ? "" : `\`${JSON.stringify(parsed.data)}\``;
}

function kindOf(schema) {
  if (schema.enum?.join() === "true,false") return "true or false";
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(", ");
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.filter((one) => !String(one.pattern ?? "").startsWith("%")).map(kindOf))].filter((one) => one !== "text" || schema.anyOf.length === 1).join(" or ") || "text";
  if (schema.type === "array") return `list of ${kindOf(schema.items ?? {})}`;
  if (schema.type === "object") return `{ ${Object.keys(schema.properties ?? {}).join(", ")} }`;
  return { string: "text", integer: "number", boolean: "true or false", number: "number" }[schema.type] ?? "text";
}

function cell(text) {
  return String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = await taskSequencesPage();
  if (process.argv.includes("--check")) process.exit(readFileSync(path, "utf8") === page ? 0 : 1);
  writeFileSync(path, page);
}
