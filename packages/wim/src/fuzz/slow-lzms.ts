import { lengthSlots, offsetSlotCount, offsetSlots, type SlotTable } from "../lzms-slots.ts";
import { undoX86 } from "../lzms-x86.ts";
import { SlowBits, SlowCode } from "./slow-bits.ts";

/** LZMS, bit by bit: what the fast decoder is compared with. Slots and the x86 filter are shared: wimlib is their oracle. */
export function slowLzms(input: Uint8Array, size: number): Uint8Array | undefined {
  if (input.length % 2 !== 0 || input.length < 4) return undefined;
  const range = new SlowRange(input);
  const bits = new SlowBits(input, 0, true);
  const slots = offsetSlotCount(size);
  const codes = { literal: new Adaptive(256, 1024), length: new Adaptive(54, 512), offset: new Adaptive(slots, 1024), delta: new Adaptive(slots, 1024), power: new Adaptive(8, 512) };
  const slot = (code: Adaptive, table: SlotTable): number => {
    const symbol = code.next(bits);
    return table.bases[symbol]! + bits.read(table.extraBits[symbol]!);
  };
  const repeat = (kind: string): number => (range.bit(`${kind}0`, 6) === 0 ? 0 : 1 + range.bit(`${kind}1`, 6));
  const offsets = [1, 2, 3, 4];
  const pairs = [1, 2, 3, 4].map((offset) => ({ power: 0, offset }));
  const output: number[] = [];
  let last = "literal";
  const take = <T>(list: T[], index: number, skip: boolean): T => {
    const from = index + (skip ? 1 : 0);
    const found = list[from]!;
    list[from] = list[index]!;
    for (let i = index; i > 0; i--) list[i] = list[i - 1]!;
    list[0] = found;
    return found;
  };
  while (output.length < size) {
    if (range.bit("main", 4) === 0) {
      output.push(codes.literal.next(bits));
      last = "literal";
      continue;
    }
    if (range.bit("match", 5) === 0) {
      if (range.bit("lz", 6) === 0) {
        offsets.unshift(slot(codes.offset, offsetSlots));
        offsets.pop();
      } else take(offsets, repeat("lz repeat"), last === "match");
      last = "match";
      const [offset = 0] = offsets;
      const length = slot(codes.length, lengthSlots);
      if (offset > output.length || length > size - output.length) return undefined;
      for (let left = length; left > 0; left--) output.push(output[output.length - offset]!);
    } else {
      if (range.bit("delta", 6) === 0) {
        const power = codes.power.next(bits);
        pairs.unshift({ power, offset: slot(codes.delta, offsetSlots) });
        pairs.pop();
      } else take(pairs, repeat("delta repeat"), last === "delta");
      last = "delta";
      const { power, offset: raw } = pairs[0]!;
      const length = slot(codes.length, lengthSlots);
      const span = 2 ** power;
      const offset = raw * span;
      if (offset + span > output.length || length > size - output.length) return undefined;
      for (let left = length; left > 0; left--) {
        const at = output.length;
        output.push((output[at - offset]! + output[at - span]! - output[at - offset - span]! + 256) % 256);
      }
    }
  }
  const bytes = Uint8Array.from(output);
  undoX86(bytes);
  return bytes;
}

/** The range coder over exact numbers. */
class SlowRange {
  private readonly units: number[];
  private range = 2 ** 32 - 1;
  private code: number;
  private readonly contexts = new Map<string, number[]>();
  private readonly history = new Map<string, number>();

  constructor(input: Uint8Array) {
    this.units = Array.from({ length: input.length / 2 }, (_, i) => input[2 * i]! + 256 * input[2 * i + 1]!);
    this.code = this.units.shift()! * 65536 + this.units.shift()!;
  }

  /** A bit of a kind, whose context is the kind's last `depth` bits; its chance is the share of zeros among the context's last 64. */
  bit(kind: string, depth: number): number {
    const state = this.history.get(kind) ?? 0;
    const key = `${kind} ${state}`;
    const recent = this.contexts.get(key) ?? Array.from({ length: 64 }, (_, i) => (i < 32 ? 0 : i % 2));
    this.contexts.set(key, recent);
    const zeros = Math.min(63, Math.max(1, recent.filter((bit) => bit === 0).length));
    if (this.range < 65536) {
      this.range *= 65536;
      this.code = this.code * 65536 + (this.units.shift() ?? 0);
      // What a damaged file puts above 32 bits is lost.
      this.code %= 2 ** 32;
    }
    const bound = Math.floor(this.range / 64) * zeros;
    const bit = this.code < bound ? 0 : 1;
    this.range = bit === 0 ? bound : this.range - bound;
    if (bit === 1) this.code -= bound;
    recent.shift();
    recent.push(bit);
    this.history.set(kind, (state * 2 + bit) % 2 ** depth);
    return bit;
  }
}

/** A Huffman code made anew from its counts. */
class Adaptive {
  private counts: number[];
  private left: number;
  private readonly interval: number;
  private code: SlowCode;

  constructor(symbols: number, interval: number) {
    this.counts = Array.from({ length: symbols }, () => 1);
    this.interval = this.left = interval;
    this.code = SlowCode.of(lengthsOf(this.counts))!;
  }

  next(bits: SlowBits): number {
    const symbol = this.code.decode(bits) ?? 0;
    this.counts[symbol]!++;
    if (--this.left === 0) {
      this.code = SlowCode.of(lengthsOf(this.counts))!;
      this.counts = this.counts.map((count) => Math.floor(count / 2) + 1);
      this.left = this.interval;
    }
    return symbol;
  }
}

interface Node { weight: number; parent: Node | undefined; depth: number }

/** Lengths of at most 15 bits: rarest symbols the longest; equal ones by number; a leaf before an inner node. */
function lengthsOf(counts: readonly number[]): number[] {
  if (counts.length < 2) return counts.map(() => 0);
  const sorted = counts.map((weight, symbol) => ({ weight, symbol })).sort((a, b) => a.weight - b.weight || a.symbol - b.symbol);
  const leaves: Node[] = sorted.map(({ weight }) => ({ weight, parent: undefined, depth: 0 }));
  const inner: Node[] = [];
  const queue = [...leaves];
  const waiting: Node[] = [];
  const least = (): Node => (queue.length > 0 && (waiting.length === 0 || queue[0]!.weight <= waiting[0]!.weight) ? queue.shift()! : waiting.shift()!);
  while (queue.length + waiting.length > 1) {
    const [first, second] = [least(), least()];
    const node: Node = { weight: first.weight + second.weight, parent: undefined, depth: 0 };
    first.parent = second.parent = node;
    waiting.push(node);
    inner.push(node);
  }
  const perLength = Array.from({ length: 17 }, () => 0);
  perLength[1] = 2;
  for (const node of inner.slice(0, -1).reverse()) {
    node.depth = node.parent!.depth + 1;
    let length = node.depth;
    if (length >= 15) for (length = 14; perLength[length] === 0; ) length--;
    perLength[length]!--;
    perLength[length + 1]! += 2;
  }
  const lengths = counts.map(() => 0);
  let at = 0;
  for (let length = 15; length >= 1; length--) for (let left = perLength[length]!; left > 0; left--) lengths[sorted[at++]!.symbol] = length;
  return lengths;
}
