import assert from "node:assert/strict";
import { test } from "node:test";
import { errorAnswerSchema, siteSchema } from "@prestage/contract";
import { openTrustedKeyring } from "@prestage/trust";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";

const site = await startSite(await dataDirectory(), { pages: [{ path: "/", type: "text/html; charset=utf-8", body: "<!doctype html>" }, { path: "/console.js", type: "text/javascript", body: "1" }] });
const sequence = "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n";
const guid = "00000000-0000-4000-8000-000000000000";

/** Routes anyone may call: time, enrolment, the requests signed by a device, signed content URLs, the console's files. */
const publicRoutes = ["GET /mp/v1/keyrings", "GET /mp/v1/time", "POST /mp/v1/enrolment/challenge", "POST /mp/v1/enrolment", "GET /mp/v1/renewal", "POST /mp/v1/policy", "POST /mp/v1/content-urls", "POST /mp/v1/secrets", "POST /mp/v1/status", "GET /content/:id/:file", "GET /", "GET /console.js"];

/** Fastify's own list of its routes: `├── /v1/site (GET, HEAD)`, children below their parents. */
function routes(): string[] {
  const found: string[] = [];
  const parents: string[] = [];
  for (const line of site.running.routes.split("\n")) {
    const [, indent = "", part, methods] = /^((?:[│ ] {3})*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    if (part === undefined) continue;
    parents.splice(indent.length / 4);
    parents.push(part);
    for (const method of methods?.split(", ") ?? []) if (method !== "HEAD") found.push(`${method} ${parents.join("").replaceAll("//", "/")}`);
  }
  return found;
}

test("every route but the few public ones answers 401 without the token, with a wrong one, and with the token elsewhere", async () => {
  const all = routes();
  for (const route of publicRoutes) assert.ok(all.includes(route), `${route} is in the list: ${all.join(", ")}`);
  const guarded = all.filter((route) => !publicRoutes.includes(route));
  assert.ok(guarded.length >= 30 && guarded.every((route) => route.includes(" /v1/")), guarded.join("\n"));
  const token = site.context.keys.adminToken;
  for (const route of guarded) {
    const [method = "", template = ""] = route.split(" ");
    const path = template.replace(":code", "ABCDEF").replace(":id", template.includes("/media/") ? "0".repeat(64) : guid);
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: token }, { authorization: `Basic ${token}` }, { authorization: `Bearer ${token.slice(0, -1)}` }, { cookie: `token=${token}` }]) {
      const body = method === "GET" || method === "DELETE" ? {} : { body: {} };
      const answer = await site.call(`${path}?token=${token}`, { method, headers: headers as Record<string, string>, ...body });
      assert.deepEqual([answer.status, answer.json["code"]], [401, "PRESTAGE_SITE_UNAUTHORIZED"], `${route} ${JSON.stringify(headers)}`);
    }
  }
});

test("the requests of devices are refused without a signature", async () => {
  for (const [path, body] of [["/mp/v1/policy", { mediaId: "0".repeat(64) }], ["/mp/v1/content-urls", { contentIds: ["0".repeat(64)] }], ["/mp/v1/secrets", { deploymentId: "ABC00001", names: ["A"] }], ["/mp/v1/status", { messages: [{ number: 1, time: "2026-01-01T00:00:00Z", kind: "error", environment: "boot" }] }]] as const) {
    const answer = await site.call(path, { method: "POST", body });
    assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_SITE_DEVICE_UNKNOWN"], path);
  }
});

test("the console's files need no token and forbid anything from elsewhere", async () => {
  const page = await site.call("/");
  assert.deepEqual([page.status, page.headers["content-type"], page.headers["x-content-type-options"]], [200, "text/html; charset=utf-8", "nosniff"]);
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
});

test("the site tells what it is, and gives its keyring as it is signed", async () => {
  const told = siteSchema.parse(await site.must("/site"));
  assert.deepEqual([told.siteCode, told.keyringVersion, told.distributionPoints], ["ABC", 1, []]);
  const keyring = openTrustedKeyring((await site.admin("/keyring")).body);
  assert.equal(keyring.tlsCa, site.context.keys.authority.certificate);
});

test("every refusal is {code, message}, whatever was sent", async () => {
  const cases: [string, string, unknown, number, string][] = [
    ["GET", "/nowhere", undefined, 404, "PRESTAGE_SITE_NOT_FOUND"], ["GET", "/objects/ABC0FFFF", undefined, 404, "PRESTAGE_SITE_NOT_FOUND"], ["GET", "/objects/../../etc/passwd", undefined, 404, "PRESTAGE_SITE_NOT_FOUND"],
    ["GET", "/objects/lower", undefined, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["GET", "/objects?kind=nothing", undefined, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["GET", "/deployments/ABC0FFFF", undefined, 404, "PRESTAGE_SITE_NOT_FOUND"],
    ["POST", "/imports", {}, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["POST", "/imports", "text", 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["POST", "/task-sequences", { yaml: "name: [" }, 422, "PRESTAGE_SEQUENCE_"],
    ["POST", "/task-sequences", { yaml: sequence, update: "ABC0FFFF" }, 404, "PRESTAGE_SITE_NOT_FOUND"], ["POST", "/task-sequences", { yaml: sequence.replace("run-command-line, with: { command: 'true' }", "install-application, with: { application: ABC0FFFF }") }, 422, "PRESTAGE_SITE_REFERENCE_MISSING"],
    ["POST", "/media", { taskSequenceId: "ABC0FFFF", variables: [] }, 404, "PRESTAGE_SITE_NOT_FOUND"], ["POST", "/deployments", { taskSequenceId: "ABC0FFFF", collectionId: "ABC00001", purpose: "required", makeAvailableTo: "MediaAndPxe" }, 404, "PRESTAGE_SITE_NOT_FOUND"],
    ["POST", "/devices", { name: "PC-1" }, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["POST", "/devices", { name: "PC-1", serialNumber: "" }, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["POST", "/devices", { name: "PC 1", serialNumber: "x" }, 400, "PRESTAGE_SITE_REQUEST_INVALID"],
    ["POST", "/devices", { name: "PC-1", serialNumber: "x", replaces: guid }, 404, "PRESTAGE_SITE_NOT_FOUND"], ["POST", "/collections", { name: "Kiosks", members: [guid] }, 404, "PRESTAGE_SITE_NOT_FOUND"],
    ["POST", "/approvals/ABCDEF", { decision: "approve" }, 404, "PRESTAGE_SITE_NOT_FOUND"], ["GET", `/jobs/${guid}`, undefined, 404, "PRESTAGE_SITE_NOT_FOUND"], ["GET", `/media/${"0".repeat(64)}/file`, undefined, 404, "PRESTAGE_SITE_NOT_FOUND"],
    ["POST", "/receipts", { format: "x" }, 400, "PRESTAGE_SITE_REQUEST_INVALID"], ["DELETE", "/distribution-points?url=x", undefined, 400, "PRESTAGE_SITE_REQUEST_INVALID"],
  ];
  for (const [method, path, body, status, code] of cases) {
    const answer = await site.admin(path, { method, body });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.body.toString()}`);
    assert.ok(errorAnswerSchema.parse(answer.json).code.startsWith(code), `${method} ${path}: ${answer.body.toString()}`);
  }
  const broken = await site.admin("/imports", { method: "POST", rawBody: Buffer.from("{") });
  assert.deepEqual([broken.status, broken.json["code"]], [400, "PRESTAGE_SITE_REQUEST_INVALID"]);
  assert.equal((await site.admin("/task-sequences", { method: "POST", body: { yaml: "x".repeat(17 * 1024 * 1024) } })).status, 413);
});

test("a task sequence is added once, revised where it changed, and its name belongs to it", async () => {
  const first = await site.must("/task-sequences", "POST", { yaml: sequence });
  assert.equal((await site.must("/task-sequences", "POST", { yaml: sequence }))["revision"], 1);
  const second = await site.must("/task-sequences", "POST", { yaml: sequence.replace("true", "false") });
  assert.deepEqual([second["id"], second["revision"]], [first["id"], 2]);
  const other = await site.must("/task-sequences", "POST", { yaml: sequence.replace("One", "Other") });
  assert.notEqual(other["id"], first["id"]);
  const taken = await site.admin("/task-sequences", { method: "POST", body: { yaml: sequence, update: other["id"] } });
  assert.deepEqual([taken.status, taken.json["code"]], [409, "PRESTAGE_SITE_CONFLICT"]);
  const renamed = await site.must("/task-sequences", "POST", { yaml: sequence.replace("One", "Renamed"), update: other["id"] });
  assert.deepEqual([renamed["id"], renamed["name"], renamed["revision"]], [other["id"], "Renamed", 2]);
});

test("deployments go to a device or a collection, never both or neither, and can be changed", async () => {
  const [first] = (await site.admin("/task-sequences")).json as { id: string }[];
  const device = await site.must("/devices", "POST", { name: "PC-7", serialNumber: "S7" });
  const collection = await site.must("/collections", "POST", { name: "Office", members: [device["id"]], variables: [{ name: "OSDTimeZone", value: "UTC" }] });
  const base = { taskSequenceId: first?.id, purpose: "required", makeAvailableTo: "MediaAndPxe" };
  for (const to of [{}, { collectionId: collection["id"], deviceId: device["id"] }]) assert.equal((await site.admin("/deployments", { method: "POST", body: { ...base, ...to } })).status, 400);
  const made = await site.must("/deployments", "POST", { ...base, collectionId: collection["id"] });
  const changed = await site.must(`/deployments/${String(made["id"])}`, "PATCH", { makeAvailableTo: "MediaAndPxeHidden", enabled: false });
  assert.deepEqual([changed["purpose"], changed["makeAvailableTo"], changed["enabled"]], ["required", "MediaAndPxeHidden", false]);
  assert.equal((await site.admin("/collections", { method: "POST", body: { name: "Office" } })).status, 409);
});

test("a device can replace another one, but not itself or nobody", async () => {
  const old = await site.must("/devices", "POST", { name: "OLD", macAddress: "00:11:22:33:44:55" });
  const made = await site.must("/devices", "POST", { name: "NEW", smbiosUuid: "4C4C4544-0000-1000-8000-000000000000", replaces: old["id"] });
  assert.equal(made["replaces"], old["id"]);
  const id = String(made["id"]);
  assert.equal((await site.admin(`/devices/${id}`, { method: "PATCH", body: { replaces: id } })).status, 409);
  assert.equal((await site.admin(`/devices/${id}`, { method: "PATCH", body: { replaces: guid } })).status, 404);
  assert.equal((await site.must(`/devices/${id}`, "PATCH", { replaces: null }))["replaces"], null);
});

test("distribution points are kept in their order", async () => {
  await site.must("/distribution-points", "PUT", { url: "https://dp2.example.com", order: 2 });
  await site.must("/distribution-points", "PUT", { url: "https://dp1.example.com", order: 9 });
  await site.must("/distribution-points", "PUT", { url: "https://dp1.example.com", order: 1 });
  assert.deepEqual((await site.must("/site"))["distributionPoints"], [{ url: "https://dp1.example.com", order: 1 }, { url: "https://dp2.example.com", order: 2 }]);
  await site.must("/distribution-points?url=https%3A%2F%2Fdp1.example.com", "DELETE");
  assert.equal(((await site.admin("/distribution-points")).json as unknown[]).length, 1);
});

test("what was done stands in the audit, which nothing changes", async () => {
  const actions = (await site.context.db.selectFrom("audit").selectAll().orderBy("id").execute()).map((row) => row.action);
  for (const action of ["task-sequence-add", "deployment-create", "deployment-set", "device-add", "collection-create", "distribution-point-set", "distribution-point-remove"]) assert.ok(actions.includes(action), action);
  await site.context.db.deleteFrom("audit").execute();
  await site.context.db.updateTable("audit").set({ actor: "nobody" }).execute();
  assert.equal((await site.context.db.selectFrom("audit").selectAll().where("actor", "=", "administrator").execute()).length, actions.length);
});
