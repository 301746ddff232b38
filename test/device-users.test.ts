import assert from "node:assert/strict";
import { test } from "node:test";
import type { Affinity, StatusRecord } from "@prestage/contract";
import type { Manifest } from "@prestage/media";
import { runChosen } from "../packages/agent/src/run-chosen.ts";
import { registerClaim, registerMedia } from "../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../packages/site/src/fixtures/test-site.ts";
import { AgentInProcess } from "./support/agent-in-process.ts";

const site = await startSite(await dataDirectory());
const yaml = `name: Users
steps:
  - { id: who, name: Who, type: set-variable, with: { name: SMSTSUDAUsers, value: "%WHO%" }, when: { variable: WHO, exists: true } }
  - { id: mode, name: Mode, type: set-variable, with: { name: SMSTSAssignUsersMode, value: "%ASSIGN%" }, when: { variable: ASSIGN, exists: true } }
  - { id: show, name: Show, type: run-command-line, with: { command: "echo the mode is %SMSTSAssignUsersMode%; test -z '%FAIL%' -o '%FAIL%' != yes" } }
`;
const unknownComputers = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
const sequenceId = String((await site.must("/task-sequences", "POST", { yaml }))["id"]);
const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId: sequenceId, collectionId: unknownComputers, purpose: "required", makeAvailableTo: "MediaAndPxe" }))["id"]);

let medias = 0;
type Variables = Record<string, string>;
const list = (variables: Variables) => Object.entries(variables).map(([name, value]) => ({ name, value }));

/** A computer of such a media runs the sequence to its end: what the site has then. */
async function deploy(userDeviceAffinity: Manifest["userDeviceAffinity"], from: { media?: Variables; prestart?: Variables; device?: Variables }, around?: (send: () => Promise<{ highest: number }>) => Promise<{ highest: number }>) {
  const media = await registerMedia(site, (++medias).toString(16).padStart(64, "0"), { userDeviceAffinity, unattended: true, unattendedError: "power-off", variables: list(from.media ?? {}) });
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings, deviceId } = await agent.enrol(`S${medias}`);
  if (from.device !== undefined) await site.must(`/devices/${deviceId}`, "PATCH", { variables: list(from.device) });
  await agent.state.keepPrestartVariables(list(from.prestart ?? {}));
  const { answer } = await agent.choose(keyrings);
  const { contact, folder } = agent;
  contact.status.start((messages) => (around === undefined ? contact.client.sendStatus(messages) : around(() => contact.client.sendStatus(messages))));
  const disk = { device: "/dev/null", espPartition: "", espGuid: "", dataPartition: "", dataGuid: "", dataFileSystemUuid: "" };
  const failed = new AbortController(); // what failed is shown for a minute; nobody looks here
  void agent.event(/@@prestage sequence .*"state":"failed"/).then(async () => {
    await contact.status.flush();
    failed.abort(new Error("nobody looks"));
  });
  await runChosen({
    ...contact, environment: "boot", dataRoot: folder, espRoot: folder, makeEspWritable: async () => undefined, disk, answer, keyrings, deviceKey: agent.deviceKey, sealingKey: await agent.state.sealingKey(),
    signal: AbortSignal.any([contact.signal, failed.signal]),
  }).catch((cause: unknown) => {
    if (!failed.signal.aborted) throw cause;
  });
  const users = ((await site.admin(`/affinities?deviceId=${deviceId}`)).json as unknown as Affinity[]).map((one) => `${one.user} ${one.state}`);
  const status = ((await site.admin(`/status?deviceId=${deviceId}&limit=1000`)).json as unknown as StatusRecord[]).map((record) => record.message);
  return { users, status, said: status.filter((message) => message.kind === "user-device-affinity").map((message) => message.text), mode: /the mode is (\w+)/.exec(status.map((message) => message.outputTail ?? "").join(""))?.[1] };
}

test("the users a sequence names are recorded as the media says, and SMSTSAssignUsersMode says it to the sequence", async () => {
  for (const [affinity, mode, users, said] of [["none", "Disabled", [], "not recorded"], ["approval", "Pending", ["CONTOSO\\alice pending", "CONTOSO\\bob pending"], "to be approved"], ["automatic", "Auto", ["CONTOSO\\alice approved", "CONTOSO\\bob approved"], "recorded"]] as const) {
    const found = await deploy(affinity, { media: { WHO: "CONTOSO\\alice, CONTOSO\\bob" } });
    assert.deepEqual([found.mode, found.users], [mode, users]);
    assert.match(found.said.join("\n"), new RegExp(`^CONTOSO\\\\alice, CONTOSO\\\\bob: ${said}[^\n]*$`));
    assert.deepEqual(found.status.slice(-2).map((message) => [message.kind, message.deploymentId]), [["user-device-affinity", deploymentId], ["sequence-finished", deploymentId]]);
  }
});

test("a sequence makes the mode stricter, never looser", async () => {
  assert.deepEqual((await deploy("automatic", { media: { WHO: "D\\a", ASSIGN: "Pending" } })).users, ["D\\a pending"]);
  assert.deepEqual((await deploy("automatic", { media: { WHO: "D\\a", ASSIGN: "Disabled" } })).users, []);
  assert.deepEqual((await deploy("approval", { media: { WHO: "D\\a", ASSIGN: "Auto" } })).users, ["D\\a pending"]);
  assert.deepEqual((await deploy("none", { media: { WHO: "D\\a", ASSIGN: "Auto" } })).users, []);
});

test("the prestart command and the device's record name users too, the prestart command last; what is none is said and left out", async () => {
  assert.deepEqual((await deploy("automatic", { device: { SMSTSUDAUsers: "D\\record" } })).users, ["D\\record approved"]);
  const found = await deploy("automatic", { device: { SMSTSUDAUsers: "D\\record" }, prestart: { SMSTSUDAUsers: "D\\typed, nobody" } });
  assert.deepEqual(found.users, ["D\\typed approved"]);
  assert.match(found.said.join(), /not a domain\\user[^:]*: "nobody"/);
});

test("without users nothing is reported, and a sequence that fails reports none", async () => {
  assert.deepEqual((await deploy("automatic", {})).said, []);
  const failed = await deploy("automatic", { media: { WHO: "D\\a", FAIL: "yes" } });
  assert.deepEqual([failed.users, failed.said, failed.status.at(-1)?.outcome], [[], [], "failed"]);
});

test("an outage and a lost answer at the end of a sequence lose no user and record none twice", async () => {
  let calls = 0;
  const found = await deploy("approval", { media: { WHO: "D\\a" } }, async (send) => {
    calls++;
    if (calls === 1) throw new Error("the network is away");
    const answer = await send();
    if (calls === 2) throw new Error("the answer is lost");
    return answer;
  });
  assert.deepEqual([found.users, found.said.length], [["D\\a pending"], 1]);
  assert.ok(calls >= 3);
});
