import { randomBytes } from "node:crypto";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpoint } from "@prestage/lab";
import type { Receipt } from "@prestage/trust";
import { cacheRoot } from "../../demo/cached.ts";
import type { ImportedObject } from "../../demo/factory.ts";
import { SiteProcess } from "../../demo/site-process.ts";

/** One real site with its own keys and boot image, and the folder everything of a test file lies in. */
export class FaultSite {
  readonly folder: string;
  /** Each machine's serial log, capture and screenshots: kept when a test fails. */
  readonly logs: string;
  #site: SiteProcess;
  #failed = false;

  private constructor(folder: string, site: SiteProcess) {
    this.folder = folder;
    this.logs = join(folder, "logs");
    this.#site = site;
  }

  /** Starts a site in a new folder and imports a boot image made for its keys, or another site's. */
  static async open(name: string, options: { siteCode?: string; profile?: "virtual" | "hardware"; bootImage?: string } = {}): Promise<FaultSite> {
    const folder = join(cacheRoot(), "test", `${name}-${process.pid}-${randomBytes(3).toString("hex")}`);
    await mkdir(join(folder, "logs"), { recursive: true });
    const opened = new FaultSite(folder, await SiteProcess.start(join(folder, "site"), options.siteCode === undefined ? {} : { siteCode: options.siteCode }));
    try {
      if (options.bootImage === undefined) await opened.site.run(["boot-image", "build", "--profile", options.profile ?? "virtual", "-o", opened.bootImage]);
      await opened.site.run(["boot-image", "import", options.bootImage ?? opened.bootImage, "--name", "Boot image"]);
    } catch (cause) {
      await opened.close();
      throw cause;
    }
    return opened;
  }

  get bootImage(): string {
    return join(this.folder, "boot.wim");
  }

  get site(): SiteProcess {
    return this.#site;
  }

  /** Ends the site and starts it again on the same data, under the same address. */
  async restart(whileDown: () => Promise<void>): Promise<void> {
    const { dataDirectory, port } = this.#site;
    await this.#site.stop();
    try {
      await whileDown();
    } finally {
      this.#site = await SiteProcess.start(dataDirectory, { port });
    }
  }

  /** Bytes nobody can guess, as an application that installs nothing or a package with one program. */
  async importRandom(kind: "application" | "package", name: string, bytes: Buffer): Promise<ImportedObject> {
    const source = join(this.folder, "sources", name);
    await mkdir(source, { recursive: true });
    await writeFile(join(source, "data.bin"), bytes);
    const how = kind === "application" ? ["--install", "true", "--detect-file", "/etc/hostname"] : ["--program", "Show=ls -l data.bin"];
    return this.site.run<ImportedObject>([kind, "import", source, "--name", name, ...how]);
  }

  async addSequence(name: string, steps: string): Promise<string> {
    const file = join(this.folder, `${name}.yaml`);
    await writeFile(file, `name: ${name}\nsteps:\n${steps}`);
    return (await this.site.run<{ id: string }>(["sequence", "add", file])).id;
  }

  /** Deploys to every computer that has no record at the site; returns the deployment's id. */
  async deploy(sequenceId: string, options: { purpose: "required" | "available"; makeAvailableTo: string }): Promise<string> {
    const collections = await this.site.run<{ id: string; builtIn: string | null }[]>(["collection", "list"]);
    const unknown = collections.find((collection) => collection.builtIn === "all-unknown-computers")?.id ?? "";
    return (await this.site.run<{ id: string }>(["deployment", "create", "--task-sequence", sequenceId, "--collection", unknown, "--purpose", options.purpose, "--make-available-to", options.makeAvailableTo])).id;
  }

  async createMedia(name: string, sequenceId: string, options: readonly string[] = []): Promise<string> {
    const output = join(this.folder, `${name}.wim`);
    await this.site.run(["media", "create", "--task-sequence", sequenceId, ...options, "-o", output]);
    return output;
  }

  async stage(media: string, name: string, size = "1536M", options: readonly string[] = []): Promise<StagedDisk> {
    const path = join(this.folder, `${name}.img`);
    const [staged] = await this.site.run<{ receipt: Receipt; receiptFile: string }[]>(["stage", media, "--disk", path, "--size", size, ...options]);
    if (staged === undefined) throw new Error("Expected a staged disk; found none.");
    return { path, receipt: staged.receipt, receiptFile: staged.receiptFile };
  }

  /** A copy of a staged disk, for a test to harm. */
  async copy(disk: StagedDisk, name: string): Promise<StagedDisk> {
    const path = join(this.folder, `${name}.img`);
    await checkpoint(disk.path, path);
    return { ...disk, path };
  }

  /** The logs are kept from now on. */
  failed(): void {
    this.#failed = true;
  }

  /** Ends the site and removes everything but the logs of a failure. */
  async close(): Promise<void> {
    await this.#site.stop();
    if (this.#failed) await cp(join(this.folder, "site", "logs"), join(this.logs, "site"), { recursive: true }).catch(() => undefined);
    for (const name of await readdir(this.folder)) {
      if (name !== "logs" || !this.#failed) await rm(join(this.folder, name), { recursive: true, force: true });
    }
    if (!this.#failed) await rm(this.folder, { recursive: true, force: true });
  }
}

export interface StagedDisk { path: string; receipt: Receipt; receiptFile: string }
