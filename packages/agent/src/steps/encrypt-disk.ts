import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { finishLuks, mountUnit, prepareLuks, runProgram, volumeFacts, writeSettings } from "@prestage/disk";
import { encryptDiskStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { defineStep } from "./step-executor.ts";
import { targetPartition } from "./target-partition.ts";

/** Makes an encrypted volume for data, and has the installed system open and mount it at every start. */
export const step = defineStep(encryptDiskStep, async (run, { disk, partition, name, passphrase, mountPoint }) => {
  const { dataRoot, signal } = run.context;
  const mapped = `/dev/mapper/${name}`;
  const unit = mountUnit(mapped, mountPoint, "ext4");
  const device = await targetPartition(run.context, disk, partition);
  const key = `etc/cryptsetup-keys.d/${name}.key`;
  const keyFile = join(dataRoot, key);
  // On the disk before the volume knows it: a key in the volume alone would be no use.
  if ((await readFile(keyFile, "utf8").catch(() => "")).length < 64) await writeSettings(dataRoot, [{ kind: "directory", path: "etc/cryptsetup-keys.d", mode: 0o700, uid: 0, gid: 0 }, { kind: "file", path: key, mode: 0o600, content: randomBytes(48).toString("base64") }]);
  const open = await isThere(mapped);
  if (open) await requireOwn(mapped, name, device, signal);
  const kept = open && (await isMounted(mapped));
  if (open && !kept) await runProgram("cryptsetup", ["close", name], { signal });
  const state = await prepareLuks({ device, name, passphrase: run.secrets.value(passphrase), keyFile, signal });
  if (!kept) await runProgram("cryptsetup", ["open", "--type", "luks2", "--key-file", keyFile, device, name], { signal });
  if (state === "new") {
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", "-L", name.slice(0, 16), mapped], { signal });
    await runProgram("sync", [mapped], { signal });
    await finishLuks({ device, name, signal });
  }
  const { uuid } = await volumeFacts(device, { signal });
  if (uuid === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected a LUKS volume with an identity on ${device}; found none.`, "The disk may be failing.");
  const table = await readFile(join(dataRoot, "etc/crypttab"), "utf8").catch(() => "");
  await writeSettings(dataRoot, [{ kind: "file", path: "etc/crypttab", mode: 0o600, content: withCrypttabLine(table, name, uuid, `/${key}`) }, ...unit]);
  if (dataRoot === "/") {
    await runProgram("systemctl", ["daemon-reload"], { signal });
    if (!(await isMounted(mapped))) await runProgram("mount", ["-t", "ext4", mapped, mountPoint], { signal });
  }
  run.output(`${device} is ${mapped}, ${state === "new" ? "made anew" : "kept with what is in it"}, at ${mountPoint}`);
  return {};
});

/** crypttab(5): other volumes' lines stay as they are. */
export function withCrypttabLine(table: string, name: string, uuid: string, keyFile: string): string {
  const others = table.split("\n").filter((line) => line !== "" && line.split(/\s+/)[0] !== name);
  return `${[...others, `${name} UUID=${uuid} ${keyFile} luks,nofail`].join("\n")}\n`;
}

/** A name that is taken by another device's volume is not closed. */
async function requireOwn(mapped: string, name: string, device: string, signal: AbortSignal): Promise<void> {
  const { output } = await runProgram("cryptsetup", ["status", name], { accept: [0, 4], signal });
  const found = /^\s*device:\s*(\S+)/m.exec(output)?.[1];
  if (found !== device) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected ${mapped} to be free or of ${device}; it is of ${found ?? "something else"}.`, "Choose another name in the step.");
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

async function isMounted(device: string): Promise<boolean> {
  return (await readFile("/proc/mounts", "utf8")).split("\n").some((line) => line.startsWith(`${device} `));
}
