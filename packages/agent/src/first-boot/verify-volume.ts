import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { chunkListOffsets, chunkRecordSize, findBadChunks, openIndex, readBounded, verifyFiles } from "@prestage/content";
import type { ContentIndex, DamagedFile } from "@prestage/content";
import { bootSwitchPath, contentFilesToVerify, contentFolder, contentIdsOf, dataPaths, manifestFilesToVerify, openManifest } from "@prestage/media";
import type { Manifest, OpenedManifest } from "@prestage/media";
import { readBootSwitch } from "@prestage/disk";
import { keysOfRole, maximumDocumentBytes } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { agentVersion } from "../agent-version.ts";
import { AgentError } from "../error.ts";
import type { Screen } from "../screens/screen.ts";

/** Whether version `a` is newer than `b`: numbers between dots, compared one by one. */
export function isNewer(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** A damaged file in words for the screen and the site. */
export interface DamageReport { name: string; detail: string; contentId?: string }
export interface Roots { esp: string; data: string }

/**
 * First part, before a network interface is brought up: signature, keyring, the agent's own files and those the computer starts from.
 * @throws TrustError, MediaError, AgentError PRESTAGE_AGENT_START_FILES_DAMAGED, PRESTAGE_AGENT_KEYRING_MISMATCH
 */
export async function verifyStart(roots: Roots, keyring: Keyring, screen: Screen): Promise<OpenedManifest> {
  const opened = openManifest(await readBounded(join(roots.data, dataPaths.manifest), maximumDocumentBytes * 1.5), keysOfRole(keyring, "media"));
  if (opened.manifest.keyring.version !== keyring.version || opened.manifest.site.code !== keyring.siteCode) {
    throw new AgentError("PRESTAGE_AGENT_KEYRING_MISMATCH", `Expected a manifest under keyring ${keyring.siteCode} version ${keyring.version}; found ${opened.manifest.site.code} version ${opened.manifest.keyring.version}.`, "Stage the disk again with media of this site.");
  }
  if (isNewer(opened.manifest.leastAgentVersion, agentVersion)) {
    throw new AgentError("PRESTAGE_AGENT_TOO_OLD", `Expected an agent of version ${opened.manifest.leastAgentVersion} or newer; this is ${agentVersion}.`, "Have the media built again with a newer boot image.");
  }
  const damaged = await verifyFiles(manifestFilesToVerify(opened.manifest.files, roots), { onProgress: (event) => screen.verification({ phase: "first", ...event }) });
  const [first] = damaged;
  if (first !== undefined) {
    screen.damaged({ files: damaged.map((one) => ({ name: one.file.name, detail: describeDamage(one) })) });
    throw new AgentError("PRESTAGE_AGENT_START_FILES_DAMAGED", `Expected every file the computer starts from as the manifest says; found ${damaged.length} damaged, first ${first.file.name}: ${describeDamage(first)}.`, "Do not use this disk. Stage it again.");
  }
  await checkBootSwitch(roots.esp);
  return opened;
}

/** Second part, still before any contact: size and SHA-256 of every other file, in parallel, with progress. */
export async function verifyContent(manifest: Manifest, dataRoot: string, screen: Screen): Promise<{ damage: DamageReport[]; files: number; bytes: number }> {
  const damage: DamageReport[] = [];
  const files: ReturnType<typeof contentFilesToVerify> = [];
  const indexes = new Map<string, ContentIndex>();
  for (const id of contentIdsOf(manifest)) {
    const index = await readIndex(dataRoot, id).catch((cause: unknown) => void damage.push({ name: `/${contentFolder(id)}/index.json`, detail: cause instanceof Error ? cause.message : String(cause), contentId: id }));
    if (index === undefined) continue;
    indexes.set(id, index);
    files.push(...contentFilesToVerify(id, index, dataRoot));
  }
  const damaged = await verifyFiles(files, { onProgress: (event) => screen.verification({ phase: "all", ...event }) });
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const one of damaged) {
    const file = byPath.get(one.file.path);
    const index = file === undefined ? undefined : indexes.get(file.contentId);
    const chunks = file === undefined || index === undefined ? [] : await badChunks(dataRoot, file.contentId, index, file.indexFile.path, file.path);
    damage.push({ name: one.file.name, detail: describeDamage({ ...one, bad: chunks.length > 0 ? chunks : one.bad }), ...(file && { contentId: file.contentId }) });
  }
  return { damage, files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) };
}

/** One line that names the bad part: what, where, expected and found. */
export function describeDamage(damaged: DamagedFile): string {
  if (damaged.reason === "missing") return "the file is missing";
  if (damaged.reason === "size") return `expected ${damaged.file.size} bytes, found ${damaged.foundSize ?? 0}`;
  const parts = damaged.bad.slice(0, 3).map((bad) => `${bad.what} at ${bad.offset} (${bad.length} bytes): expected ${bad.expected.slice(0, 16)}, found ${bad.found.slice(0, 16)}`);
  return parts.join("; ") + (damaged.bad.length > 3 ? `; and ${damaged.bad.length - 3} more` : "");
}

/** The boot switch is state: only its form is checked. A broken one means "environment" and is mended by the next switch. */
async function checkBootSwitch(espRoot: string): Promise<void> {
  const bytes = await readFile(join(espRoot, bootSwitchPath));
  if (bytes.length !== 1024) {
    throw new AgentError("PRESTAGE_AGENT_START_FILES_DAMAGED", `Expected ${bootSwitchPath} with 1,024 bytes; found ${bytes.length}.`, "Do not use this disk. Stage it again.");
  }
  readBootSwitch(bytes);
}

async function readIndex(dataRoot: string, contentId: string): Promise<ContentIndex> {
  return openIndex(await readBounded(join(dataRoot, contentFolder(contentId), "index.json"), 512 * 1024 * 1024), contentId);
}

async function badChunks(dataRoot: string, contentId: string, index: ContentIndex, path: string, absolute: string) {
  const file = index.files.find((one) => one.path === path);
  if (file?.chunks === undefined) return [];
  const lists = await readFile(join(dataRoot, contentFolder(contentId), "chunks.bin")).catch(() => Buffer.alloc(0));
  const offset = [...chunkListOffsets(index)].find(([one]) => one === file)?.[1] ?? 0;
  const list = lists.subarray(offset, offset + file.chunks.count * chunkRecordSize);
  return createHash("sha256").update(list).digest("hex") === file.chunks.sha256 ? findBadChunks(absolute, list, file.chunks.sha256).catch(() => []) : [];
}
