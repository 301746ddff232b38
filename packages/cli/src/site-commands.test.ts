import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";
import type { CliResult } from "./fixtures/run-cli.ts";

const { folder, data, site, at, tree } = await cliSite();
const code = (result: CliResult) => (result.json as { error?: { code: string } } | undefined)?.error?.code;

let sequenceId = "";
test("content, a sequence, a deployment and a media are made with commands alone", async () => {
  const boot = join(folder, "boot.wim");
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": "#".repeat(1024) }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  await runWimlib(["append", await tree("agent", { "agent.mjs": "agent" }), boot, "2", "--unix-data", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  const application = await at<{ id: string }>("application", "import", await tree("app", { f: "1" }), "--name", "Tool", "--install", "true", "--detect-command", "true", "--success-code", "0", "--success-code", "2");
  const definition = (await at<{ definition: Record<string, unknown> }[]>("application", "show", `{${application.id.toLowerCase()}}`))[0]?.definition;
  assert.deepEqual([definition?.["installCommand"], definition?.["successCodes"]], ["true", [0, 2]]);
  await at("package", "import", await tree("package", { f: "1" }), "--name", "Set-up", "--program", "Run=sh ./f a=b");
  const file = join(folder, "sequence.yaml");
  await writeFile(file, `name: Deploy\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${application.id} } }\n`);
  sequenceId = (await at<{ id: string }>("sequence", "add", file)).id;
  const [collection] = await at<{ id: string; builtIn: string }[]>("collection", "list");
  const deployment = await at<{ id: string }>("deployment", "create", "--task-sequence", sequenceId, "--collection", collection?.id ?? "", "--make-available-to", "MediaAndPxe");
  assert.equal((await at("deployment", "set", deployment.id, "--make-available-to", "MediaAndPxeHidden"))["makeAvailableTo"], "MediaAndPxeHidden");
  const output = join(folder, "media.wim");
  const made = await at("media", "create", "--task-sequence", sequenceId, "--variable", "A=b", "-o", output);
  assert.deepEqual((await at("media", "verify", output))["findings"], []);
  const inspected = await at<{ mediaId: string; trusted: boolean }>("media", "inspect", output);
  assert.deepEqual([inspected.mediaId, inspected.trusted], [made["mediaId"], true]);
  assert.deepEqual((await readdir(folder)).filter((name) => name.startsWith("media.wim")).toSorted(), ["media.wim", "media.wim.sha256", "media.wim.txt"]);
});

test("a media's password comes from standard input, is kept at the site alone, and can be changed by how the media's id begins", async () => {
  const output = join(folder, "with-password.wim");
  const made = await cli(["media", "create", "--task-sequence", sequenceId, "--password-stdin", "--support-shell", "--user-device-affinity", "approval", "-o", output, "--data", data, "--json"], undefined, "of this media\n");
  assert.equal(made.exitCode, 0, made.stdout);
  const { mediaId } = made.json as { mediaId: string };
  const verifier = async () => (await site.context.db.selectFrom("media_password").select("verifier").where("media_id", "=", mediaId).executeTakeFirstOrThrow()).verifier;
  const first = await verifier();
  const { manifest } = await at<{ manifest: { passwordRequired: boolean; supportShell?: true; userDeviceAffinity: string } }>("media", "inspect", output);
  assert.deepEqual([manifest.passwordRequired, manifest.supportShell, manifest.userDeviceAffinity], [true, true, "approval"]);
  assert.match((await cli(["media", "inspect", output, "--data", data])).stdout, /Support shell +F8[^]*Users of the device +recorded once/);
  assert.ok(!(await readFile(output)).includes("of this media"));
  const changed = await cli(["media", "set-password", mediaId.slice(0, 16), "--password-stdin", "--data", data], undefined, "another one\n");
  assert.deepEqual([changed.exitCode, changed.stderr], [0, ""]);
  assert.notEqual(await verifier(), first);
});

test("from another machine the media is downloaded, going on with what is there, and checked", async () => {
  const output = join(folder, "elsewhere/media.wim");
  await mkdir(dirname(output));
  await writeFile(join(folder, "ca.pem"), site.context.keys.authority.certificate);
  Object.assign(process.env, { PRESTAGE_SITE: site.url, PRESTAGE_TOKEN: site.context.keys.adminToken, PRESTAGE_CA: join(folder, "ca.pem") });
  try {
    const create = () => cli(["media", "create", "--task-sequence", sequenceId, "--variable", "A=b", "-o", output, "--json"]);
    const whole = await readFile(join(folder, "media.wim"));
    const { sha256 } = (await at<{ sha256: string; manifest: { variables: unknown[] } }[]>("media", "list")).find((one) => one.manifest.variables.length === 1)!;
    const partial = `${output}.${sha256.slice(0, 16)}.partial`;
    await writeFile(partial, whole.subarray(0, 1000));
    const result = await create();
    assert.equal(result.exitCode, 0, result.stdout + result.stderr);
    assert.ok((await readFile(output)).equals(whole));
    assert.deepEqual((await readdir(dirname(output))).toSorted(), ["media.wim", "media.wim.sha256", "media.wim.txt"]);
    assert.deepEqual(await readFile(`${output}.txt`, "utf8"), await readFile(join(folder, "media.wim.txt"), "utf8"));
    assert.equal(code(await create()), "PRESTAGE_MEDIA_OUTPUT_EXISTS");
    const missing = await cli(["media", "create", "--task-sequence", sequenceId, "-o", join(folder, "missing/media.wim")]);
    assert.match(missing.stderr, /folder \S+\/missing to write [^]*\(PRESTAGE_CLI_NO_FOLDER\)/);
    await rm(output);
    await writeFile(partial, Buffer.alloc(whole.length));
    assert.equal(code(await create()), "PRESTAGE_CLI_DOWNLOAD_DAMAGED");
    assert.equal((await create()).exitCode, 0, "the damaged part is gone: it is fetched again");
  } finally {
    for (const name of ["PRESTAGE_SITE", "PRESTAGE_TOKEN", "PRESTAGE_CA"]) delete process.env[name];
  }
});

test("the site's and a job's refusals keep their code; what was typed wrong is said so", async () => {
  const cases: [string[], string][] = [
    [["application", "show", "ABC0FFFF"], "PRESTAGE_SITE_NOT_FOUND"],
    [["application", "import", join(folder, "none"), "--name", "X", "--install", "true", "--detect-command", "true"], "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED"],
    [["application", "import", join(folder, "app"), "--name", "X", "--install", "true"], "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["package", "import", join(folder, "app"), "--name", "X", "--program", "no command"], "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["media", "create", "--task-sequence", sequenceId, "--variable", "AdminPassword=x", "-o", join(folder, "x.wim")], "PRESTAGE_SITE_SECRET_ON_MEDIA"],
    [["media", "create", "--task-sequence", "nonsense", "-o", join(folder, "x.wim")], "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["media", "create", "--task-sequence", sequenceId, "--valid-to", "tomorrow", "-o", join(folder, "x.wim")], "PRESTAGE_CLI_BAD_ARGUMENT"],
    [["approval", "approve", "ABCDEF"], "PRESTAGE_SITE_NOT_FOUND"],
    [["sequence", "add", join(folder, "boot.wim")], "PRESTAGE_SEQUENCE_MALFORMED"],
  ];
  for (const [args, expected] of cases) {
    const result = await cli([...args, "--data", data, "--json"]);
    assert.equal(result.exitCode, 1);
    assert.equal(code(result), expected, `${args.join(" ")}: ${result.stdout}`);
  }
});

test("every list prints a table, and JSON where asked for", async () => {
  for (const noun of ["os-image", "boot-image", "application", "package", "driver-package", "sequence", "collection", "deployment", "alert", "device", "approval", "media", "depot", "receipt", "distribution-point", "status"]) {
    const words = [noun, "list", "--data", data];
    const plain = await cli(words);
    assert.deepEqual([plain.exitCode, plain.stderr], [0, ""], noun);
    assert.match(plain.stdout, /^([A-Z][A-Z ]+|\(the site itself\)\n)/, noun);
    assert.ok(Array.isArray((await cli([...words, "--json"])).json), noun);
  }
});

test("Ctrl-C ends a job at the site too, and says that nothing was left", async () => {
  const interrupted = new AbortController();
  await tree("large", Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, `${i} some text that is long `.repeat(60_000)])));
  const result = cli(["application", "import", join(folder, "large"), "--name", "Large", "--install", "true", "--detect-command", "true", "--data", data, "--json"], interrupted.signal);
  const running = () => site.context.db.selectFrom("job").selectAll().where("kind", "=", "import").where("state", "=", "running").execute();
  while ((await running()).length === 0);
  interrupted.abort();
  const { exitCode } = await result;
  assert.equal(exitCode, 130);
  while ((await running()).length > 0);
  const [last] = await site.context.db.selectFrom("job").selectAll().where("kind", "=", "import").orderBy("created", "desc").limit(1).execute();
  assert.equal(last?.state, "cancelled");
  assert.deepEqual(await readdir(join(data, "incoming")), []);
});

test("progress on something that is no terminal is plain lines", async () => {
  await tree("app", { f: "changed" });
  const { stderr, stdout, exitCode } = await cli(["application", "import", join(folder, "app"), "--name", "Tool", "--install", "true", "--detect-command", "true", "--data", data]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /Tool, revision 2/);
  assert.ok(!stderr.includes("\r") && !stderr.includes("\u001b"), JSON.stringify(stderr));
});
