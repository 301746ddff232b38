import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DetectionRule } from "@prestage/contract";
import { registryValue } from "../windows/registry.ts";
import { isDebianPackageInstalled } from "./debian-packages.ts";
import { runShell } from "./run-shell.ts";

/** A detection command has this long. */
const commandSeconds = 300;

/** The first rule that does not hold, in words; undefined when the application is installed. */
export async function missingFromApplication(rules: readonly DetectionRule[], signal: AbortSignal): Promise<string | undefined> {
  for (const rule of rules) {
    const why = await whyNot(rule, signal);
    if (why !== undefined) return why;
  }
  return undefined;
}

async function whyNot(rule: DetectionRule, signal: AbortSignal): Promise<string | undefined> {
  switch (rule.type) {
    case "file": {
      const path = resolve("/", rule.path);
      if (!(await stat(path).then(() => true, () => false))) return `${path} is not there`;
      if (rule.sha256 === undefined) return undefined;
      const found = await sha256Of(path).catch((cause: unknown) => String(cause));
      return found === rule.sha256 ? undefined : `${path} has the SHA-256 ${found.slice(0, 16)}, not ${rule.sha256.slice(0, 16)}`;
    }
    case "debian-package":
      return (await isDebianPackageInstalled(rule.package, rule.version)) ? undefined : `the Debian package ${rule.package}${rule.version === undefined ? "" : ` ${rule.version}`} is not installed`;
    case "registry": {
      const found = await registryValue(rule.key, rule.value ?? "", signal);
      const what = `${rule.key}${rule.value === undefined ? "" : `, value ${rule.value},`}`;
      if (found === undefined) return `${what} is not there`;
      return rule.equals === undefined || found.toLowerCase() === rule.equals.toLowerCase() ? undefined : `${what} is ${JSON.stringify(found.slice(0, 100))}, not ${JSON.stringify(rule.equals)}`;
    }
    case "command": {
      const { exitCode, outputTail } = await runShell(rule.command, { cwd: "/", signal, timeoutSeconds: commandSeconds, onLine: () => undefined });
      if (exitCode !== 0) return `${rule.command} ended with ${exitCode}`;
      return rule.outputIncludes === undefined || outputTail.includes(rule.outputIncludes) ? undefined : `${rule.command} did not print ${JSON.stringify(rule.outputIncludes)}`;
    }
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
