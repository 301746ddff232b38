import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import { bootDisk } from "@prestage/lab";
import { command, flag, jsonFlag, one, optionalText, wholeNumber } from "../command.ts";
import { print } from "../output.ts";

type Flags = { bus: "virtio" | "nvme" | "sata" | "usb"; secureBoot?: boolean; noNetwork?: boolean; memory: number; clock?: string; cutAt?: string; seed: number; screenshotAt?: string; workDir?: string; json?: boolean }

const boot = command<Flags, [string]>({
  brief: "Run a staged disk in a virtual machine with UEFI and blank firmware variables; the serial port is shown here",
  example: "prestage lab boot disk.img --secure-boot\nprestage lab boot disk.img --cut-at '@@prestage step' --seed 7",
  parameters: {
    flags: {
      bus: { kind: "enum", values: ["virtio", "nvme", "sata", "usb"], brief: "How the disk is attached", default: "virtio" },
      secureBoot: flag("Secure Boot on, with Microsoft's keys enrolled"),
      noNetwork: flag("No network card"),
      memory: { kind: "parsed", parse: wholeNumber, brief: "MiB of memory", placeholder: "MIB", default: "2048" },
      clock: optionalText("The clock the machine starts with", "TIME"),
      cutAt: optionalText("Cut the power when the serial port shows this; writes not flushed are lost in part", "TEXT"),
      seed: { kind: "parsed", parse: wholeNumber, brief: "Which unflushed writes a cut keeps", placeholder: "N", default: "1" },
      screenshotAt: optionalText("Take a screenshot when the serial port shows this", "TEXT"),
      workDir: optionalText("Where serial.log, capture.pcap, firmware variables and screenshots are kept; DISK.lab by default", "DIR"),
      ...jsonFlag,
    },
    positional: one("Raw disk image or block device", "DISK"),
  },
  async run(context, flags, disk) {
    const workDir = resolve(flags.workDir ?? `${disk}.lab`);
    await mkdir(workDir, { recursive: true });
    const machine = await bootDisk({
      disk: resolve(disk), bus: flags.bus, secureBoot: flags.secureBoot ?? false, network: flags.noNetwork === true ? "none" : "user", memoryMiB: flags.memory, workDir, signal: context.signal,
      ...(flags.clock && { rtcBase: flags.clock }), ...(flags.cutAt !== undefined && { volatile: { seed: flags.seed } }), onLine: (line) => context.process.stderr.write(`${line}\n`),
    });
    if (flags.screenshotAt !== undefined) {
      await machine.serial.waitFor(flags.screenshotAt);
      await machine.screenshot(join(workDir, "screenshot.png"));
    }
    if (flags.cutAt !== undefined) {
      await machine.serial.waitFor(flags.cutAt);
      const cut = await machine.cut();
      return print(context, flags.json, { workDir, cut }, `Power cut: ${cut.kept} of ${cut.unflushed} unflushed sectors kept (seed ${flags.seed}). Logs in ${workDir}`);
    }
    const exit = await machine.waitForExit();
    print(context, flags.json, { workDir, ...exit }, `The machine ended (${exit.reason}). Logs in ${workDir}`);
  },
});

export const labRoutes = buildRouteMap({ docs: { brief: "The virtual factory: boot" }, routes: { boot } });
