import { parseArgs } from "node:util";
import { resolve } from "node:path";

export interface DemoOptions { computerName: string; addPackage: { folder: string; command: string; check: string | undefined } | undefined; mirror: string | undefined; secureBoot: boolean; patches: boolean; output: string; help: boolean }

export const demoHelp = `npm run demo -- [options]
  --computer-name NAME      name of the deployed computer (WORKSHOP-01)
  --add-package DIR         put this folder on the media as a package of your own,
  --program COMMAND           and run this command in the installed system, in that folder
  --check COMMAND             and this one in the proof: it must succeed in the
                              deployed computer, started cold and without a network
  --secure-boot             start with Secure Boot on, under Microsoft's keys
  --no-patches              the site makes no patches: the newer application comes
                              by the chunks that differ
  --mirror URL              Debian archive to use instead of this machine's own
  --output DIR              where media.wim, disk.img, report.json and logs go (demo-out)

With PRESTAGE_DEMO_PASSWORD in the environment the media asks for that password, which is typed on the machine's keyboard;
with PRESTAGE_DEMO_SECRET one step gets that secret. Then media, disk, logs and command lines are searched for both, and for
the site's private keys.

Example:
  npm run demo -- --computer-name KIOSK-7 --add-package ./tools --program 'sh ./install.sh' --check 'test -x /opt/tools/run'
`;

/** @throws Error with the help text's own words */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "computer-name": { type: "string", default: "WORKSHOP-01" }, "add-package": { type: "string" }, program: { type: "string" }, check: { type: "string" }, mirror: { type: "string" }, "secure-boot": { type: "boolean", default: false }, "no-patches": { type: "boolean", default: false },
      output: { type: "string", default: "demo-out" }, help: { type: "boolean", short: "h", default: false },
    },
  });
  const { "add-package": folder, program, check } = values;
  if ((folder === undefined) !== (program === undefined)) throw new Error("Expected --add-package and --program together.");
  if (check !== undefined && folder === undefined) throw new Error("Expected --check with --add-package: it proves that package.");
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/.test(values["computer-name"])) throw new Error(`Expected a computer name of 1 to 15 letters, digits and hyphens; found ${JSON.stringify(values["computer-name"])}.`);
  return {
    computerName: values["computer-name"], addPackage: folder !== undefined && program !== undefined ? { folder: resolve(folder), command: program, check } : undefined,
    mirror: values.mirror, secureBoot: values["secure-boot"], patches: !values["no-patches"], output: resolve(values.output), help: values.help,
  };
}
