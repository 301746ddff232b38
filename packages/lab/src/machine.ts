import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LabError } from "./error.ts";
import { keysFor } from "./keyboard.ts";
import { qemuArguments, type DiskBus } from "./qemu-command.ts";
import { QmpClient, type QmpEvent } from "./qmp.ts";
import { SerialLog } from "./serial-log.ts";
import { startVolatileDisk, type VolatileDisk } from "./volatile-disk.ts";

export interface BootDiskOptions {
  /** The raw image or block device the machine starts from. */
  disk: string;
  extraDisks?: readonly { path: string; bus: DiskBus; readOnly?: boolean }[];
  bus?: DiskBus;
  /** Starts with Secure Boot on and Microsoft's keys enrolled. */
  secureBoot?: boolean;
  memoryMiB?: number;
  smp?: number;
  /** `user`: the host is reached at 10.0.2.2. */
  network?: "none" | "user";
  /** The clock the machine starts with, e.g. 1970-01-01T00:00:00. */
  rtcBase?: string;
  /** Folder for vars.fd, serial.log, capture.pcap and screenshots. vars.fd is kept when it is there: it is the machine's memory of boot entries. */
  workDir: string;
  /** Puts a volatile write cache before the disk, so that a cut loses unflushed writes in part. */
  volatile?: { seed: number };
  width?: number;
  height?: number;
  cpu?: string;
  /** Ends the machine at its first restart instead of letting it start again. */
  stopOnRestart?: boolean;
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

export type ExitReason = { reason: "guest-shutdown" | "guest-reset" | "host-quit" | "killed" | "failed"; detail?: string };

export interface CutResult {
  /** Sectors that were written and not flushed; 0 without a volatile disk. */
  unflushed: number;
  kept: number;
  /** Writes of this start that a cut could have taken; 0 without a volatile disk. */
  writes: number;
}

/** A running virtual machine. */
export interface Machine {
  readonly pid: number;
  readonly serial: SerialLog;
  /** Restarts seen since it was started. */
  readonly restarts: number;
  /** Writes a PNG of the screen. */
  screenshot(path: string): Promise<void>;
  /** Types on the machine's own keyboard, a US one; a line feed is Enter. */
  type(text: string): Promise<void>;
  /** Pulls or plugs the network cable. */
  setLink(up: boolean): Promise<void>;
  /** Holds the machine still: its disk is now as a power cut at this moment would leave it, and may be copied. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  waitForExit(): Promise<ExitReason>;
  waitForRestart(number?: number): Promise<void>;
  /** Presses the power button: the guest shuts down by itself. */
  powerButton(): Promise<void>;
  /** Ends the machine with everything the guest has written on its disk. */
  powerOff(): Promise<void>;
  /** Cuts the power; of a machine that is off already, tells what it had written. */
  cut(): Promise<CutResult>;
  /**
   * Cuts the power of a machine with a volatile disk right after its `writes`-th further write, so that something unflushed is always at stake;
   * or when `orWhen` settles, where the machine writes less.
   */
  cutAfterWrites(writes: number, orWhen: Promise<unknown>): Promise<CutResult>;
}

/** How long a key is held, and how long until the next, in milliseconds: as a quick typist. */
const keyMs = 50;

const firmwareFolder = "/usr/share/OVMF";

/** Starts a machine from a disk with blank firmware variables (unless its vars.fd is in the folder). */
export async function bootDisk(options: BootDiskOptions): Promise<Machine> {
  options.signal?.throwIfAborted();
  const secureBoot = options.secureBoot ?? false;
  const code = join(firmwareFolder, secureBoot ? "OVMF_CODE_4M.secboot.fd" : "OVMF_CODE_4M.fd");
  const blank = join(firmwareFolder, secureBoot ? "OVMF_VARS_4M.ms.fd" : "OVMF_VARS_4M.fd");
  for (const path of [code, blank, options.disk]) {
    if (!existsSync(path)) throw new LabError("PRESTAGE_LAB_PROGRAM_MISSING", `The lab needs ${path} and found nothing there. ${path === options.disk ? "Stage a disk first." : "Install the Debian package ovmf."}`);
  }
  const workDir = resolve(options.workDir);
  await mkdir(workDir, { recursive: true });
  const variables = join(workDir, "vars.fd");
  if (!existsSync(variables)) await copyFile(blank, variables);
  const sockets = await mkdtemp(join(tmpdir(), "prestage-lab-")); // socket paths may have 107 bytes only
  let volatile: VolatileDisk | undefined;
  try {
    if (options.volatile !== undefined) volatile = await startVolatileDisk(resolve(options.disk), join(sockets, "disk"), options.volatile.seed);
    const serialLog = join(workDir, "serial.log");
    await writeFile(serialLog, "", { flag: "a" });
    const args = qemuArguments({
      disks: [
        { file: volatile === undefined ? { path: resolve(options.disk) } : { nbdSocket: volatile.socket }, bus: options.bus ?? "virtio" },
        ...(options.extraDisks ?? []).map((disk) => ({ file: { path: resolve(disk.path) }, bus: disk.bus, readOnly: disk.readOnly })),
      ],
      secureBoot,
      firmware: { code, variables },
      memoryMiB: options.memoryMiB ?? 2048,
      smp: options.smp ?? 2,
      cpu: options.cpu ?? "qemu64",
      network: { mode: options.network ?? "user", capture: join(workDir, "capture.pcap") },
      rtcBase: options.rtcBase,
      width: options.width ?? 1920,
      height: options.height ?? 1080,
      qmpSocket: join(sockets, "qmp"),
      serialLog,
      stopOnRestart: options.stopOnRestart ?? false,
    });
    return await QemuMachine.start(args, sockets, volatile, options);
  } catch (error) {
    volatile?.stop();
    await rm(sockets, { recursive: true, force: true });
    throw error;
  }
}

class QemuMachine implements Machine {
  readonly serial: SerialLog;
  readonly pid: number;
  restarts = 0;
  readonly #child: ChildProcess;
  readonly #exit = Promise.withResolvers<ExitReason>();
  readonly #restartWaiters = new Set<{ number: number; resolve: () => void; reject: (error: Error) => void }>();
  readonly #volatile: VolatileDisk | undefined;
  #qmp: QmpClient | undefined;
  #shutdownReason: string | undefined;
  #cut = false;
  #errors = "";

  static async start(args: readonly string[], sockets: string, volatile: VolatileDisk | undefined, options: BootDiskOptions): Promise<QemuMachine> {
    const child = spawn("qemu-system-x86_64", args, { stdio: ["pipe", "pipe", "pipe"] });
    const started = Promise.withResolvers<void>();
    child.once("spawn", started.resolve);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      started.reject(cause.code === "ENOENT" ? new LabError("PRESTAGE_LAB_PROGRAM_MISSING", "The lab needs qemu-system-x86_64. Install the Debian package qemu-system-x86.", { cause }) : cause);
    });
    await started.promise;
    const machine = new QemuMachine(child, sockets, volatile, options);
    await machine.#connect(join(sockets, "qmp"));
    return machine;
  }

  private constructor(child: ChildProcess, sockets: string, volatile: VolatileDisk | undefined, options: BootDiskOptions) {
    this.#child = child;
    this.#volatile = volatile;
    this.pid = child.pid ?? 0;
    this.serial = new SerialLog((text) => void child.stdin?.write(text), options.onLine);
    child.stdin?.on("error", () => undefined); // the machine is gone: its exit says so
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (text: string) => this.serial.receive(text));
    child.stderr?.on("data", (data: Buffer) => (this.#errors = (this.#errors + data.toString()).slice(-4000)));
    const killWithParent = (): void => void child.kill("SIGKILL");
    process.once("exit", killWithParent);
    const onAbort = (): void => void child.kill("SIGKILL");
    options.signal?.addEventListener("abort", onAbort, { once: true });
    child.once("close", (code) => {
      process.removeListener("exit", killWithParent);
      options.signal?.removeEventListener("abort", onAbort);
      this.#qmp?.close();
      const exit = this.#reason(code);
      this.serial.end(exit.detail ?? exit.reason);
      for (const waiter of this.#restartWaiters) waiter.reject(new LabError("PRESTAGE_LAB_MACHINE_ENDED", `Expected the machine to restart; it ended (${exit.detail ?? exit.reason}).`));
      void rm(sockets, { recursive: true, force: true }).then(() => this.#exit.resolve(exit));
    });
  }

  #reason(code: number | null): ExitReason {
    if (this.#cut) return { reason: "killed" };
    if (code === 0) {
      if (this.#shutdownReason === "guest-shutdown" || this.#shutdownReason === "guest-reset") return { reason: this.#shutdownReason };
      return { reason: "host-quit" };
    }
    if (code === null) return { reason: "killed" };
    return { reason: "failed", detail: `QEMU ended with ${code}: ${this.#errors.trim()}` };
  }

  /** The socket is there a moment after the start; a QEMU that ends instead says why. */
  async #connect(path: string): Promise<void> {
    const exited = this.#exit.promise.then((exit) => {
      throw new LabError("PRESTAGE_LAB_MACHINE_FAILED", `QEMU ended at once: ${exit.detail ?? exit.reason}`);
    });
    exited.catch(() => undefined);
    const deadline = performance.now() + 60_000;
    for (;;) {
      try {
        this.#qmp = await Promise.race([QmpClient.open(path, (event) => this.#handle(event)), exited]);
        return;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if ((code !== "ENOENT" && code !== "ECONNREFUSED") || performance.now() > deadline) throw error;
        await Promise.race([new Promise((done) => setTimeout(done, 20)), exited]);
      }
    }
  }

  #handle(event: QmpEvent): void {
    if (event.event === "SHUTDOWN" && typeof event.data["reason"] === "string") this.#shutdownReason = event.data["reason"];
    if (event.event === "RESET" && event.data["guest"] === true) {
      this.restarts += 1;
      for (const waiter of this.#restartWaiters) {
        if (this.restarts < waiter.number) continue;
        this.#restartWaiters.delete(waiter);
        waiter.resolve();
      }
    }
  }

  get #control(): QmpClient {
    if (this.#qmp === undefined) throw new LabError("PRESTAGE_LAB_MACHINE_ENDED", "The virtual machine has ended.");
    return this.#qmp;
  }

  async screenshot(path: string): Promise<void> {
    await this.#control.execute("screendump", { filename: resolve(path), format: "png" });
  }

  async type(text: string): Promise<void> {
    for (const keys of Array.from(text, keysFor)) {
      const events = (down: boolean) => (down ? keys : keys.toReversed()).map((data) => ({ type: "key", data: { down, key: { type: "qcode", data } } }));
      for (const down of [true, false]) {
        await this.#control.execute("input-send-event", { events: events(down) });
        // A PS/2 keyboard holds 16 bytes; an emulated guest takes a moment to fetch them.
        await delay(keyMs);
      }
    }
  }

  async setLink(up: boolean): Promise<void> {
    await this.#control.execute("set_link", { name: "nic0", up });
  }

  async pause(): Promise<void> {
    await this.#control.execute("stop");
  }

  async resume(): Promise<void> {
    await this.#control.execute("cont");
  }

  waitForExit(): Promise<ExitReason> {
    return this.#exit.promise;
  }

  async waitForRestart(number = this.restarts + 1): Promise<void> {
    if (this.restarts >= number) return;
    const { promise, resolve: done, reject } = Promise.withResolvers<void>();
    this.#restartWaiters.add({ number, resolve: done, reject });
    await promise;
  }

  async powerButton(): Promise<void> {
    await this.#control.execute("system_powerdown");
  }

  async powerOff(): Promise<void> {
    await this.#control.execute("quit").catch(() => undefined); // the answer may be lost in the exit
    await this.#exit.promise;
    await this.#volatile?.end;
  }

  async cut(): Promise<CutResult> {
    this.#cut = true;
    this.#child.kill("SIGKILL");
    await this.#exit.promise;
    const end = await this.#volatile?.end;
    return { writes: end?.writes ?? 0, ...(end === undefined || end.clean ? { unflushed: 0, kept: 0 } : { unflushed: end.unflushed, kept: end.kept }) };
  }

  async cutAfterWrites(writes: number, orWhen: Promise<unknown>): Promise<CutResult> {
    await this.#volatile?.cutAfterWrites(writes);
    await Promise.race([this.#volatile?.end, orWhen.catch(() => undefined)]);
    return this.cut();
  }
}
