import { WimError } from "./error.ts";

/** Methods whose chunks can be addressed and copied one by one. */
export type WimCompression = "none" | "xpress" | "lzx";
export type AnyCompression = WimCompression | "lzms";

const chunkSizes = { xpress: [2 ** 12, 2 ** 16], lzx: [2 ** 15, 2 ** 21], lzms: [2 ** 15, 2 ** 30] } as const;

/** A power of two in the range the method allows. */
export function checkChunkSize(compression: AnyCompression, size: number): void {
  if (compression === "none") return;
  const [least, most] = chunkSizes[compression];
  if (size < least || size > most || (size & (size - 1)) !== 0) throw new WimError("PRESTAGE_WIM_HEADER", `The chunk size is ${size}, expected a power of two from ${least} to ${most} for ${compression}. The file is damaged; get it again from its source.`);
}
