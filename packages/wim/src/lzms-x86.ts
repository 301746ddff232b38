/** An address used twice within this many bytes is taken for machine code. */
const window = 65535;
/** So many bytes behind such a place are taken for machine code too. */
const reach = 1023;

const lastUses = new Int32Array(65536);

/**
 * Turns the absolute targets of x86 instructions back into relative ones, in place. The filter has no mark in the data:
 * it always runs, and finds machine code by addresses that are used twice. The first byte and the last 16 are never an
 * opcode.
 */
export function undoX86(data: Uint8Array): void {
  if (data.length <= 17) return;
  lastUses.fill(-window - 1);
  const end = data.length - 16;
  let lastCode = -reach - 1;
  for (let i = 1; i < end; i++) {
    let opcode = 0;
    let most = reach;
    switch (data[i]!) {
      case 0x48: opcode = isLoad(data[i + 1]!, data[i + 2]!) ? 3 : 0; break;
      case 0x4c: opcode = data[i + 1] === 0x8d && (data[i + 2]! & 7) === 5 ? 3 : 0; break;
      case 0xe8:
        // A single byte says little: calls are translated only nearer to known code.
        opcode = 1;
        most = reach >> 1;
        break;
      case 0xe9: i += 4; break;
      case 0xf0: opcode = data[i + 1] === 0x83 && data[i + 2] === 5 ? 3 : 0; break;
      case 0xff: opcode = data[i + 1] === 0x15 ? 2 : 0; break;
    }
    if (opcode === 0) continue;
    const at = i + opcode;
    if (i - lastCode <= most) subtract(data, at, i);
    const target = (i + (data[at]! | (data[at + 1]! << 8))) & 0xffff;
    i = at + 3;
    if (i - lastUses[target]! <= window) lastCode = i;
    lastUses[target] = i;
  }
}

/** mov or lea with an address relative to the instruction (x86-64). */
function isLoad(second: number, third: number): boolean {
  if (second === 0x8b) return third === 5 || third === 13;
  return second === 0x8d && (third & 7) === 5;
}

/** Subtracts from a 32-bit little-endian number. */
function subtract(data: Uint8Array, at: number, amount: number): void {
  const value = (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) - amount;
  data[at] = value;
  data[at + 1] = value >> 8;
  data[at + 2] = value >> 16;
  data[at + 3] = value >> 24;
}
