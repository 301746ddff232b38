/** Where the ranges of an LZMS slot code begin, and how many bits choose inside each. */
export interface SlotTable {
  /** One more than there are slots: the last is where the last slot ends. */
  readonly bases: Int32Array;
  readonly extraBits: Uint8Array;
}

/** How many slots follow each other at distance 1, 2, 4, 8 ...; `end` is where the last one stops. */
function slotTable(runs: readonly number[], end: number): SlotTable {
  const count = runs.reduce((sum, run) => sum + run, 0);
  const bases = new Int32Array(count + 1);
  const extraBits = new Uint8Array(count);
  let slot = 0;
  let base = 0;
  for (const [power, run] of runs.entries()) {
    for (let left = run; left > 0; left--, slot++) {
      base += 2 ** power;
      bases[slot] = base;
      if (slot > 0) extraBits[slot - 1] = power;
    }
  }
  bases[count] = end;
  extraBits[count - 1] = 31 - Math.clz32(end - base);
  return { bases, extraBits };
}

/** Offsets of matches: 799 slots, of which a chunk uses as many as its size needs. */
export const offsetSlots = slotTable([9, 0, 9, 7, 10, 15, 15, 20, 20, 30, 33, 40, 42, 45, 60, 73, 80, 85, 95, 105, 6], 0x7fffffff);
/** Lengths of matches. */
export const lengthSlots = slotTable([27, 4, 6, 4, 5, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1], 0x400108ab);

/** Slots of offsets that can occur in `size` bytes: those up to the slot of size - 1. */
export function offsetSlotCount(size: number): number {
  if (size < 2) return 0;
  let count = 1;
  while (count < offsetSlots.extraBits.length && offsetSlots.bases[count]! <= size - 1) count++;
  return count;
}
