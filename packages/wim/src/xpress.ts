import { WimError } from "./error.ts";
import { HuffmanTable } from "./huffman.ts";

const symbolCount = 512;
const lengths = new Uint8Array(symbolCount);
const table = new HuffmanTable(symbolCount, 11, 15);

/** Decodes one XPRESS (LZ77 + Huffman, MS-XCA 2.2) chunk. Throws PRESTAGE_WIM_DECOMPRESS. */
export function decompressXpressChunk(input: Uint8Array, outputSize: number): Uint8Array {
  const output = new Uint8Array(outputSize);
  if (!decodeXpress(input, output)) throw new WimError("PRESTAGE_WIM_DECOMPRESS", "An XPRESS chunk cannot be decoded: the file is damaged. Get it again from its source.");
  return output;
}

/**
 * Fills `output` from `input`; false when the input is corrupt. All state lives in locals of one loop: captured by
 * closures it costs three to five times as much.
 */
export function decodeXpress(input: Uint8Array, output: Uint8Array): boolean {
  if (input.length < 256) return false;
  for (let i = 0; i < 256; i++) {
    const pair = input[i]!;
    lengths[2 * i] = pair & 15;
    lengths[2 * i + 1] = pair >> 4;
  }
  if (!table.build(lengths)) return false;
  const entries = table.entries;
  const last = input.length - 1;
  const end = output.length;
  let inPos = 256;
  let outPos = 0;
  let bits = 0;
  let count = 0;
  while (outPos < end) {
    if (count < 16) {
      bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
      inPos += 2;
      count += 16;
    }
    let entry = entries[(bits >>> (count - 11)) & 2047]!;
    if (entry < 0) entry = entries[~entry + ((bits >>> (count - 15)) & 15)]!;
    if (entry === 0) return false;
    count -= entry & 31;
    const symbol = entry >> 5;
    if (symbol < 256) {
      output[outPos++] = symbol;
      continue;
    }
    if (count < 16) {
      bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
      inPos += 2;
      count += 16;
    }
    const offsetBits = (symbol >> 4) & 15;
    count -= offsetBits;
    const offset = (1 << offsetBits) | ((bits >>> count) & ((1 << offsetBits) - 1));
    let length = symbol & 15;
    if (length === 15) {
      // The length bytes come from the same pointer as the next 16-bit unit.
      if (inPos > last) return false;
      const byte = input[inPos++]!;
      length += byte;
      if (byte === 255) {
        if (inPos >= last) return false;
        length = input[inPos]! | (input[inPos + 1]! << 8);
        inPos += 2;
      }
    }
    length += 3;
    if (offset > outPos || length > end - outPos) return false;
    if (length > 32 && offset >= length) {
      output.copyWithin(outPos, outPos - offset, outPos - offset + length);
      outPos += length;
    } else {
      for (const stop = outPos + length; outPos < stop; outPos++) output[outPos] = output[outPos - offset]!;
    }
  }
  return true;
}
