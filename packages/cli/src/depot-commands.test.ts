import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runWimlib } from "@prestage/content";
import { parseConfiguration, serve } from "@prestage/site";
import { receiptCode } from "@prestage/staging";
import { openReceipt } from "@prestage/trust";
import type { Receipt } from "@prestage/trust";
import { disksExitCode } from "./disk-table.ts";
import { cli } from "./fixtures/run-cli.ts";
import type { CliResult } from "./fixtures/run-cli.ts";

const folder = await mkdtemp(join(tmpdir(), "prestage-cli-depot-"));
await chmod(folder, 0o755);
const data = join(folder, "data");
const key = join(folder, "depot-key.pem");
process.env["PRESTAGE_DEPOT_KEY"] = key;
const site = await serve(parseConfiguration({ dataDirectory: data, siteCode: "ABC", host: "127.0.0.1", port: 0, logLevel: "error" }));
after(async () => {
  await site.stop();
  await rm(folder, { recursive: true, force: true });
});
const code = (result: CliResult) => (result.json as { error?: { code: string } } | undefined)?.error?.code;
async function good<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const result = await cli([...args, "--json"]);
  assert.equal(result.exitCode, 0, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return result.json as T;
}
const at = async <T = Record<string, unknown>>(...args: string[]) => good<T>(...args, "--data", data);

/** A media of this site, small. */
async function makeMedia(): Promise<string> {
  const boot = join(folder, "boot.wim");
  const tree = async (name: string, files: Record<string, string>) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, name, path, ".."), { recursive: true });
      await writeFile(join(folder, name, path), text);
    }
    return join(folder, name);
  };
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": `# GRUB Environment Block\nboot=environment\n${"#".repeat(982)}` }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  await runWimlib(["append", await tree("agent", { "agent.mjs": "agent" }), boot, "2", "--unix-data", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  const sequence = join(folder, "sequence.yaml");
  await writeFile(sequence, "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n");
  const { id } = await at<{ id: string }>("sequence", "add", sequence);
  const output = join(folder, "media.wim");
  await at("media", "create", "--task-sequence", id, "-o", output);
  return output;
}
const media = await makeMedia();
const disks = ["a.img", "b.img", "c.img"].map((name) => join(folder, name));
type Staged = { disk: string; outcome: string; receiptFile: string; receipt: Receipt; error?: { code: string } }[];

test("a depot makes its key, shows its public half, and the site registers it", async () => {
  const made = await good<{ keyId: string; publicFile: string }>("depot", "init", "--name", "Depot 3");
  assert.equal((await stat(key)).mode & 0o777, 0o600);
  const file = join(folder, "depot-3.json");
  assert.equal((await good<{ keyId: string }>("depot", "show", "--output", file)).keyId, made.keyId);
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), JSON.parse(await readFile(made.publicFile, "utf8")));
  assert.equal(code(await cli(["depot", "init", "--json"])), "PRESTAGE_STAGING_DEPOT_KEY");
});

test("several disks at once: each is told, one failure does not stop the others, and the exit code says which it was", async () => {
  const [a = "", b = "", c = ""] = disks;
  await writeFile(b, "not empty");
  await truncate(b, 1400 << 20);
  const result = await cli(["stage", media, "--disk", a, "--disk", b, "--disk", c, "--size", "1400M", "--operator", "Ann", "--receipts", join(folder, "receipts"), "--json"]);
  assert.equal(result.exitCode, 32 + 2, result.stderr);
  const told = result.json as Staged;
  assert.deepEqual(told.map((one) => [one.disk, one.outcome, one.error?.code]), [[a, "staged", undefined], [b, "failed", "PRESTAGE_STAGING_NOT_EMPTY"], [c, "staged", undefined]]);
  assert.deepEqual((await readdir(join(folder, "receipts"))).toSorted((x, y) => (x < y ? -1 : 1)), ["a.img", "c.img"].flatMap((name) => [`${name}.receipt.dsse.json`, `${name}.receipt.svg`, `${name}.receipt.txt`]));
  assert.match(result.stderr, /a\.img: verify \d+ %\n/);
  assert.ok(!result.stderr.includes("\u001b"), "plain lines where it is no terminal");
  const sheet = await readFile(join(folder, "receipts/a.img.receipt.txt"), "utf8");
  assert.match(sheet, /Operator +Ann\n/);
  assert.match(sheet, new RegExp(`Claim +${told[0]?.receipt.claim.keyId ?? ""}`));
});

test("a receipt is shown with the code a scanner reads", async () => {
  const file = join(folder, "receipts/a.img.receipt.dsse.json");
  const opened = openReceipt(await readFile(file));
  const text = receiptCode(opened);
  assert.match(text, /^PRESTAGE-RECEIPT-1 [0-9A-F]{64} [0-9A-F]{64} [0-9A-F]{64} a\.img$/);
  assert.match(await readFile(join(folder, "receipts/a.img.receipt.svg"), "utf8"), /^<svg /);
  const shown = await cli(["receipt", "show", file]);
  assert.match(shown.stdout, /Depot +Depot 3/);
  assert.ok(shown.stdout.includes("█"));
});

test("a receipt is verified by a key, by the site, and against its disk", async () => {
  const [a = "", , c = ""] = disks;
  const file = join(folder, "receipts/a.img.receipt.dsse.json");
  const depotFile = join(folder, "depot-3.json");
  await good("receipt", "verify", file, "--depot", depotFile, "--disk", a);
  const { publicKey } = JSON.parse(await readFile(depotFile, "utf8")) as { publicKey: string };
  await good("receipt", "verify", file, "--public-key", publicKey);
  assert.equal(code(await cli(["receipt", "verify", file, "--depot", depotFile, "--disk", c, "--json"])), "PRESTAGE_STAGING_RECEIPT_MISMATCH");
  assert.equal(code(await cli(["receipt", "verify", file, "--data", data, "--json"])), "PRESTAGE_CLI_RECEIPT_UNTRUSTED", "not registered yet");
  const envelope = JSON.parse(await readFile(file, "utf8")) as { payload: string };
  const altered = join(folder, "altered.json");
  await writeFile(altered, JSON.stringify({ ...envelope, payload: Buffer.from(Buffer.from(envelope.payload, "base64").toString().replace('"Ann"', '"Bob"')).toString("base64") }));
  for (const verb of [["receipt", "verify", altered, "--depot", depotFile], ["receipt", "import", altered, "--data", data], ["receipt", "show", altered]]) assert.equal(code(await cli([...verb, "--json"])), "PRESTAGE_TRUST_SIGNATURE_INVALID");
});

test("several receipts at once: one that fails does not stop the others, and the exit code says which it was", async () => {
  const [first = "", second = ""] = ["a", "c"].map((name) => join(folder, `receipts/${name}.img.receipt.dsse.json`));
  const files = [first, join(folder, "altered.json"), second, join(folder, "none.json")];
  const result = await cli(["receipt", "import", ...files, "--data", data, "--json"]);
  assert.equal(result.exitCode, 32 + 2 + 8, result.stderr);
  const told = result.json as { file: string; outcome: string; confirmed?: boolean; error?: { code: string } }[];
  assert.deepEqual(told.map((one) => [one.file, one.outcome, one.confirmed ?? one.error?.code]), [[files[0], "imported", false], [files[1], "failed", "PRESTAGE_TRUST_SIGNATURE_INVALID"], [files[2], "imported", false], [files[3], "failed", "PRESTAGE_CLI_FILE_UNREADABLE"]]);
  const shown = await cli(["receipt", "import", first, files[3] ?? "", "--data", data]);
  assert.match(shown.stdout, /a\.img\S+ +kept as unconfirmed, because [^]*none\.json +failed: Expected a receipt at /);
  assert.match(shown.stderr, /all of 2 receipts to be imported; 1 failed\.\n\(PRESTAGE_CLI_FAILED_PARTLY\)/);
  assert.deepEqual([(await cli(["receipt", "import", files[1] ?? "", files[3] ?? "", "--data", data])).exitCode, (await cli(["receipt", "import", first, second, "--data", data])).exitCode], [1, 0]);
});

test("a file that is not there, or is none, is told by its path and a code", async () => {
  for (const args of [["depot", "register"], ["receipt", "import"], ["receipt", "show"], ["sequence", "add"]]) {
    for (const [path, found] of [[join(folder, "nothing-here"), "nothing"], [folder, "a folder"]] as const) {
      const result = await cli([...args, path, ...(args[1] === "show" ? [] : ["--data", data])]);
      assert.equal(result.exitCode, 1);
      assert.match(result.stderr, new RegExp(`at ${path}; found ${found}\\.[^]*\\(PRESTAGE_CLI_FILE_UNREADABLE\\)`), args.join(" "));
    }
  }
});

test("imported before registration it is kept; registration confirms it; revoked, nothing of the depot counts", async () => {
  const [first, second] = ["a", "c"].map((name) => join(folder, `receipts/${name}.img.receipt.dsse.json`));
  assert.equal((await at("receipt", "import", first ?? ""))["confirmed"], false);
  assert.equal((await at("depot", "register", join(folder, "depot-3.json")))["confirmed"], 2, "both were imported before");
  assert.equal((await at("receipt", "import", second ?? ""))["confirmed"], true);
  await at("receipt", "verify", first ?? "");
  assert.deepEqual((await at<{ diskSerial: string; confirmed: boolean }[]>("receipt", "list", "--never-started")).map((one) => [one.diskSerial, one.confirmed]), [["a.img", true], ["c.img", true]]);
  const [depot] = await at<{ keyId: string; receipts: number }[]>("depot", "list");
  assert.equal(depot?.receipts, 2);
  await at("depot", "revoke", depot.keyId);
  assert.equal(code(await cli(["receipt", "verify", first ?? "", "--data", data, "--json"])), "PRESTAGE_CLI_RECEIPT_UNTRUSTED");
  assert.equal(code(await cli(["depot", "register", join(folder, "depot-3.json"), "--data", data, "--json"])), "PRESTAGE_SITE_DEPOT_REVOKED");
});

test("a golden disk is duplicated: each copy gets a claim and a receipt of its own", async () => {
  for (const disk of disks) await rm(disk);
  const golden = join(folder, "golden.img");
  await good("stage", media, "--golden", "--disk", golden, "--size", "1400M");
  const copies = ["copy1.img", "copy2.img"].map((name) => join(folder, name));
  for (const copy of copies) await copyFile(golden, copy);
  const made = await good<Staged>("receipt", "create", ...copies.flatMap((copy) => ["--disk", copy]));
  assert.deepEqual(made.map((one) => one.outcome), ["made", "made"]);
  assert.notEqual(made[0]?.receipt.claim.keyId, made[1]?.receipt.claim.keyId);
  for (const one of made) await good("receipt", "verify", one.receiptFile, "--depot", join(folder, "depot-3.json"), "--disk", one.disk);
});

test("one receipt file or computer cannot stand for several disks; a machine's serial number goes into its receipt", async () => {
  for (const flags of [["--receipt", "x.json"], ["--machine-serial", "M1"], ["--receipt", "x.json", "--receipts", "y"]]) {
    assert.equal(code(await cli(["stage", media, "--disk", "x.img", "--disk", "y.img", "--size", "1400M", ...flags, "--json"])), "PRESTAGE_CLI_BAD_ARGUMENT", flags.join(" "));
  }
  const receipt = join(folder, `${randomUUID()}.json`);
  const [staged] = await good<Staged>("stage", media, "--disk", join(folder, "m.img"), "--size", "1400M", "--machine-serial", "M1", "--receipt", receipt);
  assert.equal(openReceipt(await readFile(receipt)).receipt.machineSerial, "M1");
  assert.equal(staged?.receiptFile, receipt);
});

test("a media's life: listed with its disks, renewed, what was revised on it, revoked", async () => {
  type Media = { mediaId: string; state: string; validTo: string | null; staged: number; neverStarted: number };
  const [listed] = await at<Media[]>("media", "list");
  assert.deepEqual([listed?.state, listed?.validTo, listed?.staged, listed?.neverStarted], ["valid", null, 2, 2]);
  const id = listed?.mediaId.slice(0, 12) ?? "";
  assert.deepEqual(await at("media", "show", id, "--revised"), []);
  await writeFile(join(folder, "agent/agent.mjs"), "a newer agent");
  await runWimlib(["update", join(folder, "boot.wim"), "2", "--command", `add ${join(folder, "agent/agent.mjs")} /agent.mjs`]);
  await at("boot-image", "import", join(folder, "boot.wim"), "--name", "Boot");
  assert.deepEqual((await at<{ name: string; changed: boolean; newest: { revision: number } }[]>("media", "show", id, "--revised")).map((one) => [one.name, one.changed, one.newest.revision]), [["Boot", true, 2]]);
  assert.equal((await at<Media>("media", "renew", id, "--valid-to", "2099-01-01T00:00:00Z")).validTo, "2099-01-01T00:00:00.000Z");
  assert.equal((await at<Media>("media", "revoke", id)).state, "revoked");
  assert.equal((await at<Media>("media", "show", id)).state, "revoked");
  assert.equal(code(await cli(["media", "renew", id, "--valid-to", "2099-01-01T00:00:00Z", "--data", data, "--json"])), "PRESTAGE_SITE_CONFLICT");
});

test("exit codes of several disks", () => {
  const of = (outcomes: string) => disksExitCode(outcomes.split("").map((one) => ({ outcome: one === "x" ? "failed" : "staged" })));
  assert.deepEqual(["o", "ooo", "x", "xxx", "xo", "ox", "oxx", "xxxxxo", "ooooox", "oooox"].map(of), [0, 0, 1, 1, 33, 34, 38, 63, 32, 48]);
});
