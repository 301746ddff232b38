// Writes docs/status-messages.md from the contract package, run under Node 24: `node setup/status-messages-page.mjs`.
import { writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));

const introduction = `# Status messages
A computer tells the site of every transition, from the verification of its media to the end of its task sequence. This page is written by
\`node setup/status-messages-page.mjs\` from \`packages/contract/src/status-messages.ts\`.

* A message is on the computer's disk before what it tells of goes on. It is sent in the background, in order, and stays on the disk until the site has confirmed it: no loss of
  network or power loses one or makes two (but for what SMSTSDisableStatusRetry gives up, and for progress). A step that an interruption fell into runs again, and both of its runs are told.
  What happened before the computer was let in is sent afterwards.
* \`prestage status list\` shows them (\`--device GUID\`: of one device; \`--all\`: with progress; \`--json\`: as they are below). The console's page shows for each computer its last
  message, and of the messages about steps the last.
* A secret's value is taken out of everything a message says.

## Fields
| Field | Of | Is |
|---|---|---|
| \`number\` | all | rises by one from 1 for each message of a device, over restarts: the site keeps each number once |
| \`time\` | all | of the computer, UTC; signed time of the site once it has contact |
| \`kind\` | all | one of those below |
| \`environment\` | all | \`boot\`: the boot environment, \`installed\`: the installed system |
| \`deploymentId\` | once one is chosen | the deployment |
| \`step\` | | id, name and type of a step, and the names of the groups it is in |
| \`group\` | | id and name of a group, and the names of the groups it is in |
| \`outcome\` | | \`succeeded\`, \`failed\` or \`skipped\` |
| \`exitCode\` | | of what the step ran |
| \`seconds\` | | how long it took |
| \`outputTail\` | | the last lines that a step printed, at most 4,000 characters |
| \`content\` | | which content, \`hit\`, \`revised\` or \`missing\`, its files by the same three, bytes to fetch and in all |
| \`progress\` | | done and total, in \`bytes\`, \`files\` or \`percent\` |
| \`error\` | | the stable code ([errors.md](errors.md)) and the message; behind it in brackets the reference's code, where it has one |
| \`text\` | | words for a person, at most 2,000 characters |
| \`affinity\` | | users of the device, and what becomes of them |

## Kinds
`;

/** The text of docs/status-messages.md. */
export async function statusMessagesPage() {
  const { statusDocumentation, statusKinds } = await import(pathToFileURL(join(root, "packages/contract/src/index.ts")).href);
  const lines = ["| Kind | When it is sent | Carries | The console says |", "|---|---|---|---|"];
  const fields = (names) => names.map((name) => `\`${name}\``).join(", ");
  for (const kind of statusKinds) {
    const { when, carries, mayCarry = [], console } = statusDocumentation[kind];
    const carried = [fields(carries), ...(mayCarry.length === 0 ? [] : [`${carries.length === 0 ? "" : "and "}where there is one ${fields(mayCarry)}`])].filter(Boolean).join(" ");
    lines.push(`| \`${kind}\` | ${cell(when)} | ${carried} | ${cell(console)} |`);
  }
  lines.push("", "## An example of each", "```json");
  for (const kind of statusKinds) lines.push(JSON.stringify(inOrder(statusDocumentation[kind].example)));
  return `${introduction}${lines.join("\n")}\n\`\`\`\n`;
}

/** The kind first: that is what one looks for. */
function inOrder({ kind, ...rest }) {
  return { kind, ...rest };
}

function cell(text) {
  return String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, "docs/status-messages.md"), await statusMessagesPage());
