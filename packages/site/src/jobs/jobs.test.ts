import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { contentObjectSchema, mediaRecordSchema } from "@prestage/contract";
import type { ContentObject } from "@prestage/contract";
import { manifestReader, verifyMedia } from "@prestage/media";
import { createClaim } from "@prestage/trust";
import { TestDevice } from "../fixtures/test-device.ts";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { resolveContent } from "../management-point/make-policy.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function tree(name: string, files: Record<string, string>): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), text);
  }
  return join(folder, name);
}
async function wim(name: string, trees: string[]): Promise<string> {
  for (const [i, source] of trees.entries()) await runWimlib([i === 0 ? "capture" : "append", source, join(folder, name), `image ${i + 1}`, "--unix-data", "--check", ...(i === 0 ? ["--compress=LZX:20"] : [])]);
  return join(folder, name);
}
async function add(body: Record<string, unknown>): Promise<ContentObject> {
  const job = await site.job("/imports", body);
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  return contentObjectSchema.parse(job.result?.["object"]);
}
const create = (change: Record<string, unknown> = {}) => site.job("/media", { taskSequenceId: sequence["id"], variables: [], ...change });
const application = (change: object = {}) => ({ kind: "application", installCommand: "true", detection: [{ type: "command", command: "true" }], ...change });

const boot = await wim("boot.wim", [await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/vmlinuz": "k".repeat(300_000), "prestage/boot.env": "#".repeat(1024) }), await tree("agent", { "agent.mjs": "agent" })]);
const os = await wim("os.wim", [await tree("os1", { "etc/hostname": "one" }), await tree("os2", { "etc/hostname": "two" })]);
const bootImage = await add({ kind: "boot-image", name: "Boot", source: boot, profile: "virtual" });
const osImage = await add({ kind: "os-image", name: "Debian", source: os, index: 2 });
const base = await add({ kind: "application", name: "Base", source: await tree("base", { f: "base" }), definition: application() });
const tool = await add({ kind: "application", name: "Tool", softwareVersion: "1.0", source: await tree("tool", { f: "tool" }), definition: application({ dependencies: [base.id] }) });
const extra = await add({ kind: "package", name: "Extra", source: await tree("extra", { f: "extra" }), definition: { kind: "package", programs: [{ name: "Run", command: "true" }] } });
const drivers = await add({ kind: "driver-package", name: "Drivers", source: await tree("drivers", { "firmware/x.bin": "x" }), definition: { kind: "driver-package" } });
const yaml = `name: Deploy\nsteps:\n  - { name: OS, type: apply-os-image, with: { osImage: ${osImage.id}, index: 2 } }\n  - { name: Tool, type: install-application, with: { application: ${tool.id} } }\n`;
const sequence = await site.must("/task-sequences", "POST", { yaml });

test("imports keep what they are: kind, definition, revision, and the images of an OS image", async () => {
  assert.deepEqual(osImage.definition, { kind: "os-image", platform: "linux", images: [{ index: 1, name: "image 1", bytes: 3 }, { index: 2, name: "image 2", bytes: 3 }] });
  assert.deepEqual([tool.revision, tool.softwareVersion, bootImage.definition], [1, "1.0", { kind: "boot-image", architecture: "x64", profile: "virtual" }]);
  const listed = (await site.admin("/objects?kind=application")).json as { id: string }[];
  assert.deepEqual(listed.map((one) => one.id), [base.id, tool.id]);
});

test("the same folder again adds nothing; a changed one, or a changed definition, adds a revision", async () => {
  const again = await add({ kind: "package", name: "Extra", source: join(folder, "extra"), definition: extra.definition });
  assert.deepEqual([again.id, again.revision], [extra.id, 1]);
  await writeFile(join(folder, "extra/f"), "changed");
  const changed = await add({ kind: "package", name: "Extra", source: join(folder, "extra"), definition: extra.definition });
  assert.deepEqual([changed.id, changed.revision, changed.contentId === extra.contentId], [extra.id, 2, false]);
  const defined = await add({ kind: "package", name: "Renamed", update: extra.id, source: join(folder, "extra"), definition: { kind: "package", programs: [] } });
  assert.deepEqual([defined.id, defined.revision, defined.contentId, defined.name], [extra.id, 3, changed.contentId, "Renamed"]);
});

test("an import that fails says why by its code, and adds nothing", async () => {
  const before = ((await site.admin("/objects")).json as unknown[]).length;
  await mkdir(join(folder, "linked"));
  await symlink("/etc/shadow", join(folder, "linked/leak"));
  for (const [body, code] of [
    [{ kind: "application", name: "X", source: join(folder, "linked"), definition: application() }, "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED"], [{ kind: "application", name: "X", source: join(folder, "none"), definition: application() }, "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED"],
    [{ kind: "os-image", name: "X", source: os, index: 3 }, "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED"], [{ kind: "os-image", name: "X", source: join(folder, "tool/f"), index: 1 }, "PRESTAGE_WIM_NOT_A_WIM"],
    [{ kind: "application", name: "Taken", update: "ABC0FFFF", source: join(folder, "tool"), definition: application() }, "PRESTAGE_SITE_NOT_FOUND"], [{ kind: "application", name: "Base", update: tool.id, source: join(folder, "tool"), definition: application() }, "PRESTAGE_SITE_CONFLICT"],
  ] as const) {
    const job = await site.job("/imports", body);
    assert.deepEqual([job.state, job.error?.code], ["failed", code], JSON.stringify(body));
  }
  assert.equal(((await site.admin("/objects")).json as unknown[]).length, before);
  assert.deepEqual(await readdir(join(folder, "data/incoming")), []);
});

test("a media carries what the sequence names, its dependencies and what the options name, newest revisions, signed by the site", async () => {
  const output = join(folder, "media.wim");
  const job = await create({ output, packages: [extra.id], driverPackages: [drivers.id], variables: [{ name: "OSDTimeZone", value: "UTC" }], createdBy: "me", comment: "first", version: "7", unattended: true, managementPointMode: "dynamic", distributionPoints: ["https://dp.example.com"] });
  assert.equal(job.state, "succeeded", JSON.stringify(job.error));
  const verified = await verifyMedia(output, { trustedKeyring: site.context.keys.keyringEnvelope });
  assert.deepEqual(verified.findings, []);
  const { manifest, mediaId } = verified.media;
  assert.deepEqual(manifest.content.map((one) => [one.objectId, one.revision]), [[osImage.id, 1], [base.id, 1], [tool.id, 1], [extra.id, 3], [drivers.id, 1]].toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
  assert.deepEqual([manifest.osImage, manifest.bootImage.objectId], [{ objectId: osImage.id, contentId: osImage.contentId, index: 2 }, bootImage.id]);
  assert.deepEqual([manifest.managementPoints.mode, manifest.managementPoints.urls, manifest.distributionPoints, manifest.variables, manifest.version, manifest.unattended], ["dynamic", site.context.publicUrls(), ["https://dp.example.com"], [{ name: "OSDTimeZone", value: "UTC" }], "7", true]);
  assert.ok(!("supportShell" in manifest));
  assert.match(await readFile(`${output}.txt`, "utf8"), /Support shell +none[^]*Users of the device +not recorded/);
  const [record] = mediaRecordSchema.array().parse((await site.admin("/media")).json);
  assert.deepEqual([record?.mediaId, record?.sha256, record?.path, record?.manifest], [mediaId, sha256(await readFile(output)), output, manifest]);
});

test("the floor is the latest issue time of what the manifest names, never the build time; the same request gives the same bytes", async () => {
  const [first, second] = [await create({ output: join(folder, "a.wim") }), await create({ output: join(folder, "b.wim") })];
  assert.deepEqual([first.result?.["mediaId"], first.result?.["sha256"]], [second.result?.["mediaId"], second.result?.["sha256"]]);
  const { manifest } = (await verifyMedia(join(folder, "a.wim"))).media;
  const revisions = await Promise.all([bootImage.id, ...manifest.content.map((one) => one.objectId)].map(async (id) => ((await site.admin(`/objects/${id}`)).json as { created: string }[])[0]?.created ?? ""));
  assert.equal(manifest.floor, [site.context.keys.keyring.issued, ...revisions].toSorted().at(-1));
});

test("a variable that looks like a secret, an end before the beginning, an unknown object or a file that is there: refused, nothing is left", async () => {
  const output = join(folder, "refused/media.wim");
  await mkdir(dirname(output));
  for (const name of ["AdminPassword", "OSDJoinPassword", "API_TOKEN", "PRIVATE_KEY", "my.secret", "API-KEY", "DB_PWD"]) {
    const job = await create({ output, variables: [{ name, value: "x" }] });
    assert.deepEqual([job.state, job.error?.code], ["failed", "PRESTAGE_SITE_SECRET_ON_MEDIA"], name);
  }
  for (const [change, code] of [[{ applications: ["ABC0FFFF"] }, "PRESTAGE_SITE_NOT_FOUND"], [{ bootImageId: "ABC0FFFF" }, "PRESTAGE_SITE_NOT_FOUND"], [{ output: join(folder, "media.wim") }, "PRESTAGE_MEDIA_OUTPUT_EXISTS"], [{ output: join(folder, "none/media.wim") }, "PRESTAGE_MEDIA_OUTPUT_FOLDER"]] as const) {
    assert.equal((await create({ output, ...change })).error?.code, code, JSON.stringify(change));
  }
  assert.equal((await site.admin("/media", { method: "POST", body: { taskSequenceId: sequence["id"], variables: [], validFrom: "2026-02-01T00:00:00Z", validTo: "2026-01-01T00:00:00Z" } })).status, 400);
  assert.deepEqual(await readdir(dirname(output)), []);
});

test("a media kept at the site is downloaded whole or from any byte on; one that is gone is not found", async () => {
  const { result } = await create();
  const path = String(result?.["path"]);
  assert.ok(path.startsWith(join(folder, "data/media/")));
  const url = `/media/${String(result?.["mediaId"])}/file`;
  const bytes = await readFile(path);
  assert.ok((await site.admin(url)).body.equals(bytes));
  const rest = await site.admin(url, { headers: { range: "bytes=1000-" } });
  assert.equal(rest.status, 206);
  assert.ok(rest.body.equals(bytes.subarray(1000)));
  assert.equal((await site.admin(url, { headers: { range: `bytes=${bytes.length}-` } })).status, 416);
  await truncate(path, 1000);
  assert.deepEqual([(await site.admin(url)).status, (await site.admin(url)).json["code"]], [404, "PRESTAGE_SITE_NOT_FOUND"]);
  await rename(path, `${path}.gone`);
  assert.equal((await site.admin(url)).status, 404);
});

test("a computer started from a media that was built enrols by its id; its receipt is kept, unconfirmed", async () => {
  const [record] = mediaRecordSchema.array().parse((await site.admin("/media")).json);
  const mediaId = record?.mediaId ?? "";
  assert.equal((await new TestDevice(site, mediaId).enrol()).length, 36);
  const guid = "0f0e0d0c-0b0a-4908-8706-050403020100";
  const receipt = {
    format: "prestage-receipt-v1", mediaId, diskSerial: "S", diskModel: null, diskSizeBytes: 1, diskGuid: guid, espPartitionGuid: guid, volumePartitionGuid: guid, volumeFileSystemUuid: guid, machineSerial: null,
    files: { count: 0, bytes: 0, verified: 0, sha256: "0".repeat(64), list: [] }, toolVersion: "0.1.0", time: "2026-01-01T00:00:00Z", depot: null, claim: createClaim().public,
  };
  const kept = await site.must("/receipts", "POST", receipt);
  assert.equal(kept["confirmed"], false);
  assert.equal((await site.must("/receipts", "POST", receipt))["id"], kept["id"], "the same receipt is kept once");
  assert.equal((await site.admin("/receipts", { method: "POST", body: { ...receipt, mediaId: "0".repeat(64) } })).status, 404);
});

test("a second boot image has to be named", async () => {
  await tree("agent", { "agent.mjs": "another agent" });
  const second = await add({ kind: "boot-image", name: "Second", source: await wim("boot2.wim", [join(folder, "esp"), join(folder, "agent")]), profile: "hardware" });
  assert.equal((await create()).error?.code, "PRESTAGE_SITE_REFERENCE_MISSING");
  assert.equal((await create({ bootImageId: second.id })).state, "succeeded");
});

test("a boot image whose agent cannot read the manifests of this site goes on no media", async () => {
  const imported = async (name: string, agent: string) => {
    await tree("agent", { "agent.mjs": agent });
    return (await add({ kind: "boot-image", name, source: await wim(`${name}.wim`, [join(folder, "esp"), join(folder, "agent")]), profile: "virtual" })).id;
  };
  const old = await create({ bootImageId: await imported("older-agent", "strictObject({leastAgentVersion:x})") });
  assert.equal(old.error?.code, "PRESTAGE_SITE_BOOT_IMAGE_OLD");
  assert.match(String(old.error?.message), /Build the boot image anew/);
  assert.equal((await create({ bootImageId: await imported("newer-agent", `strictObject({leastAgentVersion:x}).describe("${manifestReader}")`) })).state, "succeeded");
});

test("a Windows that goes on with the sequence needs a boot image with the agent for it, and nothing is written without", async () => {
  const windows = await add({ kind: "os-image", name: "Windows", source: await wim("windows.wim", [await tree("windows", { "Windows/System32/config/SYSTEM": "hive", "Windows/System32/ntoskrnl.exe": "kernel" })]), index: 1 });
  assert.ok(windows.definition.kind === "os-image" && windows.definition.platform === "windows");
  const apply = `{ name: OS, type: apply-os-image, with: { osImage: ${windows.id} } }`;
  const output = join(folder, "of-windows.wim");
  await tree("agent-bare", { "agent.mjs": "agent" });
  const bare = (await add({ kind: "boot-image", name: "Bare", source: await wim("bare.wim", [join(folder, "esp"), join(folder, "agent-bare")]), profile: "virtual" })).id;
  const media = async (steps: string, bootImageId: string, to = output) => create({ taskSequenceId: (await site.must("/task-sequences", "POST", { yaml: `name: W\nsteps:\n${steps}` }))["id"], bootImageId, output: to });
  const refused = await media(`  - ${apply}\n  - { name: Go on, type: set-up-operating-system }\n`, bare);
  assert.deepEqual([refused.state, refused.error?.code], ["failed", "PRESTAGE_SITE_BOOT_IMAGE_NO_WINDOWS"]);
  assert.match(String(refused.error?.message), /boot-image build --windows/);
  assert.ok(!(await readdir(folder)).some((name) => name.startsWith("of-windows.wim")));
  // One that does not go on, or has the step in a group that is disabled.
  const disabled = `  - ${apply}\n  - { name: G, type: group, disabled: true, steps: [{ name: Go on, type: set-up-operating-system }] }\n`;
  for (const [i, steps] of [`  - ${apply}\n`, disabled].entries()) assert.equal((await media(steps, bare, join(folder, `bare-${i}.wim`))).state, "succeeded", steps);
  await tree("agent-windows", { "agent.mjs": "agent", "windows/node.exe": "node", "windows/prestage-service.exe": "service" });
  const whole = (await add({ kind: "boot-image", name: "Whole", source: await wim("whole.wim", [join(folder, "esp"), join(folder, "agent-windows")]), profile: "virtual" })).id;
  assert.equal((await media(`  - ${apply}\n  - { name: Go on, type: set-up-operating-system }\n`, whole)).state, "succeeded");
});

test("an OS image keeps the architecture its WIM says; no computer is told, and a record of before has none", async () => {
  const source = await wim("old-windows.wim", [await tree("old-windows", { "Windows/System32/config/SYSTEM": "hive", "Windows/System32/ntoskrnl.exe": "kernel" })]);
  const plain = await add({ kind: "os-image", name: "Of before", source, index: 1 });
  assert.ok(plain.definition.kind === "os-image" && !("architecture" in plain.definition));
  await runWimlib(["info", source, "1", "--image-property", "WINDOWS/ARCH=0"]);
  const old = await add({ kind: "os-image", name: "Old Windows", source, index: 1 });
  assert.ok(old.definition.kind === "os-image" && old.definition.architecture === "x86");
  assert.deepEqual(((await site.admin("/objects?kind=os-image")).json as ContentObject[]).filter(({ id }) => [plain.id, old.id].includes(id)).map(({ definition }) => definition), [plain.definition, old.definition]);
  assert.deepEqual((await resolveContent(site.context, [old.id])).map(({ definition }) => "architecture" in definition), [false]);
});

test("a job that runs can be cancelled and leaves nothing", async () => {
  await tree("large", Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, createHash("sha512").update(String(i)).digest("hex").repeat(20_000)])));
  const { jobId } = await site.must("/imports", "POST", { kind: "application", name: "Large", source: join(folder, "large"), definition: application() });
  const id = String(jobId);
  for (let state = "waiting"; state === "waiting"; ) state = String((await site.must(`/jobs/${id}`))["state"]);
  await site.must(`/jobs/${id}`, "DELETE");
  for (let state = "running"; state !== "cancelled"; ) {
    state = String((await site.must(`/jobs/${id}`))["state"]);
    assert.ok(state === "running" || state === "cancelled", state);
  }
  assert.deepEqual(await readdir(join(folder, "data/incoming")), []);
});

test("a media that asks for a password says so in its manifest and sheet, and holds nothing derived from it", async () => {
  const output = join(folder, "with-password.wim");
  const job = await create({ output, passwordRequired: true, supportShell: true, userDeviceAffinity: "approval", bootImageId: bootImage.id });
  const mediaId = String(job.result?.["mediaId"]);
  const before = await readFile(output);
  await site.must(`/media/${mediaId}/password`, "PUT", { password: "of this media" });
  const { verifier } = await site.context.db.selectFrom("media_password").select("verifier").where("media_id", "=", mediaId).executeTakeFirstOrThrow();
  const { manifest } = (await verifyMedia(output)).media;
  assert.deepEqual([manifest.passwordRequired, manifest.supportShell, manifest.userDeviceAffinity], [true, true, "approval"]);
  assert.match(await readFile(`${output}.txt`, "utf8"), /Password +asked for at first start[^]*Support shell +F8, once the computer is enrolled[^]*Users of the device +recorded once an administrator approves/);
  const bytes = await readFile(output);
  assert.ok(bytes.equals(before));
  for (const part of ["of this media", verifier, verifier.split("$").at(-1) ?? ""]) assert.ok(!bytes.includes(part) && !JSON.stringify(manifest).includes(part));
});

test("a name that is a secret's at the site goes on no media, whatever it looks like", async () => {
  const { id } = await site.must("/collections", "POST", { name: "With a secret" });
  await site.must("/secrets", "PUT", { scope: "collection", ownerId: id, name: "WIFI_KEY", value: "x" });
  assert.equal((await create({ variables: [{ name: "wifi_key", value: "x" }], bootImageId: bootImage.id })).error?.code, "PRESTAGE_SITE_SECRET_ON_MEDIA");
});

test("after the keyring changed, media are built with a boot image that carries the new one, and with no other", async () => {
  await site.must("/keyring/rotate", "POST", { roles: ["policy"] });
  assert.equal((await create({ output: join(folder, "old-boot.wim"), bootImageId: bootImage.id })).error?.code, "PRESTAGE_SITE_BOOT_IMAGE_OLD");
});
