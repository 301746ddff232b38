import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StatusRecord } from "@prestage/contract";
import { readCapture } from "@prestage/lab";
import type { BootDiskOptions, CapturedPacket, Machine } from "@prestage/lab";
import { approveWhenShown, silenceMs, startMachine, waitForSequence } from "../../demo/deploy.ts";
import type { DeploymentEvents } from "../../demo/deploy.ts";
import type { FaultSite } from "./fault-site.ts";

export type MachineOptions = Omit<BootDiskOptions, "workDir" | "signal">;

/** A started machine with its folder, and what its agent said. */
export interface TestMachine {
  machine: Machine;
  workDir: string;
  /** Waits for an event of the agent, in which all of the given texts appear, and returns its data. */
  event: <T = Record<string, unknown>>(name: string, options?: { with?: string; since?: number }) => Promise<T>;
  /** Packets so far, of both sides. */
  packets: () => CapturedPacket[];
  /** A key on the serial port. */
  press: (key: string) => void;
}

/** Approves a machine that asks to be let in, waits until its sequence has ended and the installed system is up, and turns it off. Returns what it has told the site. */
export async function runToItsEnd({ site }: FaultSite, { machine }: TestMachine): Promise<{ deviceId: string; status: StatusRecord["message"][] }> {
  const { id: deviceId } = await approveWhenShown(site, machine);
  await waitForSequence(site, machine, deviceId);
  await machine.serial.waitFor(/@@prestage done \{/, { timeoutMs: silenceMs });
  await machine.powerButton();
  assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
  return { deviceId, status: (await site.run<StatusRecord[]>(["status", "list", "--device", deviceId, "--all"])).map(({ message }) => message) };
}

/** Runs a machine for one test: it is gone afterwards, and the path of its logs is told when the test fails. */
export async function withMachine<T>(t: TestContext, fixture: FaultSite, name: string, options: MachineOptions & { events?: DeploymentEvents }, use: (machine: TestMachine) => Promise<T>): Promise<T> {
  const workDir = join(fixture.logs, name);
  await mkdir(workDir, { recursive: true });
  const { events, ...machineOptions } = options;
  const machine = await startMachine({ ...machineOptions, workDir, signal: t.signal }, events);
  try {
    return await use({
      machine,
      workDir,
      event: <E>(event: string, { with: text = "", since = 0 }: { with?: string; since?: number } = {}) => waitForEvent<E>(machine, event, text, since, t.signal),
      packets: () => packetsIn(join(workDir, "capture.pcap")),
      press: (key) => machine.serial.write(key),
    });
  } catch (cause) {
    fixture.failed();
    t.diagnostic(`the machine's logs are in ${workDir}`);
    throw cause;
  } finally {
    await machine.cut();
  }
}

async function waitForEvent<T>(machine: Machine, name: string, text: string, since: number, signal: AbortSignal): Promise<T> {
  const escape = (value: string): string => value.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const wanted = `${escape(name)} (\\{(?=[^\\n]*${escape(text)})[^\\n]*\\})`;
  // An agent that stopped with an error says nothing more: waiting on would only hide what it said.
  const [said, json] = await machine.serial.waitFor(new RegExp(`@@prestage (?:${wanted}|error \\{[^\\n]*)\\n`), { timeoutMs: silenceMs, since, signal });
  if (json === undefined) throw new Error(`Expected the agent to come to ${name} ${text}; it said ${said.trim()}`);
  return JSON.parse(json) as T;
}

/** The capture as it is at this moment. */
export function packetsIn(path: string): CapturedPacket[] {
  return readCapture(readFileSync(path));
}
