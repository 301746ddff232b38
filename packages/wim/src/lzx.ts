import { WimError } from "./error.ts";
import { HuffmanTable } from "./huffman.ts";
import { undoE8 } from "./lzx-e8.ts";

const slotCounts = new Map([[15, 30], [16, 32], [17, 34], [18, 36], [19, 38], [20, 42], [21, 50]]);
const maxSlots = 50;
const lengthSymbols = 249;
const slotBase = new Int32Array(maxSlots + 1);
const slotExtraBits = new Uint8Array(maxSlots);
for (let slot = 0; slot < maxSlots; slot++) {
  slotExtraBits[slot] = slot < 4 ? 0 : Math.min((slot >> 1) - 1, 17);
  slotBase[slot + 1] = slotBase[slot]! + (1 << slotExtraBits[slot]!);
}

/** Decodes one LZX chunk as WIM has it. `windowSize` is the WIM's chunk size. Throws PRESTAGE_WIM_DECOMPRESS. */
export function decompressLzxChunk(input: Uint8Array, outputSize: number, windowSize: number): Uint8Array {
  const output = new Uint8Array(outputSize);
  if (!decodeLzx(input, output, windowSize)) throw new WimError("PRESTAGE_WIM_DECOMPRESS", "An LZX chunk cannot be decoded: the file is damaged. Get it again from its source.");
  return output;
}

/** Fills `output` from `input`; false when the input is corrupt. One decoder serves a thread: chunks are independent. */
export function decodeLzx(input: Uint8Array, output: Uint8Array, windowSize: number): boolean {
  decoder ??= new LzxDecoder();
  return decoder.decode(input, output, windowSize);
}
let decoder: LzxDecoder | undefined;

/**
 * Bits come from 16-bit little-endian units, highest bit first; past the end of the input they are 0. The hot loop
 * keeps its state in locals and saves it in these fields between blocks.
 */
class LzxDecoder {
  private input: Uint8Array = new Uint8Array(0);
  private output: Uint8Array = this.input;
  private bits = 0;
  private count = 0;
  private inPos = 0;
  private outPos = 0;
  private readonly recent = new Int32Array(3);
  private readonly mainLengths = new Uint8Array(256 + 8 * maxSlots);
  private readonly lengthLengths = new Uint8Array(lengthSymbols);
  private readonly alignedLengths = new Uint8Array(8);
  private readonly preLengths = new Uint8Array(20);
  private readonly main = new HuffmanTable(256 + 8 * maxSlots, 11, 16);
  private readonly length = new HuffmanTable(lengthSymbols, 9, 16);
  private readonly aligned = new HuffmanTable(8, 7, 7);
  private readonly pre = new HuffmanTable(20, 6, 15);

  decode(input: Uint8Array, output: Uint8Array, windowSize: number): boolean {
    const order = 31 - Math.clz32(windowSize);
    const slots = slotCounts.get(order);
    if (slots === undefined || windowSize !== 1 << order || output.length > windowSize) return false;
    this.start(input, output);
    while (this.outPos < output.length) if (!this.decodeBlock(order, 256 + 8 * slots)) return false;
    undoE8(output);
    return true;
  }

  /** Code lengths and recent offsets start afresh in each chunk. */
  private start(input: Uint8Array, output: Uint8Array): void {
    this.input = input;
    this.output = output;
    this.bits = this.count = this.inPos = this.outPos = 0;
    this.recent.fill(1);
    this.mainLengths.fill(0);
    this.lengthLengths.fill(0);
  }

  /** Block header: type 3 bits; 1 bit "size is 32768", else 16 bits (24 from window order 16). */
  private decodeBlock(order: number, mainSymbols: number): boolean {
    const type = this.read(3);
    let size = 32768;
    if (this.read(1) === 0) {
      size = this.read(16);
      if (order >= 16) size = (size << 8) | this.read(8);
    }
    if (size < 1 || size > this.output.length - this.outPos) return false;
    if (type === 3) return this.copyBlock(size);
    if (type !== 1 && type !== 2) return false;
    if (type === 2) {
      for (let i = 0; i < 8; i++) this.alignedLengths[i] = this.read(3);
      if (!this.aligned.build(this.alignedLengths)) return false;
    }
    if (!this.readLengths(this.mainLengths, 0, 256) || !this.readLengths(this.mainLengths, 256, mainSymbols)) return false;
    if (!this.readLengths(this.lengthLengths, 0, lengthSymbols)) return false;
    if (!this.main.build(this.mainLengths) || !this.length.build(this.lengthLengths)) return false;
    return this.decodeSymbols(type === 2, this.outPos + size);
  }

  /** Up to 16 bits. */
  private read(n: number): number {
    if (this.count < n) this.refill();
    this.count -= n;
    return (this.bits >>> this.count) & ((1 << n) - 1);
  }

  private refill(): void {
    const { input, inPos } = this;
    this.bits = (this.bits << 16) | (inPos + 1 < input.length ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
    this.inPos += 2;
    this.count += 16;
  }

  private readPreSymbol(): number {
    if (this.count < 16) this.refill();
    let entry = this.pre.entries[(this.bits >>> (this.count - 6)) & 63]!;
    if (entry < 0) entry = this.pre.entries[~entry + ((this.bits >>> (this.count - 15)) & 511)]!;
    if (entry === 0) return -1;
    this.count -= entry & 31;
    return entry >> 5;
  }

  /** Code lengths are stored as differences from those of the block before, run-length coded under a code of their own. */
  private readLengths(lengths: Uint8Array, from: number, to: number): boolean {
    for (let i = 0; i < 20; i++) this.preLengths[i] = this.read(4);
    if (!this.pre.build(this.preLengths)) return false;
    for (let i = from; i < to; ) {
      const symbol = this.readPreSymbol();
      if (symbol < 0) return false;
      if (symbol < 17) {
        lengths[i] = (lengths[i]! - symbol + 17) % 17;
        i++;
        continue;
      }
      let run = 0;
      let value = 0;
      if (symbol === 17) run = 4 + this.read(4);
      else if (symbol === 18) run = 20 + this.read(5);
      else {
        run = 4 + this.read(1);
        const delta = this.readPreSymbol();
        if (delta < 0 || delta > 17) return false;
        value = (lengths[i]! - delta + 17) % 17;
      }
      if (run > to - i) return false;
      lengths.fill(value, i, i + run);
      i += run;
    }
    return true;
  }

  /** Uncompressed block: from the next 16-bit border (a whole unit when already there) three offsets, the bytes, a pad byte if odd. */
  private copyBlock(size: number): boolean {
    const { input } = this;
    const whole = this.count >> 4;
    let position = this.inPos - 2 * whole + ((this.count & 15) === 0 ? 2 : 0);
    if (position + 12 + size > input.length) return false;
    for (let i = 0; i < 3; i++, position += 4) {
      const offset = input[position]! | (input[position + 1]! << 8) | (input[position + 2]! << 16) | (input[position + 3]! << 24);
      if (offset === 0) return false;
      this.recent[i] = offset;
    }
    this.output.set(input.subarray(position, position + size), this.outPos);
    this.outPos += size;
    this.inPos = position + size + (size & 1);
    this.bits = this.count = 0;
    return true;
  }

  private decodeSymbols(aligned: boolean, end: number): boolean {
    const { input, output, recent } = this;
    const main = this.main.entries;
    const length9 = this.length.entries;
    const aligned7 = this.aligned.entries;
    const last = input.length - 1;
    let { bits, count, inPos, outPos } = this;
    let r0 = recent[0]!;
    let r1 = recent[1]!;
    let r2 = recent[2]!;
    while (outPos < end) {
      if (count < 16) {
        bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
        inPos += 2;
        count += 16;
      }
      let entry = main[(bits >>> (count - 11)) & 2047]!;
      if (entry < 0) entry = main[~entry + ((bits >>> (count - 16)) & 31)]!;
      if (entry === 0) return false;
      count -= entry & 31;
      const symbol = entry >> 5;
      if (symbol < 256) {
        output[outPos++] = symbol;
        continue;
      }
      let length = symbol & 7;
      if (length === 7) {
        if (count < 16) {
          bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
          inPos += 2;
          count += 16;
        }
        entry = length9[(bits >>> (count - 9)) & 511]!;
        if (entry < 0) entry = length9[~entry + ((bits >>> (count - 16)) & 127)]!;
        if (entry === 0) return false;
        count -= entry & 31;
        length += entry >> 5;
      }
      length += 2;
      const slot = (symbol - 256) >> 3;
      let offset = 0;
      if (slot === 0) offset = r0;
      else if (slot === 1) {
        offset = r1;
        r1 = r0;
        r0 = offset;
      } else if (slot === 2) {
        offset = r2;
        r2 = r0;
        r0 = offset;
      } else {
        let extra = slotExtraBits[slot]!;
        offset = slotBase[slot]! - 2;
        while (count < 17) {
          bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
          inPos += 2;
          count += 16;
        }
        if (aligned && extra >= 3) {
          extra -= 3;
          count -= extra;
          offset += ((bits >>> count) & ((1 << extra) - 1)) << 3;
          if (count < 16) {
            bits = (bits << 16) | (inPos < last ? input[inPos]! | (input[inPos + 1]! << 8) : 0);
            inPos += 2;
            count += 16;
          }
          entry = aligned7[(bits >>> (count - 7)) & 127]!;
          if (entry === 0) return false;
          count -= entry & 31;
          offset += entry >> 5;
        } else {
          count -= extra;
          offset += (bits >>> count) & ((1 << extra) - 1);
        }
        r2 = r1;
        r1 = r0;
        r0 = offset;
      }
      // An offset read from an uncompressed block may be negative as a 32-bit number: it is before the start too.
      if (offset > outPos || offset < 1 || length > end - outPos) return false;
      if (length > 32 && offset >= length) {
        output.copyWithin(outPos, outPos - offset, outPos - offset + length);
        outPos += length;
      } else {
        for (const stop = outPos + length; outPos < stop; outPos++) output[outPos] = output[outPos - offset]!;
      }
    }
    recent[0] = r0;
    recent[1] = r1;
    recent[2] = r2;
    this.bits = bits;
    this.count = count;
    this.inPos = inPos;
    this.outPos = outPos;
    return true;
  }
}
