import { HuffmanTable } from "./huffman.ts";

const maxLength = 15;
const symbolBits = 10;
const symbolMask = (1 << symbolBits) - 1;

/**
 * An adaptive Huffman code of LZMS: made anew from the counts of its symbols after every `interval` of them, whereupon the
 * counts are halved. Decoder and encoder must come to the same lengths, so ties are broken as the format wants: equal
 * counts by symbol, a leaf before an inner node.
 */
export class LzmsCode {
  readonly table: HuffmanTable;
  /** Symbols left until the code is made anew. */
  left = 0;
  readonly counts: Uint32Array;
  private readonly interval: number;
  private readonly symbols: number;
  private readonly nodes: Uint32Array;
  private readonly lengths: Uint8Array;
  private readonly lengthCounts = new Int32Array(maxLength + 2);

  constructor(symbols: number, interval: number, tableBits: number) {
    this.symbols = symbols;
    this.interval = interval;
    this.table = new HuffmanTable(symbols, tableBits, maxLength);
    this.counts = new Uint32Array(symbols);
    this.nodes = new Uint32Array(symbols);
    this.lengths = new Uint8Array(symbols);
  }

  /** The state every chunk begins with: all symbols equally likely. */
  reset(): void {
    this.counts.fill(1);
    this.build();
  }

  /** Makes the code from the counts, then forgets half of them. */
  rebuild(): void {
    this.build();
    const { counts } = this;
    for (let symbol = 0; symbol < counts.length; symbol++) counts[symbol] = (counts[symbol]! >>> 1) + 1;
  }

  private build(): void {
    this.left = this.interval;
    if (this.symbols < 2) return;
    const { nodes, counts, symbols } = this;
    for (let symbol = 0; symbol < symbols; symbol++) nodes[symbol] = (counts[symbol]! << symbolBits) | symbol;
    nodes.sort();
    this.makeTree();
    this.limitLengths();
    const { lengths, lengthCounts } = this;
    for (let length = maxLength, at = 0; length >= 1; length--) {
      for (let left = lengthCounts[length]!; left > 0; left--, at++) lengths[nodes[at]! & symbolMask] = length;
    }
    this.table.build(lengths);
  }

  /** Joins the two rarest nodes until one is left. Inner nodes take the places of leaves already used; each keeps its parent's place. */
  private makeTree(): void {
    const { nodes, symbols } = this;
    let leaf = 0;
    let inner = 0;
    for (let next = 0; next < symbols - 1; next++) {
      const first = leaf < symbols && (inner === next || nodes[leaf]! >>> symbolBits <= nodes[inner]! >>> symbolBits) ? leaf++ : inner++;
      const second = leaf < symbols && (inner === next || nodes[leaf]! >>> symbolBits <= nodes[inner]! >>> symbolBits) ? leaf++ : inner++;
      const sum = (nodes[first]! >>> symbolBits) + (nodes[second]! >>> symbolBits);
      nodes[first] = (nodes[first]! & symbolMask) | (next << symbolBits);
      nodes[second] = (nodes[second]! & symbolMask) | (next << symbolBits);
      nodes[next] = (nodes[next]! & symbolMask) | (sum << symbolBits);
    }
  }

  /** Counts how many codewords have each length, from the root down; what would be too long is hung up higher. */
  private limitLengths(): void {
    const { nodes, lengthCounts, symbols } = this;
    const root = symbols - 2;
    lengthCounts.fill(0);
    lengthCounts[1] = 2;
    nodes[root] = nodes[root]! & symbolMask;
    for (let node = root - 1; node >= 0; node--) {
      const depth = (nodes[nodes[node]! >>> symbolBits]! >>> symbolBits) + 1;
      nodes[node] = (nodes[node]! & symbolMask) | (depth << symbolBits);
      let length = depth;
      if (length >= maxLength) {
        length = maxLength - 1;
        while (lengthCounts[length] === 0) length--;
      }
      lengthCounts[length]!--;
      lengthCounts[length + 1]! += 2;
    }
  }
}
