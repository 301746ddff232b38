import { SlowBits, SlowCode } from "./slow-bits.ts";

/** XPRESS, bit by bit ([MS-XCA] 2.2.4): what the fast decoder is compared with. */
export function slowXpress(input: Uint8Array, size: number): Uint8Array | undefined {
  if (input.length < 256) return undefined;
  const lengths = Array.from({ length: 512 }, (_, i) => (input[i >> 1]! >> (4 * (i & 1))) & 15);
  const code = SlowCode.of(lengths);
  if (code === undefined) return undefined;
  const bits = new SlowBits(input, 256);
  const output: number[] = [];
  while (output.length < size) {
    const symbol = code.decode(bits);
    if (symbol === undefined) return undefined;
    if (symbol < 256) {
      output.push(symbol);
      continue;
    }
    const power = Math.floor((symbol - 256) / 16);
    bits.ensure(16);
    const offset = 2 ** power + bits.read(power);
    let length = symbol % 16;
    if (length === 15) {
      const byte = input[bits.position++];
      if (byte === undefined) return undefined;
      length += byte;
      if (byte === 255) {
        if (bits.position + 2 > input.length) return undefined;
        length = input[bits.position]! + 256 * input[bits.position + 1]!;
        bits.position += 2;
      }
    }
    length += 3;
    if (offset > output.length || output.length + length > size) return undefined;
    for (; length > 0; length--) output.push(output[output.length - offset]!);
  }
  return Uint8Array.from(output);
}
