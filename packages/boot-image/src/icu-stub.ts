import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./run-program.ts";

export const icuDataLibrary = "libicudata.so.72";

/**
 * wimlib reaches ICU through libxml2, which needs none of its 31 MB of data: an empty data table with the same symbol
 * saves that much memory on every start.
 */
const source = `.section .rodata
.globl icudt72_dat
.type icudt72_dat,@object
.size icudt72_dat,64
.balign 16
icudt72_dat: .short 20
.byte 0xda,0x27
.short 20,0
.byte 0,0,2,0,0x54,0x6f,0x43,0x50,1,0,0,0,0,0,0,0
.zero 40
`;

/** Assembles the replacement of libicudata. */
export async function icuStub(signal?: AbortSignal): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-icu-"));
  try {
    await writeFile(join(folder, "stub.s"), source);
    await runProgram("as", ["stub.s", "-o", "stub.o"], { cwd: folder, signal });
    await runProgram("ld", ["-shared", "-soname", icuDataLibrary, "-o", icuDataLibrary, "stub.o"], { cwd: folder, signal });
    return await readFile(join(folder, icuDataLibrary));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
