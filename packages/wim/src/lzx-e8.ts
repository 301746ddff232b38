const fileSize = 12_000_000;

/** Turns the absolute targets of x86 calls (0xE8) back into relative ones, in place, over a whole chunk but its last 10 bytes. */
export function undoE8(data: Uint8Array): void {
  const end = data.length - 10;
  let position = end > 0 ? data.indexOf(0xe8) : -1;
  while (position >= 0 && position < end) {
    const target = data[position + 1]! | (data[position + 2]! << 8) | (data[position + 3]! << 16) | (data[position + 4]! << 24);
    if (target >= 0 ? target < fileSize : target >= -position) {
      const relative = target >= 0 ? target - position : target + fileSize;
      data[position + 1] = relative;
      data[position + 2] = relative >> 8;
      data[position + 3] = relative >> 16;
      data[position + 4] = relative >> 24;
    }
    position = data.indexOf(0xe8, position + 5);
  }
}
