import assert from "node:assert/strict";
import { get } from "node:https";
import { test } from "node:test";
import { managementPointPaths } from "@prestage/contract";
import type { Alert, Deployment, Device, RunRecord, StatusMessage } from "@prestage/contract";
import { registerMedia, TestDevice } from "../fixtures/test-device.ts";
import { alertsThatHold } from "../store/alerts.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

let shiftMs = 0;
const hour = 3_600_000;
const now = () => new Date(Date.now() + shiftMs);
const at = (ms: number) => new Date(now().getTime() + ms).toISOString();
const site = await startSite(await dataDirectory(), { now });
const media = await registerMedia(site, "a".repeat(64));
const unattended = await registerMedia(site, "b".repeat(64), { unattended: true });
const unknownComputers = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
const addSequence = async (name: string, steps: string, more = "") => String((await site.must("/task-sequences", "POST", { yaml: `name: ${name}\n${more}steps:\n${steps}` }))["id"]);
const generic = await addSequence("Generic", "  - { name: Run, type: run-command-line, with: { command: 'true' } }\n", "maximumRunMinutes: 30\n");
const system = await addSequence("System", "  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb } }\n", "maximumRunMinutes: 0\n");

/** A computer of its own with what is deployed to it alone. */
async function computer(change: object = {}, options: { media?: string; sequence?: string } = {}) {
  const device = new TestDevice(site, options.media ?? media, { serialNumber: `S${Math.random()}` });
  device.now = now;
  const deviceId = await device.enrol();
  const create = async (more: object) => site.admin("/deployments", { method: "POST", body: { taskSequenceId: options.sequence ?? generic, deviceId, purpose: "required", makeAvailableTo: "MediaAndPxe", ...more } });
  const made = await create(change);
  assert.equal(made.status, 200, made.body.toString());
  const deploymentId = String(made.json["id"]);
  let number = 0;
  const say = async (...kinds: Partial<StatusMessage>[]) => {
    const messages = kinds.map((message) => ({ number: ++number, time: now().toISOString(), environment: "boot", deploymentId, ...message }));
    assert.equal((await device.post(managementPointPaths.status, { messages })).status, 200);
    return messages;
  };
  return {
    device, deviceId, deploymentId, create, say,
    run: (outcome: "succeeded" | "failed") => say({ kind: "sequence-started" }, { kind: "sequence-finished", outcome }),
    offered: async (request: object = {}) => (await device.policy(request)).offers.map((offer) => offer.purpose),
    deployment: async () => (await site.must(`/deployments/${deploymentId}`)) as unknown as Deployment,
    shown: async () => (await site.must(`/devices/${deviceId}`)) as unknown as Device,
    set: (body: object) => site.admin(`/deployments/${deploymentId}`, { method: "PATCH", body }),
  };
}
const openAlerts = async (deploymentId: string, all = false) => ((await site.admin(`/alerts${all ? "?all=true" : ""}`)).json as unknown as Alert[]).filter((one) => one.deploymentId === deploymentId);

test("a required deployment is offered as available before its first assignment, and as required from then on", async () => {
  const { offered, set, deployment } = await computer({ assignments: [{ at: at(hour) }, { at: at(9 * hour) }] });
  assert.deepEqual(await offered(), ["available"]);
  shiftMs += 2 * hour;
  assert.deepEqual(await offered(), ["required"]);
  assert.equal((await set({ assignments: [{ at: at(hour) }] })).status, 200);
  assert.deepEqual([await offered(), (await deployment()).assignments.length], [["available"], 1]);
  assert.equal((await set({ assignments: [] })).status, 200);
  assert.deepEqual(await offered(), ["required"]);
  for (const body of [{ assignments: [{ at: at(hour) }], expires: at(hour / 2) }, { assignments: [{ from: at(0), every: 0, unit: "days" }] }, { assignments: [{ from: at(0), every: 1, unit: "fortnights" }] }]) assert.equal((await set(body)).status, 400, JSON.stringify(body));
});

test("where it would begin without anybody choosing it, what is not due is not offered at all, and the answer says from when on", async () => {
  for (const options of [{ media: unattended }, {}]) {
    const due = at(hour);
    const { device, deploymentId } = await computer({ assignments: [{ at: due }] }, options);
    const policy = await device.policy("media" in options ? {} : { preferredDeploymentId: deploymentId });
    assert.deepEqual(policy.offers, []);
    assert.match(policy.nothingOffered ?? "", new RegExp(due.replaceAll(".", "\\.")));
    shiftMs += hour;
    assert.deepEqual((await device.policy("media" in options ? {} : { preferredDeploymentId: deploymentId })).offers.map((offer) => offer.purpose), ["required"]);
  }
});

test("whether a computer runs it again follows its recorded runs", async () => {
  for (const [rerun, afterFailure, afterSuccess] of [["always", "required", "required"], ["never", "available", "available"], ["if-failed", "required", "available"], ["if-succeeded", "available", "required"]] as const) {
    const failing = await computer({ rerun });
    assert.deepEqual(await failing.offered(), ["required"], rerun);
    await failing.run("failed");
    assert.deepEqual(await failing.offered(), [afterFailure], `${rerun} after a failure`);
    const succeeding = await computer({ rerun });
    await succeeding.run("succeeded");
    assert.deepEqual(await succeeding.offered(), [afterSuccess], `${rerun} after a success`);
  }
});

test("a recurring deployment runs once for each occurrence; a run in progress goes on whatever is changed", async () => {
  const { offered, run, say, set, device, deploymentId } = await computer({ assignments: [{ from: at(-hour), every: 1, unit: "days" }] });
  assert.deepEqual(await offered(), ["required"]);
  assert.ok((await device.policy({ deploymentId })).selected);
  await run("failed");
  assert.deepEqual(await offered(), ["available"]);
  shiftMs += 24 * hour;
  assert.deepEqual(await offered(), ["required"]);
  await say({ kind: "sequence-started" });
  assert.equal((await set({ assignments: [{ at: at(hour) }], rerun: "never" })).status, 200);
  assert.equal((await device.policy({ deploymentId })).offers[0]?.purpose, "required", "what it chose, it goes on with");
});

test("runs are kept once each, a message sent again or late changes nothing, and each computer's newest is shown with it", async () => {
  const { say, deploymentId, deployment, device, shown } = await computer();
  const messages = await say({ kind: "sequence-started" }, { kind: "step-started", step: { id: "run", name: "Run", type: "run-command-line", path: [] } });
  assert.deepEqual((await deployment()).computers, { reached: 1, succeeded: 0, failed: 0, running: 1, overdue: 0 });
  await device.post(managementPointPaths.status, { messages });
  await say({ kind: "sequence-finished", outcome: "failed" });
  await say({ kind: "sequence-started" });
  await say({ kind: "sequence-finished", outcome: "succeeded" });
  const runs = (await site.admin(`/runs?deploymentId=${deploymentId}`)).json as unknown as RunRecord[];
  assert.deepEqual(runs.map((one) => [one.outcome, one.maximumMinutes, one.finished !== null]), [["succeeded", 30, true], ["failed", 30, true]]);
  assert.equal((await shown()).lastRun?.outcome, "succeeded");
  assert.deepEqual((await deployment()).computers, { reached: 1, succeeded: 1, failed: 0, running: 0, overdue: 0 });
});

test("a device reports runs of what is deployed to it, and of nothing else", async () => {
  const [mine, other] = [await computer(), await computer({ alerts: { failureAbove: 0 } })];
  await mine.say({ kind: "sequence-started", deploymentId: other.deploymentId }, { kind: "sequence-finished", outcome: "failed", deploymentId: other.deploymentId });
  assert.deepEqual((await other.deployment()).computers, { reached: 1, succeeded: 0, failed: 0, running: 0, overdue: 0 });
  assert.deepEqual(await openAlerts(other.deploymentId), []);
  // What it has chosen is its own, also when it is no longer offered.
  assert.ok((await mine.device.policy({ deploymentId: mine.deploymentId })).selected);
  await mine.set({ enabled: false });
  await mine.run("succeeded");
  assert.equal((await mine.deployment()).computers.succeeded, 1);
});

test("a run past its sequence's maximum time is marked as overdue until it ends; 0 minutes are 12 hours", async () => {
  const { say, deploymentId, deployment, shown, deviceId } = await computer({}, { sequence: system });
  await say({ kind: "sequence-started" });
  assert.deepEqual([(await shown()).lastRun?.maximumMinutes, (await shown()).lastRun?.overdue], [720, false]);
  await site.context.db.updateTable("run").set({ started: new Date(Date.now() - 721 * 60_000) }).where("device_id", "=", deviceId).execute();
  assert.deepEqual([(await shown()).lastRun?.overdue, (await deployment()).computers.overdue], [true, 1]);
  await say({ kind: "sequence-finished", outcome: "succeeded" });
  assert.deepEqual([(await shown()).lastRun?.overdue, (await deployment()).computers.overdue], [false, 0]);
  assert.equal(((await site.admin(`/runs?deploymentId=${deploymentId}`)).json as unknown as RunRecord[])[0]?.outcome, "succeeded");
});

const highImpact = { headline: "This computer is set up anew", texts: ["Everything on its disk is deleted.", "It takes half an hour.", "Call 4711 if this is not meant."] };
test("high-impact texts travel with a required deployment of an operating system, and with nothing else; all are mandatory", async () => {
  const { device, set, create } = await computer({ highImpact }, { sequence: system });
  assert.deepEqual((await device.policy()).offers[0]?.highImpact, highImpact);
  assert.equal((await set({ purpose: "available" })).status, 200);
  assert.equal((await device.policy()).offers[0]?.highImpact, undefined);
  assert.equal((await set({ purpose: "required", highImpact: null })).status, 200);
  assert.equal((await device.policy()).offers[0]?.highImpact, undefined);
  const other = await computer({ highImpact });
  assert.equal((await other.device.policy()).offers[0]?.highImpact, undefined, "no operating system");
  for (const wrong of [{ headline: "x" }, { ...highImpact, texts: ["a", "b"] }, { ...highImpact, texts: ["a", "b", ""] }, { ...highImpact, headline: "x".repeat(256) }, { ...highImpact, headline: "\u001b[2J" }]) assert.equal((await create({ highImpact: wrong })).status, 400, JSON.stringify(wrong));
});

test("a debug deployment sets TSDebugMode, goes to few computers, and not beside a normal one", async () => {
  const { device, deploymentId, create, set, deviceId } = await computer({ debug: true, purpose: "available" });
  const { selected } = await device.policy({ deploymentId });
  assert.deepEqual(selected?.variables, [{ name: "TSDebugMode", value: "true", source: "deployment" }]);
  const code = async (answer: ReturnType<typeof create>) => (await answer).json["code"] ?? "made";
  assert.equal(await code(create({})), "PRESTAGE_SITE_DEBUG_DEPLOYMENT", "a normal one to the same computer");
  assert.equal(await code(create({ deviceId: undefined, collectionId: unknownComputers })), "PRESTAGE_SITE_DEBUG_DEPLOYMENT", "a normal one that reaches it");
  assert.equal(await code(create({ taskSequenceId: system })), "made", "another sequence");
  assert.equal((await set({ enabled: false })).status, 200);
  assert.equal(await code(create({})), "made");
  assert.equal(await code(set({ enabled: true })), "PRESTAGE_SITE_DEBUG_DEPLOYMENT");
  assert.equal(await code(create({ debug: true, deviceId: undefined, collectionId: unknownComputers })), "PRESTAGE_SITE_DEBUG_DEPLOYMENT");
  const members = [deviceId];
  while (members.length < 11) members.push(String((await site.must("/devices", "POST", { name: "PC", serialNumber: `M${members.length}` }))["id"]));
  const collection = async (some: string[]) => String((await site.must("/collections", "POST", { name: `Some ${some.length}`, members: some }))["id"]);
  assert.equal(await code(create({ debug: true, deviceId: undefined, collectionId: await collection(members), taskSequenceId: generic })), "PRESTAGE_SITE_DEBUG_DEPLOYMENT");
  assert.equal(await code(create({ debug: true, deviceId: undefined, collectionId: await collection(members.slice(1)), taskSequenceId: generic })), "made");
});

test("a report of a run is kept even where its sequence's text can no longer be read", async () => {
  const old = await addSequence("Old", "  - { name: Run, type: run-command-line, with: { command: 'true' } }\n", "maximumRunMinutes: 30\n");
  const { run, shown } = await computer({}, { sequence: old });
  const store = (yaml: string) => site.context.db.updateTable("task_sequence_revision").set({ yaml }).where("sequence_id", "=", old).execute();
  await store("name: Old\nsteps: []\nwhatOnceWas: allowed\n");
  await run("succeeded");
  await store("name: Old\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n");
  assert.deepEqual([(await shown()).lastRun?.outcome, (await shown()).lastRun?.maximumMinutes], ["succeeded", 120]);
});

test("an alert opens when its threshold is passed, is cleared when that is over, and stays away once closed by hand", async () => {
  const { deploymentId, run, set } = await computer({ alerts: { successBelow: { percent: 100, by: at(hour) }, failureAbove: 0 } });
  assert.deepEqual(await openAlerts(deploymentId), []);
  await run("failed");
  const [failed] = await openAlerts(deploymentId);
  assert.deepEqual([failed?.kind, failed?.threshold, failed?.percent], ["failure-above", 0, 100]);
  shiftMs += 2 * hour;
  assert.deepEqual((await openAlerts(deploymentId)).map((one) => one.kind).toSorted(), ["failure-above", "success-below"]);
  await site.must(`/alerts/${failed?.id ?? ""}/close`, "POST");
  assert.deepEqual((await openAlerts(deploymentId)).map((one) => [one.kind, one.percent]), [["success-below", 0]], "closed by hand, although true still");
  await run("succeeded");
  assert.deepEqual(await openAlerts(deploymentId), []);
  await run("failed");
  assert.equal((await openAlerts(deploymentId)).length, 2, "true anew");
  assert.equal((await openAlerts(deploymentId, true)).length, 4);
  assert.equal((await set({ alerts: { failureAbove: null } })).status, 200);
  assert.deepEqual((await openAlerts(deploymentId)).map((one) => one.kind), ["success-below"]);
  assert.equal((await set({ enabled: false })).status, 200);
  assert.deepEqual(await openAlerts(deploymentId), []);
  for (const alerts of [{ successBelow: { percent: 0, by: at(0) } }, { successBelow: { percent: 50 } }, { failureAbove: 100 }]) assert.equal((await set({ alerts })).status, 400, JSON.stringify(alerts));
  assert.equal((await site.admin("/alerts/00000000-0000-4000-8000-000000000000/close", { method: "POST" })).status, 404);
});

test("a run that ends has its alerts looked at without anybody asking for them", async () => {
  const { deploymentId, run } = await computer({ alerts: { failureAbove: 0 } });
  const opened = Promise.withResolvers<void>();
  const unsubscribe = site.context.feed.subscribe(() => void site.context.db.selectFrom("alert").select("id").where("deployment_id", "=", deploymentId).executeTakeFirst().then((alert) => alert && opened.resolve()));
  await run("failed");
  await opened.promise;
  unsubscribe();
});

test("the console is told of deployments and alerts as of devices", async () => {
  const { deploymentId, run } = await computer({ alerts: { failureAbove: 0 } });
  await run("failed");
  await openAlerts(deploymentId);
  const text = await new Promise<string>((resolve, reject) => {
    const sent = get(`${site.running.url}/v1/devices/events`, { ca: site.context.keys.authority.certificate, headers: { authorization: `Bearer ${site.context.keys.adminToken}` } }, (answer) => {
      let seen = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        seen += part;
        if (!/event: alerts\ndata: .*\n\n/.test(seen)) return;
        resolve(seen);
        sent.destroy();
      });
    });
    sent.on("error", reject);
  });
  for (const event of ["deployments", "alerts"]) assert.match(text, new RegExp(`event: ${event}\\ndata: \\[.*${deploymentId}`));
});

test("what an alert shows is rounded, but never onto the threshold it has passed", () => {
  const found = (succeeded: number, failed: number, below: number, above: number) => [...alertsThatHold({ alert_success_below: below, alert_success_by: new Date(0), alert_failure_above: above }, { reached: 1000, succeeded, failed }, new Date()).values()].map((one) => one.percent);
  assert.deepEqual(found(333, 334, 90, 10), [33, 33]);
  assert.deepEqual(found(999, 52, 100, 5), [99, 6]);
  assert.deepEqual(found(900, 50, 90, 5), []);
});

test("a text made from an older revision is refused; the maximum run time makes no new revision, and no computer is told of it", async () => {
  const yaml = (command: string, minutes: number) => `name: Edited\nmaximumRunMinutes: ${minutes} # as long as it takes\nsteps:\n  - { name: Run, type: run-command-line, with: { command: '${command}' } }\n`;
  const first = await site.must("/task-sequences", "POST", { yaml: yaml("one", 10) });
  const update = (command: string, minutes: number, basedOn: number) => site.admin("/task-sequences", { method: "POST", body: { yaml: yaml(command, minutes), update: first["id"], basedOn } });
  assert.equal((await update("two", 10, 1)).json["revision"], 2);
  const refused = await update("three", 10, 1);
  assert.deepEqual([refused.status, refused.json["code"]], [409, "PRESTAGE_SITE_REVISION_OLD"]);
  const longer = await update("two", 20, 2);
  assert.deepEqual([longer.json["revision"], String(longer.json["yaml"]).includes("20 # as")], [2, true]);
  const { payload } = await site.context.db.selectFrom("task_sequence_revision").select("payload").where("sequence_id", "=", String(first["id"])).where("revision", "=", 2).executeTakeFirstOrThrow();
  assert.doesNotMatch(payload.toString(), /maximumRunMinutes/);
});
