import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { BootImageError } from "./error.ts";

/** Compresses parts by the program zstd into a file. Its output depends on level and version, not on the number of threads. */
export async function compressTo(path: string, parts: Iterable<Uint8Array>, level: number, signal?: AbortSignal): Promise<void> {
  const output = await open(path, "w");
  try {
    const child = spawn("zstd", ["-q", "-c", `-${level}`, "-T2"], { stdio: ["pipe", output.fd, "pipe"], signal });
    let said = "";
    child.stderr?.on("data", (data: Buffer) => (said = (said + data.toString()).slice(-2000)));
    const closed = once(child, "close");
    const input = child.stdin;
    if (input === null) throw new TypeError("zstd has no standard input");
    input.on("error", () => undefined); // its exit code says more
    for (const part of parts) if (!input.write(part)) await Promise.race([once(input, "drain"), closed]);
    input.end();
    const [code] = (await closed) as [number | null];
    if (code !== 0) throw new BootImageError("PRESTAGE_BOOT_IMAGE_PROGRAM_FAILED", `zstd ended with ${code ?? "a signal"} instead of 0. It said: ${said.trim() || "nothing"}`);
    await output.sync();
  } finally {
    await output.close();
  }
}
