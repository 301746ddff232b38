import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { registerMedia } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const unknownComputers = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
const add = async (name: string, steps: string) => String((await site.must("/task-sequences", "POST", { yaml: `name: ${name}\nsteps:\n${steps}` }))["id"]);
const deploy = (taskSequenceId: string, purpose = "available") => site.admin("/deployments", { method: "POST", body: { taskSequenceId, collectionId: unknownComputers, purpose, makeAvailableTo: "MediaAndPxe" } });
const { db } = site.context;

async function application(name: string, dependencies: string[] = []): Promise<string> {
  const source = join(folder, name);
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "file"), name);
  const job = await site.job("/imports", { kind: "application", name, source, definition: { kind: "application", installCommand: "true", detection: [{ type: "command", command: "true" }], dependencies } });
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  return (job.result?.["object"] as { id: string } | undefined)?.id ?? "";
}
/** As it would be after a loss: the site itself does not let go of what a sequence names. */
async function lose(id: string): Promise<void> {
  await db.deleteFrom("object_revision").where("object_id", "=", id).execute();
  await db.deleteFrom("content_object").where("id", "=", id).execute();
}

test("a sequence whose content, or what that needs, is gone is not deployed; the refusal names each", async () => {
  const [needed, other] = [await application("Needed"), await application("Other")];
  const dependent = await application("Dependent", [needed]);
  const id = await add("Software", `  - { name: Boot, type: restart }\n  - { name: First, type: install-application, with: { application: ${dependent} } }\n  - { name: Second, type: install-application, with: { application: ${other} }, when: { variable: Nobody, exists: true } }\n`);
  const made = await deploy(id);
  assert.equal(made.status, 200);
  await site.must(`/deployments/${String(made.json["id"])}`, "PATCH", { enabled: false });
  await lose(needed);
  await lose(other);
  const refused = await deploy(id);
  assert.deepEqual([refused.status, refused.json["code"]], [422, "PRESTAGE_SITE_SEQUENCE_BROKEN"]);
  for (const word of [needed, other, "Second", "Dependent"]) assert.match(String(refused.json["message"]), new RegExp(word));
  // What is deployed already is not offered anew while it is broken, but may be changed otherwise.
  for (const [body, status] of [[{ enabled: true }, 422], [{ purpose: "required" }, 422], [{ expires: null }, 200]] as const) assert.equal((await site.admin(`/deployments/${String(made.json["id"])}`, { method: "PATCH", body })).status, status, JSON.stringify(body));
  await site.must("/task-sequences", "POST", { update: id, yaml: `name: Software\nsteps:\n  - { name: Boot, type: restart }\n  - { name: First, type: install-application, with: { application: ${dependent} }, disabled: true }\n` });
  assert.equal((await deploy(id)).status, 200, "a disabled step needs nothing");
});

test("a program its package does not have refuses the deployment; a secret that nobody set does not, for it may be the deployment's own", async () => {
  const source = join(folder, "programs");
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "file"), "programs");
  const job = await site.job("/imports", { kind: "package", name: "Programs", source, definition: { kind: "package", programs: [{ name: "Apply", command: "true" }] } });
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  const id = (job.result?.["object"] as { id: string } | undefined)?.id ?? "";
  const run = (program: string) => add(`Runs ${program}`, `  - { name: Boot, type: restart }\n  - { name: Run, type: install-package, with: { package: ${id}, program: ${program} }, secrets: [NOBODYS] }\n`);
  const refused = await deploy(await run("Remove"));
  assert.deepEqual([refused.status, refused.json["code"]], [422, "PRESTAGE_SITE_SEQUENCE_BROKEN"]);
  assert.match(String(refused.json["message"]), /program names Remove; the package Programs has only Apply/);
  assert.equal((await deploy(await run("apply"))).status, 200);
});

test("a child sequence that is gone or broken refuses its parent", async () => {
  const child = await add("Child", "  - { name: Run, type: run-command-line, with: { command: 'true' } }\n");
  const parent = await add("Parent", `  - { name: Run the child, type: run-task-sequence, with: { taskSequence: ${child} } }\n`);
  assert.equal((await deploy(parent)).status, 200);
  await db.deleteFrom("task_sequence_revision").where("sequence_id", "=", child).execute();
  const refused = await deploy(parent);
  assert.deepEqual([refused.status, refused.json["code"]], [422, "PRESTAGE_SITE_SEQUENCE_BROKEN"]);
  assert.match(String(refused.json["message"]), new RegExp(`${child}.*Run the child`));
});

test("a step that fails in every run refuses the deployment; one that may be skipped, or may fail, does not", async () => {
  const coffee = "name: Coffee, type: make-coffee";
  for (const [steps, status] of [
    [`  - { ${coffee} }\n`, 422], [`  - { ${coffee}, continueOnError: true }\n`, 200], [`  - { ${coffee}, when: { variable: Tea, notExists: true } }\n`, 200], [`  - { ${coffee}, disabled: true }\n  - { name: Boot, type: restart }\n`, 200],
    [`  - { name: G, type: group, steps: [{ ${coffee} }] }\n`, 422], [`  - { name: G, type: group, continueOnError: true, steps: [{ ${coffee} }] }\n`, 200],
    ["  - { name: Set, type: set-variable, with: { name: _SMSTSMediaType, value: x } }\n", 422], ["  - { name: Disk, type: partition-disk }\n", 422], ["  - { name: Disk, type: partition-disk, when: { variable: _SMSTSMediaType, notEquals: OEMMedia } }\n", 200],
    ["  - { name: Ask, type: run-command-line, with: { command: apt-get install jq } }\n", 200],
  ] as const) {
    const id = await add(`Try ${steps}`.replace(/[^A-Za-z ]/g, ""), steps);
    assert.equal((await deploy(id)).status, status, steps);
  }
});

test("a partition step without a disk is deployed where a variable of the computer, of its collections or of a media may name another one than the staged", async () => {
  const id = await add("By variable", "  - { name: Disk, type: partition-disk }\n");
  const device = async (name: string, variables: { name: string; value: string }[]) => String((await site.must("/devices", "POST", { name, serialNumber: name, variables }))["id"]);
  const collection = async (name: string, members: string[], variables: { name: string; value: string }[] = []) => String((await site.must("/collections", "POST", { name, members, variables }))["id"]);
  const disk = (value: string) => [{ name: "osdDiskIndex", value }];
  const deployTo = async (target: object) => {
    const made = await site.admin("/deployments", { method: "POST", body: { taskSequenceId: id, ...target, purpose: "available", makeAvailableTo: "MediaAndPxe" } });
    return [made.status, made.json["id"]] as const;
  };
  const [plain, own, zero] = [await device("DISK-1", []), await device("DISK-2", disk("1")), await device("DISK-3", disk("0"))];
  for (const [target, status] of [
    [{ deviceId: plain }, 422], [{ deviceId: own }, 200], [{ deviceId: zero }, 422], [{ collectionId: unknownComputers }, 422],
    [{ collectionId: await collection("Without", [plain, zero]) }, 422], [{ collectionId: await collection("Some", [plain, own]) }, 200],
  ] as const) assert.equal((await deployTo(target))[0], status, JSON.stringify(target));
  const all = await collection("All", [plain], disk("/dev/nvme1n1"));
  for (const target of [{ collectionId: all }, { deviceId: plain }]) assert.equal((await deployTo(target))[0], 200, "of its collection");
  const [, made] = await deployTo({ deviceId: own });
  await site.must(`/deployments/${String(made)}`, "PATCH", { enabled: false });
  await site.must(`/devices/${own}`, "PATCH", { variables: [] });
  await db.deleteFrom("collection_member").where("device_id", "=", own).execute();
  assert.equal((await site.admin(`/deployments/${String(made)}`, { method: "PATCH", body: { enabled: true } })).status, 422, "looked at again where it is enabled");
  await registerMedia(site, "c".repeat(64), { prestart: { command: "prestage-variable OSDDiskIndex 1" } });
  assert.equal((await deployTo({ deviceId: zero }))[0], 200);
});

test("a secret in clear is no revision, wherever its step stands, and is not repeated", async () => {
  const child = await add("Joining", "  - { name: Run, type: run-command-line, with: { command: 'true' } }\n");
  const parent = await add("Joins", `  - { name: Run the child, type: run-task-sequence, with: { taskSequence: ${child} } }\n`);
  const join = "name: Join, type: join-directory, with: { domain: ad.example.org, account: joiner, password: hunter2 }";
  for (const steps of [`  - { ${join} }\n`, `  - { ${join}, disabled: true }\n`, `  - { ${join}, continueOnError: true }\n`, `  - { name: G, type: group, when: { variable: A, exists: true }, steps: [{ ${join} }] }\n`]) {
    for (const body of [{ yaml: `name: In clear\nsteps:\n${steps}` }, { update: child, yaml: `name: Joining\nsteps:\n${steps}` }]) {
      const refused = await site.admin("/task-sequences", { method: "POST", body });
      assert.deepEqual([refused.status, refused.json["code"]], [422, "PRESTAGE_SEQUENCE_MALFORMED"], steps);
      assert.match(String(refused.json["message"]), /password of the step "Join"/);
      assert.doesNotMatch(JSON.stringify(refused.json), /hunter2/);
    }
  }
  const rows = await db.selectFrom("task_sequence_revision").select(["sequence_id", "yaml", "payload"]).execute();
  assert.equal(rows.some(({ yaml, payload }) => yaml.includes("hunter2") || payload.includes("hunter2")), false);
  assert.deepEqual([child, parent].map((id) => rows.filter((row) => row.sequence_id === id).length), [1, 1]);
});
