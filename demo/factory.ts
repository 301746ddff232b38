import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { debianImage } from "./debian-image.ts";
import { nodeVersions, realContent } from "./real-content.ts";
import type { RealContent } from "./real-content.ts";
import type { SiteProcess } from "./site-process.ts";

export interface ImportedObject { id: string; name: string; revision: number; contentId: string; storedBytes: number }
export interface AddedPackage { folder: string; command: string }

/** What the demonstration's site holds before the media is built. */
export interface Factory {
  content: RealContent;
  osImage: ImportedObject;
  bootImage: ImportedObject;
  jq: ImportedObject;
  node: ImportedObject;
  settings: ImportedObject;
  drivers: ImportedObject;
  added: ImportedObject | undefined;
  sequenceId: string;
}

export interface FactoryOptions {
  profile?: "virtual" | "hardware";
  computerName: string;
  /** crypt(3) hash of the demonstration user's password. */
  passwordHash: string;
  addPackage?: AddedPackage | undefined;
  /** One step more, which needs the secret variable of this name. */
  secretVariable?: string | undefined;
  mirror?: string | undefined;
  signal?: AbortSignal | undefined;
  say: (line: string) => void;
}

/** Where the step that uses the secret leaves the secret's SHA-256: proof that it had it, and no more. */
export const secretProof = "/etc/secret.sha256";

/** The demonstration user; it logs in on the serial console. */
export const demoUser = "workshop";

/** Builds the boot image and imports real content, as an administrator would: each line is a command of the product. */
export async function setUpFactory(site: SiteProcess, work: string, options: FactoryOptions): Promise<Factory> {
  const { say } = options;
  const source = { mirror: options.mirror, signal: options.signal };
  const content = await realContent(say, source);
  const image = await debianImage(say, source);
  const bootWim = join(work, "boot.wim");
  say("Building the boot image");
  await site.run(["boot-image", "build", "--profile", options.profile ?? "virtual", "-o", bootWim, ...(options.mirror ? ["--mirror", options.mirror] : [])], (line) => say(`  ${line}`));
  const load = async (what: string, args: string[]): Promise<ImportedObject> => {
    say(`Importing ${what}`);
    return site.run<ImportedObject>(args);
  };
  const bootImage = await load("the boot image", ["boot-image", "import", bootWim, "--name", "Boot image"]);
  const osImage = await load("the OS image Debian 12", ["os-image", "import", image, "--name", "Debian 12", "--index", "1"]);
  const jq = await load("the application jq", ["application", "import", content.jq, "--name", "jq", "--install", "dpkg -i ./*.deb", "--uninstall", "dpkg -r jq libjq1 libonig5", "--detect-package", "jq"]);
  const node = await importNode(site, content, "old", say);
  const settings = await load("the package Settings", ["package", "import", content.settings, "--name", "Settings", "--program", "Set up=sh ./set-up.sh"]);
  const drivers = await load("the driver package", ["driver-package", "import", content.drivers, "--name", "USB data acquisition"]);
  const added = options.addPackage && (await load(`your package ${basename(options.addPackage.folder)}`, ["package", "import", options.addPackage.folder, "--name", "Your package", "--program", `Your program=${options.addPackage.command}`]));
  const factory = { content, osImage, bootImage, jq, node, settings, drivers, added, sequenceId: "" };
  factory.sequenceId = await addSequence(site, work, taskSequence(factory, undefined, options));
  return factory;
}

/** The Node runtime: its detection rule asks the installed program for its version. */
export async function importNode(site: SiteProcess, content: RealContent, which: "old" | "new", say: (line: string) => void): Promise<ImportedObject> {
  say(`Importing the application Node ${nodeVersions[which]}`);
  const version = nodeVersions[which];
  return site.run<ImportedObject>([
    "application", "import", which === "old" ? content.nodeOld : content.nodeNew, "--name", "Node runtime", "--software-version", version,
    "--install", "sh ./install.sh", "--uninstall", "rm -rf /opt/node /usr/local/bin/node", "--detect-command", `/opt/node/bin/node --version | grep -qx v${version}`,
  ]);
}

/** After the media left the factory: a newer Node, an application that is on no media, and the sequence that uses it. */
export async function publishLater(site: SiteProcess, work: string, factory: Factory, options: FactoryOptions): Promise<{ node: ImportedObject; tree: ImportedObject }> {
  const node = await importNode(site, factory.content, "new", options.say);
  options.say("Importing the application tree, which is not on the media");
  const tree = await site.run<ImportedObject>(["application", "import", factory.content.tree, "--name", "tree", "--install", "dpkg -i ./*.deb", "--detect-package", "tree"]);
  await addSequence(site, work, taskSequence(factory, tree, options), factory.sequenceId);
  return { node, tree };
}

async function addSequence(site: SiteProcess, work: string, yaml: string, update?: string): Promise<string> {
  const file = join(work, "deploy-debian.yaml");
  await writeFile(file, yaml);
  return (await site.run<{ id: string }>(["sequence", "add", file, ...(update ? ["--update", update] : [])])).id;
}

/** The bare-metal sequence of the demonstration. */
export function taskSequence(factory: Pick<Factory, "osImage" | "jq" | "node" | "settings" | "drivers" | "added">, tree: ImportedObject | undefined, options: Pick<FactoryOptions, "computerName" | "passwordHash" | "secretVariable">): string {
  const steps = [
    ["partition", "Partition the disk", "partition-disk", "    with: {}", "    when: { variable: _SMSTSMediaType, notEquals: OEMMedia }"],
    ["name", "Name the computer", "set-variable", `    with: { name: OSDComputerName, value: ${JSON.stringify(options.computerName)} }`],
    ["apply", "Apply the operating system", "apply-os-image", `    with: { osImage: ${factory.osImage.id}, index: 1 }`],
    ["set-up", "Set up the operating system", "set-up-operating-system", `    with: { network: dhcp, serialConsole: true, users: [{ name: ${demoUser}, passwordHash: ${JSON.stringify(options.passwordHash)}, sudo: true }] }`],
    ["restart", "Start the installed system", "restart", "    with: { to: installed }"],
    ["drivers", "Apply the driver package", "apply-driver-package", `    with: { driverPackage: ${factory.drivers.id} }`],
    ["jq", "Install jq", "install-application", `    with: { application: ${factory.jq.id} }`],
    ["node", "Install the Node runtime", "install-application", `    with: { application: ${factory.node.id} }`],
    ...(tree ? [["tree", "Install tree", "install-application", `    with: { application: ${tree.id} }`]] : []),
    ["settings", "Set the message of the day", "install-package", `    with: { package: ${factory.settings.id}, program: Set up }`],
    ...(factory.added ? [["added", "Install your package", "install-package", `    with: { package: ${factory.added.id}, program: Your program }`]] : []),
    ...(options.secretVariable === undefined ? [] : [["secret", "Use the secret", "run-command-line", `    with: { command: 'printf %s "$${options.secretVariable}" | sha256sum > ${secretProof}' }`, `    secrets: [${options.secretVariable}]`]]),
    ["record", "Record the deployment", "run-command-line", `    with: { command: "date -u +%FT%TZ > /etc/deployed" }`],
  ];
  return `name: Deploy Debian 12\ndescription: Bare metal, from prestaged media\nsteps:\n${steps.map(([id, name, type, ...rest]) => [`  - id: ${id}`, `    name: ${name}`, `    type: ${type}`, ...rest].join("\n")).join("\n")}\n`;
}

