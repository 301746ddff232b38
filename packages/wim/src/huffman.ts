/**
 * Two-level tables of a canonical Huffman code. An entry is `symbol << 5 | length`; a negative one, inverted, is the
 * place of a second-level table that is indexed by the `maxLength - tableBits` bits that follow.
 */
export class HuffmanTable {
  readonly entries: Int32Array;
  readonly tableBits: number;
  readonly maxLength: number;
  private readonly symbolCount: number;
  private readonly sorted: Uint16Array;
  private readonly counts: Int32Array;

  constructor(symbolCount: number, tableBits: number, maxLength: number) {
    this.symbolCount = symbolCount;
    this.tableBits = tableBits;
    this.maxLength = maxLength;
    // A complete code has at least two symbols below every first-level prefix that needs a second level.
    this.entries = new Int32Array((1 << tableBits) + ((symbolCount >> 1) + 1) * (1 << (maxLength - tableBits)));
    this.sorted = new Uint16Array(symbolCount);
    this.counts = new Int32Array(18);
  }

  /**
   * Builds the table from code lengths. A code without symbols is allowed (all its entries are 0: length 0, which the
   * decoder refuses to use); an over- or under-subscribed one returns false.
   */
  build(lengths: Uint8Array): boolean {
    const { counts, sorted, entries, tableBits, maxLength, symbolCount } = this;
    counts.fill(0);
    for (let symbol = 0; symbol < symbolCount; symbol++) counts[lengths[symbol]!]!++;
    let left = 1;
    for (let length = 1; length <= maxLength; length++) {
      left = left * 2 - counts[length]!;
      if (left < 0) return false;
    }
    if (left > 0) {
      entries.fill(0, 0, 1 << tableBits);
      return counts[0] === symbolCount;
    }
    let next = 0;
    for (let length = 1; length <= maxLength; length++) {
      const count = counts[length]!;
      counts[length] = next;
      next += count;
    }
    for (let symbol = 0; symbol < symbolCount; symbol++) {
      const length = lengths[symbol]!;
      if (length !== 0) sorted[counts[length]!++] = symbol;
    }
    let position = 0;
    let index = 0;
    for (; index < next; index++) {
      const symbol = sorted[index]!;
      const length = lengths[symbol]!;
      if (length > tableBits) break;
      const end = position + (1 << (tableBits - length));
      entries.fill((symbol << 5) | length, position, end);
      position = end;
    }
    const base = 1 << tableBits;
    let second = base;
    for (; index < next; index++) {
      const symbol = sorted[index]!;
      const length = lengths[symbol]!;
      const end = second + (1 << (maxLength - length));
      entries.fill((symbol << 5) | length, second, end);
      second = end;
    }
    for (let place = base; position < base; position++, place += 1 << (maxLength - tableBits)) entries[position] = ~place;
    return true;
  }
}
