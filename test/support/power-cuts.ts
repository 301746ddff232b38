import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { StatusMessage, StatusRecord } from "@prestage/contract";
import { readBootSwitch, readFatFile } from "@prestage/disk";
import { randomFrom, SerialConsole } from "@prestage/lab";
import { debianImage } from "../../demo/debian-image.ts";
import { approveWhenShown, silenceMs, waitForSequence } from "../../demo/deploy.ts";
import { demoUser } from "../../demo/factory.ts";
import type { ImportedObject } from "../../demo/factory.ts";
import { realContent } from "../../demo/real-content.ts";
import { volumesOf, withDataVolume } from "./disk-faults.ts";
import { FaultSite } from "./fault-site.ts";
import type { StagedDisk } from "./fault-site.ts";
import { withMachine } from "./machines.ts";
import type { TestMachine } from "./machines.ts";

/** A real Debian, applied from the disk, with an application and a package installed in the started system. */
export interface DebianFixture { fixture: FaultSite; osImage: ImportedObject; jq: ImportedObject; sequenceId: string; media: string; staged: StagedDisk }

export const consolePassword = "console";
const computerName = "CUT-01";

export async function openDebianFixture(name: string, options: { profile?: "virtual" | "hardware"; media?: readonly string[] } = {}): Promise<DebianFixture> {
  const quiet = (): void => undefined;
  const [image, content] = [await debianImage(quiet), await realContent(quiet)];
  const fixture = await FaultSite.open(name, options.profile === undefined ? {} : { profile: options.profile });
  try {
    const osImage = await fixture.site.run<ImportedObject>(["os-image", "import", image, "--name", "Debian 12", "--index", "1"]);
    const jq = await fixture.site.run<ImportedObject>(["application", "import", content.jq, "--name", "jq", "--install", "dpkg -i ./*.deb", "--detect-package", "jq"]);
    const settings = await fixture.site.run<ImportedObject>(["package", "import", content.settings, "--name", "Settings", "--program", "Set up=sh ./set-up.sh"]);
    const passwordHash = execFileSync("openssl", ["passwd", "-6", "-stdin"], { input: consolePassword }).toString().trim();
    const sequenceId = await fixture.addSequence("Deploy", [
      `  - { id: apply, name: Apply the operating system, type: apply-os-image, with: { osImage: ${osImage.id}, index: 1 } }`,
      `  - { id: set-up, name: Set up the operating system, type: set-up-operating-system, with: { computerName: ${computerName}, serialConsole: true, users: [{ name: ${demoUser}, passwordHash: "${passwordHash}" }] } }`,
      "  - { id: restart, name: Start the installed system, type: restart, with: { to: installed } }",
      `  - { id: jq, name: Install jq, type: install-application, with: { application: ${jq.id} } }`,
      `  - { id: settings, name: Set the message of the day, type: install-package, with: { package: ${settings.id}, program: Set up } }`,
      '  - { id: record, name: Record the deployment, type: run-command-line, with: { command: "date -u +%FT%TZ >> /etc/deployed" } }',
      "",
    ].join("\n"));
    await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
    const media = await fixture.createMedia("media", sequenceId, options.media ?? []);
    const staged = await fixture.stage(media, "staged", "5G");
    return { fixture, osImage, jq, sequenceId, media, staged };
  } catch (cause) {
    await fixture.close();
    throw cause;
  }
}

export const stepIds = ["apply", "set-up", "restart", "jq", "settings", "record"];

/** The seed of this run: PRESTAGE_SEED, or the day, so that every day cuts elsewhere. */
export function seedOfRun(): number {
  return Number(process.env["PRESTAGE_SEED"] ?? Math.floor(Date.now() / 86_400_000));
}

/**
 * One deployment whose power is cut three times, at instants drawn from the seed: while the operating system is applied, at the boot
 * switch, and while an application is installed in the started Debian. The disk loses unflushed writes in part. Four starts.
 */
export async function deployThroughCuts(t: TestContext, { fixture, staged }: DebianFixture, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const disk = await fixture.copy(staged, `cut-${seed}`);
  const start = <T>(name: string, use: (running: TestMachine) => Promise<T>): Promise<T> =>
    withMachine(t, fixture, `cut-${seed}-${name}`, { disk: disk.path, volatile: { seed: Math.floor(random() * 2 ** 31) } }, use);
  /** Cuts after the drawn number of further writes, or, where the machine writes less, when the event has come. */
  const cut = async ({ machine }: TestMachine, when: string, most: number, orWhen: Promise<unknown>): Promise<void> => {
    const writes = 1 + Math.floor(random() * most);
    const { unflushed, kept } = await machine.cutAfterWrites(writes, orWhen);
    t.diagnostic(`seed ${seed}: cut ${when}, at write ${writes}; ${unflushed} unflushed sectors, ${kept} kept`);
  };

  const deviceId = await start("apply", async (running) => {
    const device = await approveWhenShown(fixture.site, running.machine);
    const tenths = Math.floor(random() * 9);
    // An event comes with each tenth, but a quick disk may pass over one.
    await running.machine.serial.waitFor(new RegExp(`"label":"Applying the operating system","done":(${tenths === 0 ? "\\d" : `[${tenths}-9]\\d`}|100)\\b`), { timeoutMs: silenceMs, signal: t.signal });
    await cut(running, `after ${tenths * 10} percent were applied`, 500, running.event("restart", { with: '"installed"' }));
    return device.id;
  });

  await start("switch", async (running) => {
    assert.equal((await running.event<{ again: boolean }>("step", { with: '"id":"apply"' })).again, true);
    if (random() < 1 / 3) {
      await running.event("switched");
      await cut(running, "after the boot switch", 5, running.machine.waitForRestart());
    } else {
      await running.event("restart", { with: '"installed"' });
      await cut(running, "after the restart was decided", 30, running.machine.waitForRestart());
    }
  });

  await start("install", async (running) => {
    await running.event("step", { with: '"id":"jq","name":"Install jq","type":"install-application"' });
    await cut(running, "in the installation of the application", 300, running.event("step", { with: '"id":"settings"' }));
  });

  const status = await start("finish", async ({ machine }) => {
    await waitForSequence(fixture.site, machine, deviceId);
    await machine.serial.waitFor(/@@prestage done \{/, { timeoutMs: silenceMs });
    await machine.powerButton();
    assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
    return statusOf(fixture, deviceId);
  });
  checkStatus(status);
  await checkDisk(disk.path);
  await rm(disk.path);
}

/** How many writes that a cut may lose one whole deployment makes, from the first start to the installed system with everything cleaned up. No power is cut. */
export async function writesOfDeployment(t: TestContext, { fixture, staged }: DebianFixture): Promise<number> {
  const disk = await fixture.copy(staged, "never-cut");
  const { deviceId, writes } = await withMachine(t, fixture, "never-cut", { disk: disk.path, volatile: { seed: 1 } }, async ({ machine }) => {
    const device = await approveWhenShown(fixture.site, machine);
    await turnOffWhenCleanedUp(machine, false, t.signal);
    return { deviceId: device.id, writes: (await machine.cut()).writes };
  });
  checkStatus(await statusOf(fixture, deviceId));
  await checkDisk(disk.path);
  await rm(disk.path);
  t.diagnostic(`${writes} writes that a cut may lose`);
  return writes;
}

/**
 * One deployment whose power is cut three times, at instants drawn from the seed over all of it: before enrolment or in it, in any step, between two, while it
 * cleans up, or when all is done. As most of its `writes` are the image's, the beginning or a step is drawn first, and then how many writes later. Four starts.
 */
export async function deployThroughCutsAnywhere(t: TestContext, { fixture, staged }: DebianFixture, seed: number, writes: number): Promise<void> {
  const random = randomFrom(seed);
  const moments = [1, 2, 3].map(() => Math.floor(random() * (stepIds.length + 1))).sort((a, b) => a - b);
  const disk = await fixture.copy(staged, `anywhere-${seed}`);
  /** The computer that the site let in last: a cut may take the key of one that was approved before. */
  let deviceId: string | undefined;
  const start = async (name: string, use: (machine: TestMachine["machine"], ended: boolean) => Promise<void>): Promise<void> => {
    const ended = deviceId !== undefined && (await statusOf(fixture, deviceId)).some((message) => message.kind === "sequence-finished");
    await withMachine(t, fixture, `anywhere-${seed}-${name}`, { disk: disk.path, volatile: { seed: Math.floor(random() * 2 ** 31) } }, async ({ machine }) => {
      const approval = approveWhenShown(fixture.site, machine).then((device) => void (deviceId = device.id), () => undefined);
      try {
        await use(machine, ended);
      } finally {
        await machine.cut();
        await approval;
      }
    });
  };
  for (const [i, moment] of moments.entries()) {
    await start(String(i + 1), async (machine, ended) => {
      const end = turnOffWhenCleanedUp(machine, ended, t.signal);
      end.catch(() => undefined); // the cut ends it
      if (moment > 0) {
        // The step drawn, or a later one: what was done before the cut before this is not done again. Where all was, none is told, and the machine goes off by itself.
        const step = new RegExp(`@@prestage step \\{[^\\n]*"id":"(${stepIds.slice(moment - 1).join("|")})"`);
        await Promise.race([machine.serial.waitFor(step, { timeoutMs: silenceMs, signal: t.signal }).catch(() => end), end]);
      }
      const cut = await machine.cutAfterWrites(1 + Math.floor(random() * (writes / 8)), end);
      const [, last = "before its first step"] = /.*@@prestage step \{[^\n]*"id":"([^"]+)"/s.exec(machine.serial.text()) ?? [];
      t.diagnostic(`seed ${seed}: cut ${i + 1} at write ${cut.writes} of its start, last step ${last}; ${cut.unflushed} unflushed sectors, ${cut.kept} kept`);
    });
  }
  await start("finish", (machine, ended) => turnOffWhenCleanedUp(machine, ended, t.signal));
  assert.ok(deviceId !== undefined, "the computer was let in");
  checkStatus(await statusOf(fixture, deviceId));
  await checkDisk(disk.path);
  await rm(disk.path);
}

/**
 * Waits until nothing of the deployment is left to do, and turns the computer off. The agent says so; but where the site knew the end `before` this start, perhaps
 * nothing is left of the agent but the service that removes the rest: then it is looked for as the computer's user.
 */
async function turnOffWhenCleanedUp(machine: TestMachine["machine"], before: boolean, signal: AbortSignal): Promise<void> {
  if (before) {
    const console = await SerialConsole.login(machine.serial, demoUser, consolePassword, { timeoutMs: silenceMs, signal });
    const { output } = await console.run("while systemctl list-units --all --no-legend --plain 'prestage-*' | grep -E ' (active|activating|deactivating) ' >&2; do sleep 2; done; systemctl is-failed 'prestage-*'", { timeoutMs: silenceMs, signal });
    assert.doesNotMatch(output, /^failed$/m, "no service of the deployment failed");
  } else {
    const [, said] = await machine.serial.waitFor(/@@prestage (done|failed|error) \{[^\n]*/, { timeoutMs: silenceMs, signal });
    assert.equal(said, "done");
  }
  await machine.powerButton();
  assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
}

async function statusOf({ site }: FaultSite, deviceId: string): Promise<StatusMessage[]> {
  return (await site.run<StatusRecord[]>(["status", "list", "--device", deviceId, "--all"])).map(({ message }) => message);
}

/** No message lost, none twice; every step done, in order; the sequence succeeded. */
export function checkStatus(messages: readonly StatusMessage[]): void {
  assert.deepEqual(messages.map((message) => message.number).sort((a, b) => a - b), messages.map((_, index) => index + 1), "every number once");
  const ended = messages.filter((message) => message.kind === "step-finished");
  assert.deepEqual([...new Set(ended.map((message) => message.step?.id))], stepIds);
  assert.deepEqual(ended.filter((message) => message.outcome !== "succeeded"), []);
  assert.deepEqual(messages.filter((message) => message.kind === "sequence-finished").map((message) => message.outcome), ["succeeded"]);
}

/** What the steps did is on the disk, and nothing of the deployment is. */
export async function checkDisk(disk: string): Promise<void> {
  await withDataVolume(disk, async (reader) => {
    const text = async (path: string): Promise<string> => (await reader.readFile(path)).toString();
    const packages = (await text("var/lib/dpkg/status")).split("\n\n");
    for (const name of ["jq", "libjq1", "libonig5"]) {
      const entry = packages.find((one) => one.startsWith(`Package: ${name}\n`)) ?? "";
      assert.match(entry, /^Status: install ok installed$/m, name);
    }
    assert.equal((await text("etc/hostname")).trim(), computerName);
    assert.match(await text("etc/ssh/ssh_host_ed25519_key.pub"), /^ssh-ed25519 /);
    assert.match(await text("etc/motd"), /belongs to the workshop/);
    assert.match(await text("etc/deployed"), /^\d{4}-.*Z\n/);
    const left: string[] = [];
    for await (const node of reader.walk()) if (/^(\.?prestage|etc\/systemd\/system\/.*prestage)/.test(node.path)) left.push(node.path);
    assert.deepEqual(left, []);
  });
  const { esp } = await volumesOf(disk);
  assert.equal(readBootSwitch(await readFatFile(disk, esp, "prestage/boot.env")).boot, "installed");
}
