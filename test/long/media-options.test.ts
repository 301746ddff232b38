import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusRecord } from "@prestage/contract";
import { approveWhenShown, silenceMs, waitForSequence } from "../../demo/deploy.ts";
import { runProgram } from "../../demo/program.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { alterByte } from "../support/disk-faults.ts";
import { FaultSite } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

// Each option of docs/media-options.md that changes a start, in a real machine; the others are in refused-start, claims and unattended.
const limit = { timeout: 20 * 60_000 };
const keys = { f3: "\u001b[13~", f4: "\u001b[14~", f6: "\u001b[17~", f8: "\u001b[19~", clear: "\u007f".repeat(40) };
const etherTypes = { vlan: 0x8100 };
let fixture: FaultSite;
let packageId: string;
let sequences: string[];
let deployments: string[];

before(async () => {
  fixture = await FaultSite.open("media-options");
  packageId = (await fixture.importRandom("package", "Tools", randomBytes(100_000))).id;
  const step = `  - { id: say, name: Say it, type: run-command-line, with: { package: ${packageId}, command: 'test -s data.bin && echo "site %SITE%, $(ip -4 -o addr show scope global | tr -s " ")"' } }\n`;
  sequences = [await fixture.addSequence("First", step), await fixture.addSequence("Second", step)];
  deployments = await Promise.all(sequences.map((id) => fixture.deploy(id, { purpose: "available", makeAvailableTo: "MediaAndPxe" })));
}, limit);

after(() => fixture?.close());

test("a static address from variables; a prestart command with its package chooses the deployment; dynamic media outlives its own management point", limit, async (t) => {
  const choice = join(fixture.folder, "choice");
  await runProgram("mkdir", ["-p", choice]);
  await writeFile(join(choice, "deployment"), deployments[1] ?? "");
  const prestart = await fixture.site.run<{ id: string }>(["package", "import", choice, "--name", "Choice", "--program", "Show=cat deployment"]);
  const own = await CuttingProxy.start({ target: fixture.site.port });
  const options = ["--dynamic", "--management-point", own.url, "--prestart-package", prestart.id, "--prestart-command", 'prestage-variable SMSTSPreferredAdvertID "$(cat deployment)" && prestage-variable SITE Lyon',
    ...Object.entries({ PrestageNetworkAddress: "10.0.2.77/24", PrestageNetworkGateway: "10.0.2.2", PrestageNetworkDns: "10.0.2.3" }).flatMap(([name, value]) => ["--variable", `${name}=${value}`])];
  const disk = await fixture.stage(await fixture.createMedia("all", sequences[0] ?? "", options), "all");
  t.after(() => own.stop());
  const { deviceId, messages } = await withMachine(t, fixture, "all", { disk: disk.path }, async ({ machine, event }) => {
    assert.equal((await event<{ exitCode: number }>("prestart")).exitCode, 0);
    const device = await approveWhenShown(fixture.site, machine);
    const chosen = await event<{ deploymentId: string }>("chosen");
    assert.equal(chosen.deploymentId, deployments[1], "nobody was asked: the prestart command's variable decides");
    await own.stop();
    const status = await waitForSequence(fixture.site, machine, device.id);
    return { deviceId: device.id, messages: status.map(({ message }) => message) };
  });
  assert.ok(deviceId !== "");
  assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded", JSON.stringify(messages.slice(-3)));
  const said = messages.find((message) => message.kind === "step-finished")?.outputTail ?? "";
  assert.match(said, /site Lyon, .*inet 10\.0\.2\.77\/24/);
  assert.ok(own.connections > 0, "the media's own management point was the first one met");
});

test("a VLAN from a variable tags every frame; what is typed on the network screen goes before it: a static address, and a proxy through which all of the deployment goes", limit, async (t) => {
  const proxy = await ConnectProxy.start();
  const disk = await fixture.stage(await fixture.createMedia("vlan", sequences[0] ?? "", ["--variable", "PrestageNetworkVlan=42", "--variable", `SMSTSPreferredAdvertID=${deployments[0] ?? ""}`, "--user-device-affinity", "approval", "--variable", "SMSTSUDAUsers=CORP\\ada"]), "vlan");
  try {
    await withMachine(t, fixture, "vlan", { disk: disk.path }, async ({ machine, event, packets, press }) => {
      await event("screen", { with: '"waiting"' });
      const sent = packets().filter((packet) => packet.source === "52:54:00:12:34:56");
      assert.ok(sent.some((packet) => packet.etherType === etherTypes.vlan && packet.vlan === 42), "DHCP is asked for in the VLAN");
      assert.ok(sent.every((packet) => packet.etherType === etherTypes.vlan || packet.etherType === 0x86dd), "and nowhere else");
      press(keys.f6);
      await event("overlay", { with: "network-settings" });
      // Interface, address, gateway, name servers, proxy, VLAN.
      press(`\t10.0.2.88/24\t10.0.2.2\t\thttp://10.0.2.2:${proxy.port}\t${keys.clear}\r`);
      const device = await approveWhenShown(fixture.site, machine);
      const status = await waitForSequence(fixture.site, machine, device.id);
      assertSaid(status, /inet 10\.0\.2\.88\/24/);
      const users = await fixture.site.run<{ user: string; state: string }[]>(["device", "affinity", "list"]);
      assert.deepEqual(users.map((one) => [one.user, one.state]), [["CORP\\ada", "pending"]]);
      assert.ok(proxy.asked.length > 0 && proxy.asked.every((host) => host === `10.0.2.2:${fixture.site.port}`), proxy.asked.join(" "));
    });
  } finally {
    await proxy.stop();
  }
});

test("one damaged byte on media that stops then: the computer says which file, and asks nobody", limit, async (t) => {
  const disk = await fixture.stage(await fixture.createMedia("stops", sequences[0] ?? "", ["--stop-if-damaged"]), "stops");
  const damaged = disk.receipt.files.list.find((file) => file.path.endsWith("/files/data.bin"));
  assert.ok(damaged !== undefined, "the package's file is in the receipt");
  await alterByte(disk.path, damaged.path.replace(/^\//, ""), 70_000);
  await withMachine(t, fixture, "stops", { disk: disk.path }, async ({ machine, event, packets, press }) => {
    const error = await event<{ code: string; cause: string }>("error");
    assert.equal(error.code, "PRESTAGE_AGENT_MEDIA_DAMAGED");
    assert.match(error.cause, /data\.bin/);
    assert.deepEqual(packets(), []);
    press("x");
    assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
  });
});

test("the four keyboard layouts: what a key of the machine's own keyboard says is what stands on it there; a support shell only once the password was right", limit, async (t) => {
  const password = "of the keyboards";
  const output = join(fixture.folder, "keyboards.wim");
  await fixture.site.run(["media", "create", "--task-sequence", sequences[0] ?? "", "--keyboard", "de", "--language", "fr", "--support-shell", "--password", "-o", output], undefined, password);
  const disk = await fixture.stage(output, "keyboards");
  await withMachine(t, fixture, "keyboards", { disk: disk.path }, async ({ machine, event, press }) => {
    await event("screen", { with: '"password"' });
    press(keys.f8);
    await event("shell-refused");
    await machine.serial.waitFor(/Clavier : de/, { timeoutMs: silenceMs });
    press(keys.f4);
    await machine.serial.waitFor(/F4 Cacher/, { timeoutMs: silenceMs });
    // The keys as they lie on a US keyboard, and what each layout makes of them (xkeyboard-config: symbols/us, fr, de, gb).
    const layouts: Record<string, [typed: string, shown: string]> = { de: ["zy-_/?", "yzß?-_"], uk: ["@\"\\y", "\"@#y"], us: ["zy@\"", "zy@\""], fr: ["qaw;1", "aqzm&"] };
    const seen = new Set<string>();
    while (seen.size < 4) {
      let since = machine.serial.mark();
      press(keys.f3);
      const [, layout = ""] = await machine.serial.waitFor(/Clavier : (us|fr|de|uk)/, { since, timeoutMs: silenceMs });
      const [typed, shown] = layouts[layout] ?? ["", ""];
      since = machine.serial.mark();
      await machine.type(typed);
      await machine.serial.waitFor(new RegExp(shown.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")), { since, timeoutMs: silenceMs });
      press(keys.clear);
      assert.ok(!seen.has(layout), `F3 goes through the layouts: ${layout} came twice`);
      seen.add(layout);
    }
    press(`${password}\r`);
    const { deviceId } = await event<{ deviceId: string }>("enrolled");
    await event("screen", { with: '"choose"' });
    press(keys.f8);
    await event("shell-open", { with: "ttyS0" });
    press('echo "user $(id -u), secret [$SITE$NODE_OPTIONS]"\r');
    await machine.serial.waitFor(/user 0, secret \[\]/, { timeoutMs: silenceMs });
    press("exit\r");
    await event("shell-closed", { with: "ttyS0" });
    press("1");
    const messages = (await waitForSequence(fixture.site, machine, deviceId)).map(({ message }) => message);
    assert.deepEqual(messages.filter((message) => message.kind.startsWith("support-shell")).map((message) => message.kind).toSorted(), ["support-shell-closed", "support-shell-opened"]);
    assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded");
  });
});

function assertSaid(status: readonly StatusRecord[], words: RegExp): void {
  const messages = status.map(({ message }) => message);
  assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded", JSON.stringify(messages.slice(-3)));
  assert.match(messages.find((message) => message.kind === "step-finished")?.outputTail ?? "", words);
}

/** A proxy as sites have them: CONNECT and nothing else. */
class ConnectProxy {
  readonly asked: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer();
    const proxy = new ConnectProxy(server);
    server.on("connect", (request, client: Socket) => {
      proxy.asked.push(String(request.url));
      const port = Number(new URL(`http://${String(request.url)}`).port);
      // The guest's name for this machine.
      const upstream = connect(port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) {
        proxy.#sockets.add(socket);
        socket.on("error", () => undefined);
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
