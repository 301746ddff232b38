/** Bits of 16-bit little-endian units, highest first, from the front or the back of the input; zeros past the end. Slow and plain. */
export class SlowBits {
  private readonly input: Uint8Array;
  private readonly backward: boolean;
  /** Where the next unit lies, counted from where reading began. */
  position: number;
  bits: number[] = [];

  constructor(input: Uint8Array, position = 0, backward = false) {
    this.input = input;
    this.position = position;
    this.backward = backward;
  }

  /** Reads units until there are `count` bits. */
  ensure(count: number): void {
    while (this.bits.length < count) {
      const at = this.backward ? this.input.length - this.position - 2 : this.position;
      const inside = at >= 0 && at + 2 <= this.input.length;
      const unit = inside ? this.input[at]! + 256 * this.input[at + 1]! : 0;
      for (let bit = 15; bit >= 0; bit--) this.bits.push(Math.floor(unit / 2 ** bit) % 2);
      this.position += 2;
    }
  }

  read(count: number): number {
    this.ensure(count);
    let value = 0;
    for (let i = 0; i < count; i++) value = value * 2 + this.bits.shift()!;
    return value;
  }
}

/** A canonical Huffman code as a list of codewords. undefined: over- or under-subscribed. A code without symbols decodes nothing. */
export class SlowCode {
  private readonly words = new Map<string, number>();

  static of(lengths: ArrayLike<number>): SlowCode | undefined {
    const all = Array.from(lengths, (length, symbol) => ({ length, symbol })).filter(({ length }) => length > 0).sort((a, b) => a.length - b.length || a.symbol - b.symbol);
    const sum = all.reduce((total, { length }) => total + 2 ** -length, 0);
    if (all.length > 0 && sum !== 1) return undefined;
    const made = new SlowCode();
    let code = 0;
    let before = 0;
    for (const { length, symbol } of all) {
      code *= 2 ** (length - before);
      made.words.set(code.toString(2).padStart(length, "0"), symbol);
      code++;
      before = length;
    }
    return made;
  }

  decode(bits: SlowBits): number | undefined {
    bits.ensure(16);
    let word = "";
    for (let i = 0; i < 16; i++) {
      word += String(bits.bits[i]);
      const symbol = this.words.get(word);
      if (symbol === undefined) continue;
      bits.bits.splice(0, word.length);
      return symbol;
    }
    return undefined;
  }
}
