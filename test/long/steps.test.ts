import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ImportedObject } from "../../demo/factory.ts";
import { realContent } from "../../demo/real-content.ts";
import { withDataVolume } from "../support/disk-faults.ts";
import { runToItsEnd, withMachine } from "../support/machines.ts";
import { checkDisk, openDebianFixture } from "../support/power-cuts.ts";
import type { DebianFixture } from "../support/power-cuts.ts";

const limit = { timeout: 40 * 60_000 };
let debian: DebianFixture;
let mediaId = "";

/** The disk is staged; then the sequence is revised and the disk, still on the shelf, brought up to a media made for it. */
before(async () => {
  debian = await openDebianFixture("steps");
  const { fixture, osImage, jq, sequenceId } = debian;
  const { settings: source } = await realContent(() => undefined);
  const revised = join(fixture.folder, "settings");
  await cp(source, revised, { recursive: true });
  await writeFile(join(revised, "added.bin"), randomBytes(400_000));
  const settings = await fixture.site.run<ImportedObject>(["package", "import", revised, "--name", "Settings", "--program", "Set up=sh ./set-up.sh"]);
  const line = (id: string, type: string, settingsText: string, more = "") => `  - { id: ${id}, name: ${id}, type: ${type}, with: { ${settingsText} }${more} }\n`;
  const child = await fixture.addSequence("Common", [
    line("where", "run-script", `script: 'printf "%s %s" "$1" "%Net%" > /etc/where; echo hello', parameters: ["%Where%"], outputVariable: Said`),
    line("said", "run-script", `language: javascript, script: 'import { writeFileSync } from "node:fs"; writeFileSync("/etc/said", process.argv[2])', parameters: ["%Said%"]`),
    line("holds", "run-command-line", "command: touch /etc/conditions-held", ', when: { all: [{ operatingSystem: name, equals: debian }, { operatingSystem: version, greaterOrEqual: "12" }, { software: dpkg, greater: "1.0" }, { file: /etc/where, property: size, greater: 3 }, { none: [{ folder: /opt/none, exists: true }] }] }'),
    line("again", "run-command-line", "command: 'test -e /var/tmp/second || { touch /var/tmp/second; exit 4; }'", ", retry: { times: 2, delaySeconds: 1 }"),
    line("limited", "run-command-line", "command: sleep 3600", ", timeLimitMinutes: 1, continueOnError: true"),
    line("post", "set-variable", "name: SMSTSPostAction, value: 'echo after > /etc/after'"),
  ].join(""));
  const again = await fixture.addSequence("Deploy", [
    line("ready", "check-readiness", "memoryMiB: 512, diskMiB: 4000, uefi: true, wiredNetwork: true, acPower: true"),
    line("dynamic", "set-dynamic-variables", 'rules: [{ make: "qemu*", model: "*q35*", set: { Where: lab } }, { location: "10.0.2.*", set: { Net: user } }, { make: "LENOVO", model: "*", set: { Where: wrong } }]'),
    line("fetch", "download-package-content", `packages: [${settings.id}], variable: Fetched`),
    line("never", "set-variable", "name: Where, value: wrong", ", when: { hardware: memoryMiB, greater: 9000000 }"),
    line("apply", "apply-os-image", `osImage: ${osImage.id}`),
    line("set-up", "set-up-operating-system", "computerName: CUT-01, serialConsole: true, users: []"),
    line("restart", "restart", "to: installed"),
    line("common", "run-task-sequence", `taskSequence: ${child}`),
    line("jq", "install-application", `application: ${jq.id}`),
    line("settings", "install-package", `package: ${settings.id}, program: Set up`),
    line("record", "run-command-line", 'command: "date -u +%FT%TZ >> /etc/deployed"'),
  ].join(""));
  assert.equal(again, sequenceId, "a revision of the same sequence");
  const media = await fixture.createMedia("media-2", sequenceId);
  const [refreshed] = await fixture.site.run<{ outcome: string; mediaId: string; from: string }[]>(["stage", media, "--refresh", debian.staged.path]);
  assert.deepEqual([refreshed?.outcome, refreshed?.from], ["refreshed", debian.staged.receipt.mediaId]);
  mediaId = refreshed?.mediaId ?? "";
}, limit);

after(() => debian?.fixture.close());

test("a disk refreshed on the shelf starts and runs every kind of step in its real place: readiness, rules, scripts, conditions on the computer, retries, time limits, a child sequence, the post action", limit, async (t) => {
  const { fixture, staged } = debian;
  await withMachine(t, fixture, "steps", { disk: staged.path }, async (on) => {
    const { deviceId, status } = await runToItsEnd(fixture, on);
    const ended = status.filter((message) => message.kind === "step-finished" || message.kind === "step-skipped").map((message) => [message.step?.id, message.outcome, message.error?.code ?? message.exitCode ?? message.text]);
    t.diagnostic(JSON.stringify(ended));
    assert.deepEqual(ended.map(([id, outcome]) => `${String(id)} ${String(outcome)}`), [
      "ready succeeded", "dynamic succeeded", "fetch succeeded", "never skipped", "apply succeeded", "set-up succeeded", "restart succeeded", "common.where succeeded", "common.said succeeded", "common.holds succeeded", "common.again failed", "common.again succeeded",
      "common.limited failed", "common.post succeeded", "jq succeeded", "settings succeeded", "record succeeded",
    ]);
    assert.deepEqual(ended.filter(([id]) => id === "common.limited" || id === "never").map(([, , what]) => what === "PRESTAGE_AGENT_STEP_TIME_LIMIT" || /^hardware memoryMiB is "\d+"$/.test(String(what))), [true, true]);
    assert.deepEqual(status.filter((message) => message.kind === "sequence-finished").map((message) => message.outcome), ["succeeded"]);
    assert.equal((await fixture.site.run<{ mediaId: string }>(["device", "show", deviceId])).mediaId, mediaId);
  });
  await withDataVolume(staged.path, async (reader) => {
    const text = async (path: string) => (await reader.readFile(path)).toString();
    assert.deepEqual([await text("etc/where"), await text("etc/said"), await text("etc/after"), await reader.has("etc/conditions-held")], ["lab user", "hello", "after\n", true]);
  });
  await checkDisk(staged.path);
});
