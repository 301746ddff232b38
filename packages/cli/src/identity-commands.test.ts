import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Context } from "./context.ts";
import { cli } from "./fixtures/run-cli.ts";
import type { CliResult } from "./fixtures/run-cli.ts";
import { readNewPassword, readSecretLines } from "./read-secret.ts";
import { parseConfiguration, serve } from "@prestage/site";

const folder = await mkdtemp(join(tmpdir(), "prestage-cli-"));
await chmod(folder, 0o755);
const data = join(folder, "data");
const site = await serve(parseConfiguration({ dataDirectory: data, siteCode: "ABC", host: "127.0.0.1", port: 0, logLevel: "error" }));
after(async () => {
  await site.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A command at this site with something on its standard input; its answer as JSON. */
async function at<T = Record<string, unknown>>(args: readonly string[], input = ""): Promise<T> {
  const result = await cli([...args, "--data", data, "--json"], undefined, input);
  assert.equal(result.exitCode, 0, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return result.json as T;
}
const code = (result: CliResult) => (result.json as { error?: { code: string } } | undefined)?.error?.code;

test("secret variables of a device, a collection and a deployment are read from standard input or a file, and listed by name", async () => {
  await writeFile(join(folder, "sequence.yaml"), "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' }, secrets: [JOIN] }\n");
  const sequence = await at<{ id: string }>(["sequence", "add", join(folder, "sequence.yaml")]);
  const device = await at<{ id: string; secretVariables: string[] }>(["device", "add", "--name", "PC-1", "--serial-number", "S1", "--secret-variable", "JOIN", "--secret-variable", "SECOND"], "first value\nsecond value\n");
  assert.deepEqual(device.secretVariables, ["JOIN", "SECOND"]);
  const collection = await at<{ id: string }>(["collection", "create", "--name", "C", "--secret-variable", "JOIN"], "of the collection");
  await writeFile(join(folder, "secrets.env"), "# of the deployment\nJOIN=of the = deployment\n", { mode: 0o600 });
  const deployment = await at<{ id: string; secretVariables: string[]; secretsToPassword: boolean }>(["deployment", "create", "--task-sequence", sequence.id, "--collection", collection.id, "--secret-variable", "join", "--secret-file", join(folder, "secrets.env"), "--secrets-to-password"]);
  assert.deepEqual([deployment.secretVariables, deployment.secretsToPassword], [["join"], true]);
  assert.equal((await at(["deployment", "set", deployment.id, "--secrets-to-password", "no"]))["secretsToPassword"], false);
  await at(["device", "set", device.id, "--secret-variable", "JOIN"], "newer value");
  await at(["secret", "remove", "--device", device.id, "second"]);
  const listed = await cli(["secret", "list", "--data", data]);
  for (const id of [device.id, collection.id, deployment.id]) assert.ok(listed.stdout.includes(id));
  assert.deepEqual((await at<{ name: string; scope: string }[]>(["secret", "list"])).map((one) => `${one.scope} ${one.name}`), ["collection JOIN", "deployment join", "device JOIN"]);
  for (const noun of ["device", "collection", "deployment", "secret", "audit"]) assert.doesNotMatch((await cli([noun, "list", "--data", data, "--json"])).stdout, /of the (collection|=)|first value|second value|newer value/, noun);
});

test("a secret that is not there, has no name of one, or was put into an argument is refused before anything is changed", async () => {
  const before = (await at<unknown[]>(["device", "list"])).length;
  const cases: [string[], string, string][] = [
    [["device", "add", "--name", "PC-2", "--serial-number", "S2", "--secret-variable", "JOIN"], "", "PRESTAGE_CLI_NO_SECRET"],
    [["device", "add", "--name", "PC-2", "--serial-number", "S2", "--secret-variable", "JOIN=value"], "x\n", "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["device", "add", "--name", "PC-2", "--serial-number", "S2", "--secret-variable", "PATH"], "x\n", "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["device", "add", "--name", "PC-2", "--serial-number", "S2", "--secret-variable", "OTHER", "--secret-file", join(folder, "secrets.env")], "", "PRESTAGE_CLI_NO_SECRET"],
    [["secret", "set", "JOIN"], "x\n", "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["secret", "set", "--deployment", "ABC0FFFF", "JOIN"], "x\n", "PRESTAGE_SITE_NOT_FOUND"],
    [["media", "set-password", "ffff"], "long enough\n", "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["media", "create", "--task-sequence", "ABC00001", "--password-stdin", "-o", join(folder, "m.wim")], "short\n", "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["conflict", "resolve", "00000000-0000-4000-8000-000000000000", "--resolution", "keep-first"], "", "PRESTAGE_SITE_NOT_FOUND"],
    [["device", "revoke", "00000000-0000-4000-8000-000000000000"], "", "PRESTAGE_SITE_NOT_FOUND"],
    [["claim", "revoke", "0123"], "", "PRESTAGE_CLI_BAD_ARGUMENT"],
  ];
  for (const [args, input, expected] of cases) {
    const result = await cli([...args, "--data", data, "--json"], undefined, input);
    assert.deepEqual([result.exitCode, code(result)], [1, expected], `${args.join(" ")}: ${result.stdout}`);
  }
  assert.equal((await at<unknown[]>(["device", "list"])).length, before);
});

test("every list of this kind prints a table, and JSON where asked for", async () => {
  for (const noun of ["claim", "conflict", "secret", "audit"]) {
    const plain = await cli([noun, "list", "--data", data]);
    assert.deepEqual([plain.exitCode, plain.stderr], [0, ""], noun);
    assert.match(plain.stdout, /^[A-Z][A-Z ]+\n/, noun);
    assert.ok(Array.isArray((await cli([noun, "list", "--data", data, "--json"])).json), noun);
  }
});

/** A terminal: what is typed, and what it shows. */
function terminal(typed: string) {
  let shown = "";
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => void raw.push(on) });
  stdin.write(typed);
  const context = { process: { stdin, stderr: { write: (text: string) => ((shown += text), true) } }, signal: new AbortController().signal } as unknown as Context;
  return { context, shown: () => shown, raw };
}

test("on a terminal what is typed is not shown, and a new password is typed twice", async () => {
  const type = async (second: string) => {
    const one = terminal("secrex\u007ft word\r");
    setImmediate(() => (one.context.process.stdin as unknown as PassThrough).write(`${second}\r`));
    return { typed: await readNewPassword(one.context).catch((cause: unknown) => cause), ...one };
  };
  const { typed, shown, raw } = await type("secret word");
  assert.equal(typed, "secret word");
  assert.equal(shown(), "Password of the media: \nThe same again: \n");
  assert.deepEqual(raw, [true, false, true, false]);
  assert.match(String((await type("secret sword")).typed), /two different ones/);
  assert.deepEqual(await readSecretLines(terminal("abc\u0015value\n").context, ["Value of A"]), ["value"]);
  await assert.rejects(readSecretLines(terminal("val\u0003").context, ["Value of A"]), { code: "PRESTAGE_CLI_NO_SECRET" });
});

test("users of a device are listed, approved all or by name, refused and removed", async () => {
  const { id } = await at<{ id: string }>(["device", "add", "--name", "PC-9", "--serial-number", "S9"]);
  for (const user of ["D\\a", "D\\b", "D\\c"]) await site.context.db.insertInto("user_device_affinity").values({ device_id: id, user_key: user.toLowerCase(), user_name: user, state: "pending", source: "ABC00007" }).execute();
  const states = async (...flags: string[]) => (await at<{ user: string; state: string }[]>(["device", "affinity", "list", "--device", id, ...flags])).map((one) => `${one.user} ${one.state}`);
  assert.deepEqual(await at<{ state: string }[]>(["device", "affinity", "refuse", id, "--user", "d\\B"]).then((decided) => decided.map((one) => one.state)), ["refused"]);
  assert.deepEqual(await states("--pending"), ["D\\a pending", "D\\c pending"]);
  await at(["device", "affinity", "approve", id]);
  assert.deepEqual(await states(), ["D\\a approved", "D\\b refused", "D\\c approved"]);
  assert.match((await cli(["device", "show", id, "--data", data])).stdout, /user D\\a \(approved\)\nuser D\\b \(refused\)/);
  assert.match((await cli(["device", "affinity", "list", "--data", data])).stdout, /DEVICE +NAME +USER[^]*PC-9 +D\\a +approved +ABC00007/);
  await at(["device", "affinity", "remove", id, "--user", "D\\b", "--user", "D\\c"]);
  assert.deepEqual(await states(), ["D\\a approved"]);
  for (const [args, expected] of [[["approve", id], "PRESTAGE_CLI_BAD_ARGUMENT"], [["approve", id, "--user", "D\\none"], "PRESTAGE_SITE_NOT_FOUND"], [["remove", id, "--user", "D\\none"], "PRESTAGE_SITE_NOT_FOUND"]] as const) {
    const result = await cli(["device", "affinity", ...args, "--data", data, "--json"]);
    assert.deepEqual([result.exitCode, code(result)], [1, expected], args.join(" "));
  }
});
