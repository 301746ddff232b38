import { WimError } from "./error.ts";
import { LzmsCode } from "./lzms-code.ts";
import { lengthSlots, offsetSlotCount, offsetSlots } from "./lzms-slots.ts";
import { undoX86 } from "./lzms-x86.ts";

/** Decodes one LZMS chunk. Throws PRESTAGE_WIM_DECOMPRESS. */
export function decompressLzmsChunk(input: Uint8Array, outputSize: number): Uint8Array {
  const output = new Uint8Array(outputSize);
  if (!decodeLzms(input, output)) throw new WimError("PRESTAGE_WIM_DECOMPRESS", "An LZMS chunk cannot be decoded: the file is damaged. Get it again from its source.");
  return output;
}

/** Fills `output` from `input`; false when the input is corrupt. One decoder serves a thread: chunks are independent. */
export function decodeLzms(input: Uint8Array, output: Uint8Array): boolean {
  decoder ??= new LzmsDecoder();
  return decoder.decode(input, output);
}
let decoder: LzmsDecoder | undefined;

/** Where the bits of each kind of decision have their probabilities, and how many states of the last bits there are. */
const places = { main: 0, match: 16, lz: 48, lzRepeat: 112, delta: 240, deltaRepeat: 304 } as const;
const probabilityCount = 432;
/** The state of each kind: its last bits. The two repeat decisions of a kind have one each. */
const states = { main: 0, match: 1, lz: 2, lzRepeat: 3, delta: 5, deltaRepeat: 6 } as const;

/**
 * Two streams share the input. Decisions come from a range coder that reads 16-bit units from the front, symbols and plain
 * bits from 16-bit units read from the back, highest bit first. Past the end both read zeros. Each decision's probability
 * is the share of zeros among its last 64 bits.
 */
class LzmsDecoder {
  private input: Uint8Array = new Uint8Array(0);
  private front = 0;
  private back = 0;
  // Kept as signed 32-bit numbers, which need no allocation; compared as unsigned ones.
  private range = 0;
  private code = 0;
  private bits = 0;
  private count = 0;
  private readonly zeros = new Uint8Array(probabilityCount);
  private readonly recentHigh = new Int32Array(probabilityCount);
  private readonly recentLow = new Int32Array(probabilityCount);
  private readonly state = new Uint8Array(8);
  private readonly literals = new LzmsCode(256, 1024, 10);
  private readonly lengths = new LzmsCode(lengthSlots.extraBits.length, 512, 9);
  private readonly powers = new LzmsCode(8, 512, 7);
  private lzOffsets = new LzmsCode(2, 1024, 10);
  private deltaOffsets = this.lzOffsets;
  private slotCount = 2;
  private readonly recentLz = new Int32Array(4);
  private readonly recentPower = new Int32Array(4);
  private readonly recentDelta = new Int32Array(4);

  decode(input: Uint8Array, output: Uint8Array): boolean {
    if ((input.length & 1) !== 0 || input.length < 4) return false;
    this.start(input, output.length);
    if (!this.decodeItems(output)) return false;
    undoX86(output);
    return true;
  }

  private start(input: Uint8Array, size: number): void {
    this.input = input;
    this.range = -1;
    this.code = (input[0]! << 16) | (input[1]! << 24) | input[2]! | (input[3]! << 8);
    this.front = 4;
    this.back = input.length;
    this.bits = this.count = 0;
    this.zeros.fill(48);
    this.recentHigh.fill(0);
    this.recentLow.fill(0x55555555);
    this.state.fill(0);
    for (let i = 0; i < 4; i++) {
      this.recentLz[i] = this.recentDelta[i] = i + 1;
      this.recentPower[i] = 0;
    }
    const slots = offsetSlotCount(size);
    if (slots !== this.slotCount || this.lzOffsets === this.deltaOffsets) {
      this.slotCount = slots;
      this.lzOffsets = new LzmsCode(slots, 1024, 11);
      this.deltaOffsets = new LzmsCode(slots, 1024, 11);
    }
    for (const code of [this.literals, this.lengths, this.powers, this.lzOffsets, this.deltaOffsets]) code.reset();
  }

  /** `last` is what came before: 0 a literal, 1 a match, 2 a delta match. A repeat right after its own kind skips the newest offset. */
  private decodeItems(output: Uint8Array): boolean {
    const end = output.length;
    let last = 0;
    for (let at = 0; at < end; ) {
      if (this.decide(places.main, states.main, 15) === 0) {
        const symbol = this.symbol(this.literals);
        output[at++] = symbol;
        last = 0;
      } else if (this.decide(places.match, states.match, 31) === 0) {
        const offset = this.lzOffset(last === 1 ? 1 : 0);
        last = 1;
        const length = this.slotValue(this.lengths, lengthSlots.bases, lengthSlots.extraBits);
        if (offset < 1 || offset > at || length < 1 || length > end - at) return false;
        if (length > 24 && offset >= length) {
          output.copyWithin(at, at - offset, at - offset + length);
          at += length;
        } else for (const stop = at + length; at < stop; at++) output[at] = output[at - offset]!;
      } else {
        if (!this.deltaPair(last === 2 ? 1 : 0)) return false;
        last = 2;
        const length = this.slotValue(this.lengths, lengthSlots.bases, lengthSlots.extraBits);
        const span = 2 ** this.recentPower[0]!;
        const offset = this.recentDelta[0]! * span;
        if (offset < 1 || offset + span > at || length < 1 || length > end - at) return false;
        for (const stop = at + length; at < stop; at++) output[at] = output[at - offset]! + output[at - span]! - output[at - offset - span]!;
      }
    }
    return true;
  }

  /** The offset of a match: a new one, or one of the last three. -1 when it cannot be read. */
  private lzOffset(skip: number): number {
    const recent = this.recentLz;
    let offset = 0;
    if (this.decide(places.lz, states.lz, 63) === 0) {
      offset = this.slotValue(this.lzOffsets, offsetSlots.bases, offsetSlots.extraBits);
      recent[3] = recent[2]!;
      recent[2] = recent[1]!;
      recent[1] = recent[0]!;
    } else {
      const which = this.repeat(places.lzRepeat, states.lzRepeat);
      offset = recent[which + skip]!;
      recent[which + skip] = recent[which]!;
      for (let i = which; i > 0; i--) recent[i] = recent[i - 1]!;
    }
    recent[0] = offset;
    return offset;
  }

  /** The power and raw offset of a delta match, left at place 0 of the recent ones. */
  private deltaPair(skip: number): boolean {
    const { recentPower, recentDelta } = this;
    let power = 0;
    let offset = 0;
    if (this.decide(places.delta, states.delta, 63) === 0) {
      power = this.symbol(this.powers);
      offset = this.slotValue(this.deltaOffsets, offsetSlots.bases, offsetSlots.extraBits);
      recentPower.copyWithin(1, 0, 3);
      recentDelta.copyWithin(1, 0, 3);
    } else {
      const which = this.repeat(places.deltaRepeat, states.deltaRepeat);
      power = recentPower[which + skip]!;
      offset = recentDelta[which + skip]!;
      recentPower[which + skip] = recentPower[which]!;
      recentDelta[which + skip] = recentDelta[which]!;
      recentPower.copyWithin(1, 0, which);
      recentDelta.copyWithin(1, 0, which);
    }
    recentPower[0] = power;
    recentDelta[0] = offset;
    return offset > 0;
  }

  /** Which of the last three: 0, 1 or 2. */
  private repeat(place: number, state: number): number {
    if (this.decide(place, state, 63) === 0) return 0;
    return 1 + this.decide(place + 64, state + 1, 63);
  }

  /** One bit of the range coder. */
  private decide(place: number, kind: number, mask: number): number {
    const { state, zeros, recentHigh, recentLow } = this;
    const at = place + state[kind]!;
    const share = zeros[at]!;
    if ((this.range & 0xffff0000) === 0) {
      const { front, input } = this;
      this.range <<= 16;
      this.code <<= 16;
      if (front < input.length) {
        this.code |= input[front]! | (input[front + 1]! << 8);
        this.front = front + 2;
      }
    }
    const bound = Math.imul(this.range >>> 6, share === 0 ? 1 : share === 64 ? 63 : share);
    let bit = 0;
    if (this.code >>> 0 < bound >>> 0) this.range = bound;
    else {
      this.range = (this.range - bound) | 0;
      this.code = (this.code - bound) | 0;
      bit = 1;
    }
    const high = recentHigh[at]!;
    const low = recentLow[at]!;
    zeros[at] = share + (high >>> 31) - bit;
    recentHigh[at] = (high << 1) | (low >>> 31);
    recentLow[at] = (low << 1) | bit;
    state[kind] = ((state[kind]! << 1) & mask) | bit;
    return bit;
  }

  private refill(): void {
    const { back, input } = this;
    this.bits = (this.bits << 16) | (back >= 2 ? input[back - 2]! | (input[back - 1]! << 8) : 0);
    this.back = back - 2;
    this.count += 16;
  }

  /** Up to 30 plain bits. */
  private plain(n: number): number {
    if (n > 16) {
      const high = this.plain(n - 16);
      return (high << 16) | this.plain(16);
    }
    if (this.count < n) this.refill();
    this.count -= n;
    return (this.bits >>> this.count) & ((1 << n) - 1);
  }

  /** One symbol of an adaptive code. */
  private symbol(code: LzmsCode): number {
    if (this.count < 16) this.refill();
    const { entries, tableBits } = code.table;
    let entry = entries[(this.bits >>> (this.count - tableBits)) & ((1 << tableBits) - 1)]!;
    if (entry < 0) entry = entries[~entry + ((this.bits >>> (this.count - 15)) & ((1 << (15 - tableBits)) - 1))]!;
    this.count -= entry & 31;
    const symbol = entry >> 5;
    code.counts[symbol]!++;
    if (--code.left === 0) code.rebuild();
    return symbol;
  }

  private slotValue(code: LzmsCode, bases: Int32Array, extraBits: Uint8Array): number {
    const slot = this.symbol(code);
    return bases[slot]! + this.plain(extraBits[slot]!);
  }
}
