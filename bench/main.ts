// `npm run bench`: building and verifying a media against what the machine's own tools need for the same bytes; the other modes are described in README.md.
import { mkdir, open, rm, stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { patchLevels } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";
import { buildMedia, verifyMedia } from "@prestage/media";
import type { MediaBuildInput, MediaSourceContent } from "@prestage/media";
import { generateSigningKey, signKeyring } from "@prestage/trust";
import { benchContent } from "./content.ts";
import type { BenchContent } from "./content.ts";
import { line, median, timeProgram, timeWork } from "./measure.ts";
import { timeParts } from "./verify-parts.ts";

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { level: { type: "string", default: String(patchLevels.usual) }, only: { type: "string" }, "no-patches": { type: "boolean" }, runs: { type: "string", default: "5" }, "capture-runs": { type: "string", default: "1" }, megabytes: { type: "string", default: "400" }, folder: { type: "string" } } });
const say = (text: string) => void process.stdout.write(`${text}\n`);

const cache = options.folder ?? join(process.env["PRESTAGE_CACHE"] ?? join(tmpdir(), "prestage-cache"), "bench");
await mkdir(cache, { recursive: true });
// Each loaded for itself: what one needs is no part of the memory another is measured with.
if (positionals[0] === "top-up") {
  const { benchTopUp } = await import("./top-up.ts");
  await benchTopUp(cache, { level: options["no-patches"] === true ? undefined : Number(options.level), only: options.only, say });
  process.exit(0);
}
if (positionals[0] === "on-computer") {
  const { benchOnComputer } = await import("./on-computer.ts");
  await benchOnComputer(cache, { level: Number(options.level), only: options.only, say });
  process.exit(0);
}
if (positionals[0] === "dp") {
  const { benchDistributionPoint } = await import("./distribution-point.ts");
  await benchDistributionPoint({ runs: Number(options.runs), say });
  process.exit(0);
}
const content = await benchContent(cache, Number(options.megabytes) * 1e6, say);
if (positionals[0] === "wim") {
  const { benchWimLibrary } = await import("./wim-library.ts");
  await benchWimLibrary(cache, content.tree, { runs: Number(options.runs), say });
  process.exit(0);
}
const media = join(cache, "media.wim");
const copy = join(cache, "copy.wim");
const captured = join(cache, "captured.wim");
try {
  await compare();
} finally {
  for (const path of [media, copy, captured]) await removeMedia(path);
}

async function compare(): Promise<void> {
  const runs = Number(options.runs);
  const seconds = { build: [] as number[], write: [] as number[], cp: [] as number[], verify: [] as number[], openssl: [] as number[], exported: [] as number[], capture: [] as number[], stored: [] as number[], compressed: [] as number[], opensslStored: [] as number[], wimlib: [] as number[] };
  const input = mediaInput(content, media);
  await removeMedia(media);
  await buildMedia(input); // what is read is in memory from here on, for every competitor
  const memory = process.resourceUsage().maxRSS / 1024; // of building alone, where the content was made by an earlier run
  const { size } = await stat(media);
  say(`Media of ${(size / 1e6).toFixed(0)} MB from a tree of ${(content.treeBytes / 1e6).toFixed(0)} MB; ${availableParallelism()} processors; ${runs} runs, in turn`);
  let parts: Awaited<ReturnType<typeof timeParts>> = { stored: { seconds: 0, bytes: 0 }, compressed: { seconds: 0, bytes: 0 } };
  for (let run = 1; run <= runs; run++) {
    await removeMedia(media);
    let written = 0;
    const start = performance.now();
    seconds.build.push(await timeWork(() => buildMedia(input, { onProgress: (event) => void (event.phase === "checksum" && written === 0 && (written = (performance.now() - start) / 1000)) })));
    seconds.write.push(written);
    await removeMedia(copy);
    seconds.cp.push((await timeProgram("cp", ["--reflink=never", media, copy])) + (await timeWork(() => sync(copy))));
    await removeMedia(copy);
    seconds.exported.push(await timeExport(copy));
    await removeMedia(copy);
    seconds.verify.push(await timeWork(checkMedia));
    seconds.openssl.push(await timeProgram("openssl", ["dgst", "-sha256", media]));
    parts = await timeParts(media);
    seconds.stored.push(parts.stored.seconds);
    seconds.compressed.push(parts.compressed.seconds);
    seconds.opensslStored.push(await timeProgram("openssl", ["dgst", "-sha256", content.os.wimPath]));
    seconds.wimlib.push((await timeProgram("wimlib-imagex", ["verify", content.boot.wimPath])) + (await timeProgram("wimlib-imagex", ["verify", content.application.wimPath])));
    say(`  run ${run}: build ${seconds.build.at(-1)?.toFixed(2)} s, cp ${seconds.cp.at(-1)?.toFixed(2)} s, verify ${seconds.verify.at(-1)?.toFixed(2)} s, openssl ${seconds.openssl.at(-1)?.toFixed(2)} s`);
  }
  for (let run = 0; run < Number(options["capture-runs"]); run++) {
    await removeMedia(captured);
    seconds.capture.push(await timeProgram("wimlib-imagex", ["capture", content.tree, captured, "os", "--compress=LZX:20", "--check", "--unix-data", "--norpfix"]));
  }
  say("\nSeconds: min, median, max");
  for (const [name, measured, bytes] of [
    ["prestage: build, with integrity table, checksum and sheet", seconds.build, size], ["prestage: build, the file alone", seconds.write, size], ["cp --reflink=never of the media, and fsync", seconds.cp, size],
    ["wimlib-imagex export --check of the same three WIMs into one, and fsync", seconds.exported, size], ["wimlib-imagex capture --compress=LZX:20 of the tree", seconds.capture, content.treeBytes], ["prestage: verify every file", seconds.verify, size], ["openssl dgst -sha256 of the media", seconds.openssl, size],
    ["prestage: verify what is stored (the OS image)", seconds.stored, parts.stored.bytes], ["openssl dgst -sha256 of the OS image", seconds.opensslStored, parts.stored.bytes],
    ["prestage: verify what is compressed (boot image, application)", seconds.compressed, parts.compressed.bytes], ["wimlib-imagex verify of the same", seconds.wimlib, parts.compressed.bytes],
  ] as const) if (measured.length > 0) say(line({ name, seconds: [...measured] }, bytes));
  const ratio = (a: readonly number[], b: readonly number[]) => median(a) / median(b);
  say("\nRatios of the medians");
  say(`  build / cp                       ${ratio(seconds.build, seconds.cp).toFixed(2)}   the file alone ${ratio(seconds.write, seconds.cp).toFixed(2)}   goal: at most 1.5`);
  say(`  build / wimlib export            ${ratio(seconds.build, seconds.exported).toFixed(2)}   the file alone ${ratio(seconds.write, seconds.exported).toFixed(2)}`);
  if (seconds.capture.length > 0) say(`  wimlib capture / build           ${ratio(seconds.capture, seconds.build).toFixed(1)}   goal: at least 10`);
  say(`  openssl / verify                 ${ratio(seconds.openssl, seconds.verify).toFixed(2)}   goal: at least 1.8 on 2 processors`);
  say(`    the stored part alone          ${ratio(seconds.opensslStored, seconds.stored).toFixed(2)}   against openssl`);
  say(`    the compressed part alone      ${ratio(seconds.wimlib, seconds.compressed).toFixed(2)}   against wimlib-imagex verify, which decodes too`);
  say(`  most memory while building       ${memory.toFixed(0)} MB   goal: 200 MB`);
}

/** What is compressed already goes into one WIM of three images, as it is, with an integrity table. */
async function timeExport(into: string): Promise<number> {
  let seconds = 0;
  for (const from of [content.os, content.boot, content.application]) seconds += await timeProgram("wimlib-imagex", ["export", from.wimPath, "1", into, from.contentId.slice(0, 8), "--check"]);
  return seconds + (await timeWork(() => sync(into)));
}

async function checkMedia(): Promise<void> {
  const { findings } = await verifyMedia(media);
  if (findings.length > 0) throw new Error(`Expected a whole media; found ${findings.map((finding) => finding.message).join("; ")}`);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeMedia(path: string): Promise<void> {
  for (const end of ["", ".sha256", ".txt"]) await rm(path + end, { force: true });
}

function mediaInput(from: BenchContent, output: string): MediaBuildInput {
  const [root, mediaKey, policy, time, url] = [generateSigningKey(), generateSigningKey(), generateSigningKey(), generateSigningKey(), generateSigningKey()];
  const roles = { root: [root.public], media: [mediaKey.public], policy: [policy.public], time: [time.public], url: [url.public] };
  const source = (objectId: string, kind: MediaSourceContent["content"]["kind"], version: StoredVersion): MediaSourceContent => ({ content: { objectId, kind, name: kind, revision: 1, contentId: version.contentId }, version });
  return {
    manifest: {
      formatVersion: 1, leastAgentVersion: "0.1.0", version: "", createdBy: "bench", comment: "", floor: "2026-01-01T00:00:00.000Z", architecture: "x64", site: { code: "ABC" },
      managementPoints: { mode: "site-based", urls: ["https://localhost:8443"] }, distributionPoints: [], unknownComputers: true, passwordRequired: false, unattended: false,
      userDeviceAffinity: "none", taskSequence: { id: "ABC00001", name: "bench" }, variables: [], keyboardLayout: "us", language: "en", damaged: "repair",
    },
    keyring: { version: 1, envelope: signKeyring({ siteCode: "ABC", version: 1, issued: "2026-01-01T00:00:00Z", expires: "2036-01-01T00:00:00Z", tlsCa: "", roles }, [root]) },
    bootImage: source("ABC00010", "boot-image", from.boot), osImage: { source: source("ABC00011", "os-image", from.os), index: 1 }, content: [source("ABC00012", "application", from.application)], mediaKey, output,
  };
}
