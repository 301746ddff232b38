import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { SerialConsole } from "@prestage/lab";
import type { CommandResult } from "@prestage/lab";
import { silenceMs, startMachine } from "./deploy.ts";
import { demoUser } from "./factory.ts";
import type { Factory } from "./factory.ts";
import { nodeVersions } from "./real-content.ts";

export interface Evidence extends CommandResult { what: string; expected: string; good: boolean }

interface Check { what: string; command: string; /** What the output must hold; exit code 0 always. */ expected: string }

/** Starts the disk again, cold and without a network, logs in on the serial console as a user would, and looks. */
export async function gatherEvidence(disk: string, workDir: string, password: string, factory: Factory, computerName: string, say: (line: string) => void, extra: Check[] = []): Promise<Evidence[]> {
  const machine = await startMachine({ disk, workDir, network: "none" }, { onLine: (line) => /Starting|Reached target|login:/.test(line) && say(`  ${stripVTControlCharacters(line).trim().slice(0, 100)}`) });
  try {
    const console = await SerialConsole.login(machine.serial, demoUser, password, { timeoutMs: silenceMs });
    const evidence: Evidence[] = [];
    for (const check of [...(await checks(factory, computerName)), ...extra]) {
      const result = await console.run(check.command);
      evidence.push({ ...result, what: check.what, expected: check.expected, good: result.exitCode === 0 && result.output.includes(check.expected) });
    }
    await machine.screenshot(join(workDir, "installed.png"));
    return evidence;
  } finally {
    await machine.powerOff(); // nothing was written
  }
}

async function checks(factory: Factory, computerName: string): Promise<Check[]> {
  const firmware = createHash("sha256").update(await readFile(join(factory.content.drivers, "firmware/usbdux_firmware.bin"))).digest("hex");
  return [
    { what: "computer name", command: "hostname", expected: computerName },
    { what: "operating system", command: ". /etc/os-release; echo $PRETTY_NAME", expected: "Debian GNU/Linux 12" },
    { what: "jq: detection rule", command: "dpkg-query -W -f='${Status}\\n' jq", expected: "install ok installed" },
    { what: "jq: its own program", command: "echo '{\"a\":42}' | jq .a", expected: "42" },
    { what: "Node: detection rule", command: `/opt/node/bin/node --version | grep -x v${nodeVersions.new}`, expected: `v${nodeVersions.new}` },
    { what: "Node: its own program", command: "/usr/local/bin/node -p '6*7'", expected: "42" },
    { what: "tree: detection rule", command: "dpkg-query -W -f='${Status}\\n' tree", expected: "install ok installed" },
    { what: "tree: its own program", command: "tree --version", expected: "tree v" },
    { what: "package: its effect", command: "cat /etc/motd", expected: "This computer belongs to the workshop." },
    { what: "driver package: firmware", command: "sha256sum /lib/firmware/usbdux_firmware.bin", expected: firmware },
    { what: "command line: its effect", command: "cat /etc/deployed", expected: "Z" },
    { what: "nothing left behind", command: "ls -A / | grep -c prestage || echo none", expected: "none" },
    { what: "service removed", command: "systemctl list-unit-files 'prestage-agent*' --no-legend | wc -l | grep -x 0", expected: "0" },
  ];
}
