import { setTimeout as delay } from "node:timers/promises";
import type { Device, StatusRecord } from "@prestage/contract";
import { bootDisk } from "@prestage/lab";
import type { BootDiskOptions, Machine } from "@prestage/lab";
import type { SiteProcess } from "./site-process.ts";

export interface DeploymentEvents {
  /** Each machine-readable line of the agent: its name and data. */
  onEvent?: (name: string, data: Record<string, unknown>) => void;
  /** Every line of the serial port. */
  onLine?: (line: string) => void;
  /** The machine shows this; a moment for a screenshot. */
  onScreen?: (name: string, machine: Machine) => Promise<void>;
}

export interface DeploymentResult { device: Device; status: StatusRecord[] }

/** The longest time, in milliseconds, a machine may write nothing at all: an emulated one is busy for minutes at times. */
export const silenceMs = 300_000;

/** Starts a staged disk; the agent's events come as they are written. */
export async function startMachine(options: BootDiskOptions, events: DeploymentEvents = {}): Promise<Machine> {
  return bootDisk({
    ...options,
    onLine: (line) => {
      events.onLine?.(line);
      const [, name, json] = /@@prestage (\S+) (\{.*\})\s*$/.exec(line) ?? [];
      if (name === undefined || json === undefined) return;
      try {
        events.onEvent?.(name, JSON.parse(json) as Record<string, unknown>);
      } catch {
        // A line cut by a restart.
      }
    },
  });
}

/** Approves the computer that shows this code, through the site, as an administrator would. */
export function approve(site: SiteProcess, code: string): Promise<Device> {
  return site.run<Device>(["approval", "approve", code]);
}

/** Waits for the approval screen and approves. Returns the device. */
export async function approveWhenShown(site: SiteProcess, machine: Machine, events: DeploymentEvents = {}): Promise<Device> {
  const [, code = ""] = await machine.serial.waitFor(/@@prestage screen \{[^\n]*"code":"([A-Z2-7]{6})"/, { timeoutMs: silenceMs });
  await events.onScreen?.("approval", machine);
  return approve(site, code);
}

/** How long the last status may take to the site once the machine has said on its serial port how it ended. */
const lastStatusMs = 120_000;

/**
 * Waits until the site knows that the device's sequence ended, and the machine has cleaned up.
 * @throws Error where the agent stopped with an error before the sequence ended
 */
export async function waitForSequence(site: SiteProcess, machine: Machine, deviceId: string): Promise<StatusRecord[]> {
  const [said] = await machine.serial.waitFor(/@@prestage (done|failed|error) \{[^\n]*/, { timeoutMs: silenceMs });
  for (const deadline = performance.now() + lastStatusMs; ; ) {
    const status = await site.run<StatusRecord[]>(["status", "list", "--device", deviceId]);
    const end = status.find((record) => record.message.kind === "sequence-finished");
    if (end !== undefined) return status;
    if (performance.now() > deadline) throw new Error(`Expected the end of the sequence at the site; the computer said ${said.slice(0, 600)}`);
    await delay(500); // the last status is on its way; the line on the serial port came first
  }
}
