import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LabError } from "./error.ts";
import type { NbdEnd } from "./nbd-server.ts";

/** A volatile disk in front of an image, served by a process of its own. */
export interface VolatileDisk {
  readonly socket: string;
  /** Settles when the machine has gone: by itself, or by a power cut. */
  readonly end: Promise<NbdEnd>;
  /** Cuts the power right after the machine's `writes`-th further write that it may lose; settles when the disk knows. */
  cutAfterWrites(writes: number): Promise<void>;
  /** Ends the process when no machine ever connected. */
  stop(): void;
}

export async function startVolatileDisk(disk: string, socket: string, seed: number): Promise<VolatileDisk> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("volatile-disk-main.ts", import.meta.url)), disk, socket, String(seed)], { stdio: ["pipe", "pipe", "pipe"] });
  const ready = Promise.withResolvers<void>();
  const counting = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<NbdEnd>();
  ended.promise.catch(() => undefined); // whoever asks for the end sees it
  let output = "";
  let errors = "";
  let last: NbdEnd | undefined;
  child.stderr.on("data", (data: Buffer) => (errors = (errors + data.toString()).slice(-2000)));
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    for (let end = output.indexOf("\n"); end >= 0; end = output.indexOf("\n")) {
      const line = output.slice(0, end);
      output = output.slice(end + 1);
      if (line === "ready") ready.resolve();
      else if (line === "counting") counting.resolve();
      else last = JSON.parse(line) as NbdEnd;
    }
  });
  child.stdin.on("error", () => undefined); // the disk is gone: its end says so
  child.on("error", (cause) => ready.reject(cause));
  child.on("close", (code) => {
    if (last !== undefined) ended.resolve(last);
    const error = new LabError("PRESTAGE_LAB_DISK_FAILED", `The volatile disk for ${disk} ended with ${code ?? "a signal"} before the machine did. It said: ${errors.trim() || "nothing"}`);
    ended.reject(error);
    ready.reject(error);
  });
  await ready.promise;
  const cutAfterWrites = async (writes: number): Promise<void> => {
    child.stdin.write(`${writes}\n`);
    await Promise.race([counting.promise, ended.promise]);
  };
  return { socket, end: ended.promise, cutAfterWrites, stop: () => void child.kill() };
}
