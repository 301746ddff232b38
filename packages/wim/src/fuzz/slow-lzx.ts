import { SlowBits, SlowCode } from "./slow-bits.ts";

const slotCounts = new Map([[15, 30], [16, 32], [17, 34], [18, 36], [19, 38], [20, 42], [21, 50]]);

/** LZX as WIM has it, bit by bit ([MS-PATCH] with the differences of WIM): what the fast decoder is compared with. */
export function slowLzx(input: Uint8Array, size: number, window: number): Uint8Array | undefined {
  const order = Math.log2(window);
  const mainSize = 256 + 8 * slotCounts.get(order)!;
  const bits = new SlowBits(input);
  const output: number[] = [];
  let recent = [1, 1, 1];
  const mainLengths = Array.from({ length: mainSize }, () => 0);
  const lengthLengths = Array.from({ length: 249 }, () => 0);
  while (output.length < size) {
    const type = bits.read(3);
    const blockSize = bits.read(1) === 1 ? 32768 : bits.read(order >= 16 ? 24 : 16);
    if (blockSize === 0 || blockSize > size - output.length) return undefined;
    if (type === 3) {
      // To the next border of units; a whole unit where it is one already. Units read ahead are given back.
      const at = bits.position - 2 * Math.floor(bits.bits.length / 16) + (bits.bits.length % 16 === 0 ? 2 : 0);
      if (at + 12 + blockSize > input.length) return undefined;
      recent = [0, 4, 8].map((from) => Buffer.from(input).readUInt32LE(at + from));
      if (recent.includes(0)) return undefined;
      output.push(...input.subarray(at + 12, at + 12 + blockSize));
      bits.position = at + 12 + blockSize + (blockSize % 2);
      bits.bits = [];
      continue;
    }
    if (type !== 1 && type !== 2) return undefined;
    const aligned = type === 2 ? SlowCode.of(Array.from({ length: 8 }, () => bits.read(3))) : SlowCode.of([]);
    if (aligned === undefined) return undefined;
    if (!readLengths(bits, mainLengths, 0, 256) || !readLengths(bits, mainLengths, 256, mainSize) || !readLengths(bits, lengthLengths, 0, 249)) return undefined;
    const [main, length] = [SlowCode.of(mainLengths), SlowCode.of(lengthLengths)];
    if (main === undefined || length === undefined) return undefined;
    for (const end = output.length + blockSize; output.length < end; ) {
      const match = readItem(bits, { main, length, aligned: type === 2 ? aligned : undefined }, recent);
      if (match === undefined) return undefined;
      if (typeof match === "number") output.push(match);
      else {
        if (match.offset > output.length || match.length > end - output.length) return undefined;
        for (let left = match.length; left > 0; left--) output.push(output[output.length - match.offset]!);
      }
    }
  }
  return undoCalls(Uint8Array.from(output));
}

function readLengths(bits: SlowBits, lengths: number[], from: number, to: number): boolean {
  const code = SlowCode.of(Array.from({ length: 20 }, () => bits.read(4)));
  if (code === undefined) return false;
  for (let i = from; i < to; ) {
    const symbol = code.decode(bits);
    if (symbol === undefined) return false;
    let run = 1;
    let value = (lengths[i]! + 17 - symbol) % 17;
    if (symbol === 17) [run, value] = [4 + bits.read(4), 0];
    else if (symbol === 18) [run, value] = [20 + bits.read(5), 0];
    else if (symbol === 19) {
      run = 4 + bits.read(1);
      const delta = code.decode(bits);
      if (delta === undefined || delta > 17) return false;
      value = (lengths[i]! + 17 - delta) % 17;
    }
    if (i + run > to) return false;
    for (; run > 0; run--) lengths[i++] = value;
  }
  return true;
}

function readItem(bits: SlowBits, codes: { main: SlowCode; length: SlowCode; aligned: SlowCode | undefined }, recent: number[]): number | { offset: number; length: number } | undefined {
  const symbol = codes.main.decode(bits);
  if (symbol === undefined || symbol < 256) return symbol;
  let length = symbol % 8;
  if (length === 7) {
    const more = codes.length.decode(bits);
    if (more === undefined) return undefined;
    length += more;
  }
  const slot = Math.floor((symbol - 256) / 8);
  if (slot < 3) {
    const offset = recent[slot]!;
    recent[slot] = recent[0]!;
    recent[0] = offset;
    return { offset, length: length + 2 };
  }
  let base = 0;
  for (let i = 0; i < slot; i++) base += 2 ** extraOf(i);
  let extra = extraOf(slot);
  let offset = base - 2;
  if (codes.aligned !== undefined && extra >= 3) {
    extra -= 3;
    offset += 8 * bits.read(extra);
    const low = codes.aligned.decode(bits);
    if (low === undefined) return undefined;
    offset += low;
  } else offset += bits.read(extra);
  recent.unshift(offset);
  recent.pop();
  return { offset, length: length + 2 };
}

function extraOf(slot: number): number {
  return slot < 4 ? 0 : Math.min(Math.floor(slot / 2) - 1, 17);
}

function undoCalls(data: Uint8Array): Uint8Array {
  const view = Buffer.from(data);
  for (let i = 0; i < view.length - 10; i++) {
    if (view[i] !== 0xe8) continue;
    const target = view.readInt32LE(i + 1);
    if (target >= -i && target < 12_000_000) view.writeInt32LE(target >= 0 ? target - i : target + 12_000_000, i + 1);
    i += 4;
  }
  return view;
}
