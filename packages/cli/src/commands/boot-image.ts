import { readFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildBootImage } from "@prestage/boot-image";
import { bundleAgent } from "../bundle-agent.ts";
import { command, optionalText, siteFlags, text, texts } from "../command.ts";
import { CliError } from "../error.ts";
import { bytes, print, Progress, table } from "../output.ts";
import { defaultDataDirectory } from "../site-client.ts";

type Flags = { data?: string; keyring?: string; profile: "hardware" | "virtual"; output: string; addModule?: readonly string[]; addFirmware?: readonly string[]; addDeb?: readonly string[]; mirror?: string; windows?: boolean; refresh?: boolean; json?: boolean }

export const bootImageBuild = command<Flags>({
  brief: "Build the boot environment of a site from Debian packages: signed shim, GRUB and kernel, initramfs with the agent",
  example: "prestage boot-image build --profile hardware -o boot.wim",
  parameters: {
    aliases: { o: "output" },
    flags: {
      ...siteFlags,
      keyring: optionalText("The site's keyring.dsse.json; else that of the local site", "FILE"),
      profile: { kind: "enum", values: ["hardware", "virtual"], brief: "hardware: Debian 13's kernel with drivers and firmware; virtual: small, virtio and NVMe only", default: "hardware" },
      output: text("WIM to write", "FILE"),
      addModule: texts("Another kernel module", "NAME"),
      addFirmware: texts("Another firmware file", "NAME"),
      addDeb: texts("Another Debian package, by name or file", "PACKAGE"),
      mirror: optionalText("Debian archive to use instead of this machine's", "URL"),
      windows: { kind: "boolean", optional: true, brief: "Add what the agent needs in an installed Windows (94 MB): for media that deploy one" },
      refresh: { kind: "boolean", optional: true, brief: "Ask the archives for newer packages" },
    },
  },
  async run(context, flags) {
    const keyringPath = flags.keyring ?? join(flags.data ?? defaultDataDirectory(), "keys/keyring.dsse.json");
    const keyring = await readFile(keyringPath).catch((cause: unknown) => {
      throw new CliError("PRESTAGE_CLI_NO_SITE", `Expected the site's keyring at ${keyringPath}; found none. Start the site once, or give --keyring.`, { cause });
    });
    const progress = new Progress(context);
    const work = await mkdtemp(join(tmpdir(), "prestage-agent-"));
    try {
      const agentBundle = join(work, "agent.mjs");
      await bundleAgent(agentBundle);
      const result = await buildBootImage({
        profile: flags.profile, keyring, agentBundle, nodeBinary: process.execPath, output: resolve(flags.output), cacheDir: process.env["PRESTAGE_CACHE"] ?? join(tmpdir(), "prestage-cache"),
        ...(flags.addModule && { addModules: flags.addModule }), ...(flags.addFirmware && { addFirmware: flags.addFirmware }), ...(flags.addDeb && { addDebs: flags.addDeb }),
        ...(flags.mirror && { mirror: flags.mirror }), ...(flags.windows && { windows: true }), ...(flags.refresh && { refresh: true }), signal: context.signal, onProgress: (event) => progress.say(event.message),
      });
      const list = table(["MODULE OR FIRMWARE", "BYTES"], [...result.modules, ...result.firmware].map((file) => [file.name, String(file.size)]));
      print(context, flags.json, result, `${list}\n\n${result.output}: kernel ${result.kernelVersion} (${bytes(result.sizes.vmlinuz)}), initrd ${bytes(result.sizes.initrd)}, ${result.modules.length} modules, ${result.firmware.length} firmware files, ${bytes(result.sizes.total)} in all${result.fromCache ? ", from the cache" : ""}\nSHA-256 ${result.sha256}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  },
});
