import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { debianImage } from "../demo/debian-image.ts";
import type { DemoReport } from "../demo/report.ts";
import { unexplainedPaths } from "./support/installed-volume.ts";

const run = promisify(execFile);

/** The main job, run as a user runs it; two machine starts: the deployment, and the cold proof without a network. */
test("the demonstration deploys a real Debian, fetches only what differs, and its proof is all good", { timeout: 30 * 60_000 }, async (t) => {
  const work = await mkdtemp(join(tmpdir(), "prestage-deployment-"));
  const output = join(work, "out");
  const own = join(work, "own");
  await run("mkdir", [own]);
  await writeFile(join(own, "greeting.txt"), "from a package of the caller\n");
  const demo = await run(process.execPath, ["demo/main.ts", "--output", output, "--computer-name", "TEST-01", "--add-package", own, "--program", "cp greeting.txt /etc/greeting", "--check", "grep -x 'from a package of the caller' /etc/greeting"], { maxBuffer: 1 << 26, cwd: new URL("..", import.meta.url) }).catch((cause: unknown) => {
    t.diagnostic(`logs are kept in ${output}/logs`);
    throw cause;
  });
  const report = JSON.parse(await readFile(join(output, "report.json"), "utf8")) as DemoReport;

  assert.equal(report.outcome, "succeeded", demo.stdout.slice(-4000));
  assert.equal(report.osImage.bytesFetched, 0, "the OS image comes from the disk alone");
  const content = new Map(report.content.map((one) => [one.name, one]));
  assert.deepEqual([content.get("jq")?.state, content.get("jq")?.bytesFetched], ["hit", 0]);
  const node = content.get("Node runtime");
  assert.equal(node?.state, "revised");
  assert.ok((node?.bytesFetched ?? Infinity) <= 0.2 * (node?.bytesTotal ?? 0), `by patch: ${node?.bytesFetched} of ${node?.bytesTotal}`);
  assert.equal(content.get("tree")?.state, "missing");
  for (const { name, bytesFetched, bytesTotal, state } of report.content) {
    if (state !== "hit") assert.ok(bytesFetched > 0, `${name} was fetched from the distribution point`);
    // index, chunk list and storage map are on top of the stored bytes; a request to explain them never is.
    assert.ok(bytesFetched <= bytesTotal * 1.05 + 65536, `${name}: ${bytesFetched} fetched of ${bytesTotal}`);
  }
  const steps = new Map(report.steps.map((step) => [step.name, step.outcome]));
  assert.equal(steps.get("Partition the disk"), "skipped", "prestaged media is never partitioned");
  assert.equal(steps.get("Apply the operating system"), "succeeded");
  assert.equal(steps.get("Install your package"), "succeeded");
  assert.equal(report.evidence.find((one) => one.command.includes("/etc/greeting"))?.output.trim(), "from a package of the caller");
  assert.ok(report.evidence.length >= 15 && report.evidence.every((one) => one.good), JSON.stringify(report.evidence.filter((one) => !one.good)));

  await t.test("nothing is left behind: every path of the installed volume is the OS image's, Debian's own or a step's", async () => {
    const steps = [
      { why: "Install the Node runtime", paths: /^(opt\/node(\/|$)|usr\/local\/bin\/node$)/ },
      { why: "Apply the driver package", paths: /^(usr\/)?lib\/firmware(\/usbdux\w*\.bin)?$/ },
      { why: "Set up the operating system: its user", paths: /^home\/workshop(\/|$)/ },
      { why: "Install your package; Record the deployment", paths: /^etc\/(greeting|deployed)$/ },
    ];
    const osImage = await debianImage(() => undefined);
    const left = (made: Parameters<typeof unexplainedPaths>[2]) => unexplainedPaths(join(output, "disk.img"), osImage, made);
    assert.deepEqual(await left({ packages: ["jq", "libjq1:amd64", "libonig5:amd64", "tree"], steps }), []);
    assert.deepEqual((await left({ packages: ["jq", "libjq1:amd64", "libonig5:amd64", "tree"], steps: steps.slice(0, 3) })).sort(), ["etc/deployed", "etc/greeting"], "what no step accounts for is found");
  });
  await t.test("wimlib accepts the media", async () => {
    await run("wimlib-imagex", ["verify", join(output, "media.wim")]);
    assert.match((await run("wimlib-imagex", ["info", join(output, "media.wim")])).stdout, /Image Count:\s+2/);
  });
  await t.test("nothing that looks like a secret is in the logs", async () => {
    for (const name of ["serial.log", "site.log", "serve.log"]) {
      const text = await readFile(join(output, "logs", name), "utf8").catch(() => "");
      assert.doesNotMatch(text, /PRIVATE KEY|Bearer [A-Za-z0-9_-]{20}/, name);
    }
  });
  await rm(work, { recursive: true, force: true });
});
