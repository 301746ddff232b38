import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, cp, mkdir, readdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StatusRecord } from "@prestage/contract";
import { retryOnGuestCrash } from "@prestage/lab";
import type { Machine } from "@prestage/lab";
import { cacheRoot } from "./cached.ts";
import { DemoSecrets, demoSecretName } from "./demo-secrets.ts";
import { approveWhenShown, silenceMs, startMachine, waitForSequence } from "./deploy.ts";
import { gatherEvidence } from "./evidence.ts";
import type { Evidence } from "./evidence.ts";
import { publishLater, setUpFactory } from "./factory.ts";
import type { Factory, FactoryOptions } from "./factory.ts";
import { Narrator, table } from "./narrator.ts";
import { demoHelp, parseDemoOptions } from "./options.ts";
import type { DemoOptions } from "./options.ts";
import { nodeVersions } from "./real-content.ts";
import { bytesByContent, cacheEvidence, contentStates, failedReport, makeReport, priceEvidence } from "./report.ts";
import { SiteProcess } from "./site-process.ts";

const started = performance.now();
/** Debian image, packages, media, disk and what they are made from. */
const neededBytes = 8e9;

async function main(): Promise<number> {
  const options = parseDemoOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(demoHelp);
    return 0;
  }
  const narrator = new Narrator();
  const { say } = narrator;
  await prepareOutput(options.output);
  // One folder per output, so that two demonstrations do not meet.
  const work = join(cacheRoot(), "demo", createHash("sha256").update(options.output).digest("hex").slice(0, 12));
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  await writeFile(join(work, "output"), options.output);
  await sweepWorkFolders(dirname(work));
  narrator.part("The site");
  const site = await SiteProcess.start(join(work, "site"), { patches: options.patches });
  say(`The site runs at ${site.guestUrl} (as its devices see it)`);
  try {
    return await walkTheRoad(site, work, options, narrator);
  } catch (cause) {
    await writeFile(join(options.output, "report.json"), `${JSON.stringify(failedReport(started, cause), null, 2)}\n`);
    throw cause;
  } finally {
    await cp(join(site.dataDirectory, "logs"), join(options.output, "logs"), { recursive: true }).catch(() => undefined);
    await site.stop();
  }
}

async function walkTheRoad(site: SiteProcess, work: string, options: DemoOptions, narrator: Narrator): Promise<number> {
  const { say } = narrator;
  const { output } = options;
  const told = (line: string) => say(`  ${line}`);
  const password = randomBytes(9).toString("base64url");
  const passwordHash = execFileSync("openssl", ["passwd", "-6", "-stdin"], { input: password }).toString().trim();
  const secrets = new DemoSecrets(process.env);
  const factoryOptions: FactoryOptions = { computerName: options.computerName, passwordHash, addPackage: options.addPackage, mirror: options.mirror, secretVariable: secrets.secret === undefined ? undefined : demoSecretName, say };

  narrator.part("Content and task sequence");
  const factory = await setUpFactory(site, work, factoryOptions);

  narrator.part("Media");
  const media = join(output, "media.wim");
  const built = await site.run<{ mediaId: string; size: number; sha256: string }>(["media", "create", "--task-sequence", factory.sequenceId, "--created-by", "npm run demo", "--version", "1", ...(secrets.password === undefined ? [] : ["--password-stdin"]), "-o", media], told, secrets.password);
  say(`${media}: ${(built.size / 1e6).toFixed(0)} MB, media ${built.mediaId.slice(0, 16)}`);
  const verified = await site.run<{ files: number }>(["media", "verify", media], told);
  say(`Verified: ${verified.files} files, all as signed`);

  narrator.part("Staging");
  const disk = join(output, "disk.img");
  const [staged] = await site.run<{ receiptFile: string; receipt: { files: { verified: number } } }[]>(["stage", media, "--disk", disk, "--size", "5G", "--operator", "npm run demo"], told);
  if (staged === undefined) throw new Error("Expected a staged disk; found none.");
  await copyFile(staged.receiptFile, join(output, "receipt.json"));
  await site.run(["receipt", "import", join(output, "receipt.json")]);
  say(`${disk}: ${staged.receipt.files.verified} files read back and verified; the receipt is kept as unconfirmed`);

  narrator.part("Meanwhile, at the site");
  const later = await publishLater(site, work, factory, factoryOptions);
  if (options.patches) await makePatches(site, say);
  const collections = await site.run<{ id: string; builtIn: string | null }[]>(["collection", "list"]);
  const unknown = collections.find((collection) => collection.builtIn === "all-unknown-computers");
  const deployment = await site.run<{ id: string }>(["deployment", "create", "--task-sequence", factory.sequenceId, "--collection", unknown?.id ?? "", "--purpose", "required", "--make-available-to", "MediaAndPxe", ...(secrets.secret === undefined ? [] : ["--secret-variable", demoSecretName, "--secrets-to-password"])], undefined, secrets.secret);
  say(`Deployed as ${deployment.id}, required, to All Unknown Computers`);

  narrator.part("First start of the staged disk");
  const status = await retryOnGuestCrash((attempt) => deploy(site, disk, options, secrets, narrator, attempt), (crash) => say(`The emulator crashed the guest (${crash.message}); starting the machine again.`));

  narrator.part("Proof: the same disk, cold, without a network");
  const own = options.addPackage;
  const extra = own === undefined ? [] : [{ what: "your package: its step", command: "test -f /etc/deployed && echo ran", expected: "ran" }];
  if (own?.check !== undefined) extra.push({ what: "your package: its effect", command: own.check, expected: "" });
  const evidence = await gatherEvidence(disk, join(output, "logs", "proof"), password, factory, options.computerName, say, [...extra, ...secrets.check()]);
  if (secrets.any) evidence.push(await searchForSecrets(site, secrets, { media, disk }, options, narrator));
  return finish(site, status, factory, later, evidence, options, narrator);
}

/** The site makes them by itself; here they are waited for. */
async function makePatches(site: SiteProcess, say: (line: string) => void): Promise<void> {
  say("Making patches from the versions on the media to the newer ones (some minutes for a large program)");
  for (const { name, bytes } of await site.run<{ name: string; bytes: number | null }[]>(["content", "patches", "make"], (line) => say(`  ${line}`))) say(`${name}: ${bytes === null ? "no patch" : `a patch of ${(bytes / 1e6).toFixed(2)} MB`}`);
}

/** Password, secret and the site's private keys are nowhere they must not be. */
async function searchForSecrets(site: SiteProcess, secrets: DemoSecrets, { media, disk }: { media: string; disk: string }, options: DemoOptions, narrator: Narrator): Promise<Evidence> {
  narrator.part("Search for the password, the secret and the site's private keys");
  const findings = await secrets.search({ media, disk, logs: [join(options.output, "logs"), join(site.dataDirectory, "logs")], siteKeys: join(site.dataDirectory, "keys"), say: narrator.say });
  const output = findings.length === 0 ? "none" : findings.map((one) => `${one.secret} in ${one.where} (${one.encoding})`).join("\n");
  return { what: "secrets: found nowhere", command: "search of media, disk, logs and command lines", expected: "none", output, exitCode: findings.length === 0 ? 0 : 1, good: findings.length === 0 };
}

async function deploy(site: SiteProcess, disk: string, options: DemoOptions, secrets: DemoSecrets, narrator: Narrator, attempt: number): Promise<StatusRecord[]> {
  const { say } = narrator;
  const workDir = join(options.output, "logs", attempt === 1 ? "machine" : `machine-${attempt}`);
  const machine = await startMachine({ disk, workDir, network: "user", secureBoot: options.secureBoot }, { onEvent: (name, data) => narrate(narrator, name, data), onLine: (line) => /^@@init/.test(line) && say(`  ${line}`) });
  try {
    const device = (await alreadyIn(site, attempt)) ?? (await letIn(site, machine, secrets, options, say));
    // After a crash the operating system may have been applied already.
    await machine.serial.waitFor(attempt === 1 ? /@@prestage step \{[^\n]*"apply"/ : /@@prestage step \{/, { timeoutMs: 300_000 });
    await shoot(machine, options.output, "steps");
    const status = await waitForSequence(site, machine, device.id);
    await shoot(machine, options.output, "done");
    // No shutdown: what is reported done must be on the disk.
    return status;
  } finally {
    await machine.powerOff();
    await copyFile(join(workDir, "serial.log"), join(options.output, "logs", "serial.log")).catch(() => undefined);
  }
}

/** After a crash the computer may have been let in already: then it asks nobody again. */
async function alreadyIn(site: SiteProcess, attempt: number): Promise<{ id: string } | undefined> {
  if (attempt === 1) return undefined;
  return (await site.run<{ id: string; state: string }[]>(["device", "list"])).find((device) => device.state === "enrolled");
}

/** By the media password, typed on the machine's own keyboard, or by an administrator's approval. */
async function letIn(site: SiteProcess, machine: Machine, secrets: DemoSecrets, options: DemoOptions, say: (line: string) => void): Promise<{ id: string }> {
  const onScreen = (name: string) => shoot(machine, options.output, name);
  if (secrets.password === undefined) {
    const device = await approveWhenShown(site, machine, { onScreen });
    say(`Approved through the site: ${device.name}`);
    return device;
  }
  await machine.serial.waitFor(/@@prestage screen \{"screen":"password"/, { timeoutMs: silenceMs });
  await machine.type(secrets.password);
  await onScreen("password");
  await machine.type("\n");
  const [, id = ""] = await machine.serial.waitFor(/@@prestage enrolled \{[^\n]*"deviceId":"([^"]+)"/, { timeoutMs: silenceMs });
  say("Let in by the media password, typed on the machine's keyboard");
  return { id };
}

async function shoot(machine: Machine, output: string, name: string): Promise<void> {
  await machine.screenshot(join(output, "screenshots", `${name}.png`));
}

/** One line per event of the agent; progress only on a terminal. */
function narrate(narrator: Narrator, name: string, data: Record<string, unknown>): void {
  const text = (key: string) => (typeof data[key] === "string" || typeof data[key] === "number" ? String(data[key]) : "");
  if (name === "fetch") return narrator.progress(`Fetching ${text("objectId")}`, Number(data["done"]), Number(data["total"]));
  if (name === "progress") return narrator.progress(text("label"), Number(data["done"]), Number(data["total"]));
  const lines: Record<string, string> = {
    verified: `Verified before any contact: ${text("files")} files, ${text("bytes")} bytes in ${Number(data["seconds"] ?? 0).toFixed(1)} s`,
    screen: `The screen shows: ${text("screen")}${data["code"] === undefined ? "" : `, code ${text("code")}`}`,
    chosen: `Task sequence: ${text("name")} (${text("deploymentId")}, ${text("purpose")})`,
    step: `Step: ${text("name")}: ${text("state")}${data["seconds"] === undefined ? "" : ` (${Number(data["seconds"]).toFixed(1)} s)`}`,
    content: `Content: ${text("name")} is ${text("state")}${data["phase"] === "content-fetch-finished" ? `, fetched ${text("bytesToFetch")} bytes` : ""}`,
    error: `Error ${text("code")}: ${text("cause")}`,
    done: "The deployment is done",
  };
  const line = lines[name];
  if (line !== undefined) narrator.say(`  ${line}`);
}

async function finish(site: SiteProcess, status: StatusRecord[], factory: Factory, later: { node: { contentId: string } }, evidence: Evidence[], options: DemoOptions, narrator: Narrator): Promise<number> {
  const { say } = narrator;
  const fetched = await bytesByContent(join(site.dataDirectory, "logs", "dp-access.ndjson"));
  evidence.push(...cacheEvidence(status, fetched.get(factory.osImage.contentId) ?? 0));
  evidence.push(...priceEvidence(status, fetched, later.node.contentId, options.patches ? 0.2 : 0.7));
  const versions = new Map([...(await versionsAtSite(site)), [later.node.contentId, nodeVersions.new], [factory.node.contentId, nodeVersions.old]]);
  const report = makeReport({ started, status, fetched, osImage: factory.osImage, versions, evidence });
  await writeFile(join(options.output, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  for (const line of table(["STEP", "OUTCOME", "SECONDS"], report.steps.map((step) => [step.name, step.outcome, String(step.seconds)]))) say(line);
  say("");
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  const osState = contentStates(status).find((state) => state.kind === "os-image")?.state ?? "";
  const rows = [["Debian 12 (OS image)", osState, megabytes(report.osImage.bytesFetched), megabytes(report.osImage.bytesFromDisk)], ...report.content.map((one) => [`${one.name} ${one.version}`.trim(), one.state, megabytes(one.bytesFetched), megabytes(one.bytesTotal)])];
  for (const line of table(["CONTENT", "STATE", "FETCHED", "STORED"], rows)) say(line);
  say("");
  for (const line of table(["EVIDENCE", "GOOD", "COMMAND", "OUTPUT"], evidence.map((one) => [one.what, one.good ? "yes" : "NO", one.command.slice(0, 60), (one.output.split("\n")[0] ?? "").slice(0, 60)]))) say(line);
  say("");
  say(`${report.outcome === "succeeded" ? "Succeeded" : "FAILED"} in ${report.durationSeconds} s. Media, disk, receipt, report, logs and screenshots are in ${options.output}`);
  return report.outcome === "succeeded" ? 0 : 1;
}

/** What each content version is called: its software's version, else its revision at the site. */
async function versionsAtSite(site: SiteProcess): Promise<Map<string, string>> {
  const versions = new Map<string, string>();
  for (const kind of ["application", "package", "driver-package"]) {
    for (const { contentId, softwareVersion, revision } of await site.run<{ contentId: string; softwareVersion: string; revision: number }[]>([kind, "list"])) versions.set(contentId, softwareVersion === "" ? `revision ${revision}` : softwareVersion);
  }
  return versions;
}

/** Demonstrations whose output is gone have left a site of half a gigabyte each; one that says nothing of its output is of an earlier version. */
async function sweepWorkFolders(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const output = await readFile(join(path, "output"), "utf8").catch(() => undefined);
    const dayOld = Date.now() - (await stat(path)).mtimeMs > 24 * 3_600_000;
    if (output === undefined ? dayOld : !(await stat(output).then(() => true, () => false))) await rm(path, { recursive: true, force: true });
  }
}

async function prepareOutput(output: string): Promise<void> {
  await mkdir(output, { recursive: true });
  for (const folder of [output, cacheRoot()]) {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < neededBytes) throw new Error(`Expected ${neededBytes / 1e9} GB free below ${folder}; found ${(bavail * bsize / 1e9).toFixed(1)} GB. Make room, or name another folder with --output (PRESTAGE_CACHE for the cache).`);
  }
  for (const name of ["media.wim", "media.wim.sha256", "media.wim.txt", "disk.img", "disk.img.receipt.json", "receipt.json", "report.json", "logs", "screenshots"]) await rm(join(output, name), { recursive: true, force: true });
  for (const folder of ["logs", "screenshots"]) await mkdir(join(output, folder), { recursive: true });
}

main().then(
  (code) => process.exit(code),
  (cause: unknown) => {
    process.stderr.write(`\nThe demonstration failed: ${cause instanceof Error ? cause.message : String(cause)}\nLogs are in demo-out/logs (or the folder given with --output).\n`);
    process.exit(1);
  },
);
