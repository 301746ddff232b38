// Writes docs/errors.md from every package's src/error.ts, run under Node 24: `node setup/errors-page.mjs`. `--check` only compares.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Packages in the order data walks through them; those the list does not know come last. */
const order = ["wim", "trust", "content", "sequence", "media", "contract", "disk", "staging", "boot-image", "agent", "site", "console", "lab", "cli"];

/** Every package's error codes: `{ package, codes: [[code, text]] }`. */
export async function errorRegistries() {
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = readdirSync(join(root, "packages")).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const registries = [];
  for (const name of names) {
    const path = join(root, "packages", name, "src/error.ts");
    if (!readdirSync(join(root, "packages", name, "src")).includes("error.ts")) continue;
    const module = await import(pathToFileURL(path).href);
    const found = Object.entries(module).filter(([key, value]) => key.endsWith("Errors") && typeof value === "object");
    registries.push({ package: name, codes: found.flatMap(([, registry]) => Object.entries(registry)) });
  }
  return registries;
}

/** The text of docs/errors.md. */
export function errorsPage(registries) {
  const lines = [
    "# Errors",
    "",
    "Every error has a stable code. It is printed behind the message, stands in `--json` output as `error.code`, in the answers of the",
    "site's API, in status messages and on the computer's screen. The message says what was expected, what was found and what to do next;",
    "this page says when each code comes. It is written by `node setup/errors-page.mjs` from the packages' registries (`packages/*/src/error.ts`).",
    "",
    "A failure nobody foresaw has the code `PRESTAGE_UNEXPECTED` at the command line, `PRESTAGE_SITE_INTERNAL` at the site and",
    "`PRESTAGE_AGENT_UNEXPECTED` on the computer: please report it.",
  ];
  for (const { package: name, codes } of registries) {
    lines.push("", `## ${name}`, "", "| Code | When it comes |", "|---|---|");
    for (const [code, text] of codes) lines.push(`| \`${code}\` | ${sentence(text)} |`);
  }
  return `${lines.join("\n")}\n`;
}

function sentence(text) {
  const escaped = text.replaceAll("|", "\\|");
  return escaped.charAt(0).toUpperCase() + escaped.slice(1) + (/[.!?]$/.test(escaped) ? "" : ".");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, "docs/errors.md");
  const page = errorsPage(await errorRegistries());
  if (!process.argv.includes("--check")) writeFileSync(path, page);
  else if (readFileSync(path, "utf8") !== page) {
    console.error("Expected docs/errors.md to be as the packages' registries say; found another text. Run `node setup/errors-page.mjs`.");
    process.exitCode = 1;
  }
}
