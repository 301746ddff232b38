/** A disk below the cache. */
export interface BackingDisk {
  readonly size: number;
  read(offset: number, target: Uint8Array): void;
  write(offset: number, data: Uint8Array): void;
}

const sectorSize = 512;
const pageSize = 4096;

interface Page {
  data: Uint8Array;
  /** One bit for each sector that was written and not flushed. */
  dirty: number;
}

/**
 * A disk's volatile write cache: writes reach the disk when they are flushed. When the power is cut each unflushed
 * sector of 512 bytes is on the disk or is not, at random from a seed. Killing an emulator on a plain file loses
 * nothing the guest has issued, and so proves nothing.
 */
export class VolatileCache {
  readonly #disk: BackingDisk;
  readonly #pages = new Map<number, Page>();
  readonly #random: () => number;

  constructor(disk: BackingDisk, seed: number) {
    this.#disk = disk;
    this.#random = randomFrom(seed);
  }

  read(offset: number, length: number): Uint8Array {
    this.#check(offset, length);
    const target = new Uint8Array(length);
    this.#disk.read(offset, target);
    for (let sector = offset / sectorSize; sector < (offset + length) / sectorSize; sector++) {
      const page = this.#pages.get(Math.floor(sector / 8));
      if (page === undefined || (page.dirty & (1 << (sector % 8))) === 0) continue;
      const at = (sector % 8) * sectorSize;
      target.set(page.data.subarray(at, at + sectorSize), sector * sectorSize - offset);
    }
    return target;
  }

  write(offset: number, data: Uint8Array): void {
    this.#check(offset, data.length);
    for (let at = 0; at < data.length; at += sectorSize) {
      const sector = (offset + at) / sectorSize;
      const number = Math.floor(sector / 8);
      let page = this.#pages.get(number);
      if (page === undefined) {
        page = { data: new Uint8Array(pageSize), dirty: 0 };
        this.#pages.set(number, page);
      }
      page.data.set(data.subarray(at, at + sectorSize), (sector % 8) * sectorSize);
      page.dirty |= 1 << (sector % 8);
    }
  }

  /** Puts everything written so far on the disk. */
  flush(): void {
    this.#empty(() => true);
  }

  /** What a power cut leaves: each unflushed sector is kept with a chance of one half. */
  cut(): { unflushed: number; kept: number } {
    let unflushed = 0;
    let kept = 0;
    this.#empty(() => {
      unflushed += 1;
      if (this.#random() >= 0.5) return false;
      kept += 1;
      return true;
    });
    return { unflushed, kept };
  }

  #empty(keep: () => boolean): void {
    for (const [number, page] of this.#pages) {
      for (let index = 0; index < 8; index++) {
        if ((page.dirty & (1 << index)) === 0 || !keep()) continue;
        this.#disk.write(number * pageSize + index * sectorSize, page.data.subarray(index * sectorSize, (index + 1) * sectorSize));
      }
    }
    this.#pages.clear();
  }

  #check(offset: number, length: number): void {
    if (offset % sectorSize !== 0 || length % sectorSize !== 0 || offset < 0 || offset + length > this.#disk.size) throw new RangeError(`Access of ${length} bytes at ${offset} is not on whole sectors of the disk.`);
  }
}

/** The same numbers from the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}
