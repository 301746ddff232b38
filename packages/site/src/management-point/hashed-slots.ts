import { createHmac, randomBytes } from "node:crypto";

/** Two places in a table of fixed size for any text, by a secret of this process: nobody outside can choose to share another's places. */
export class HashedSlots {
  readonly #secret = randomBytes(16);
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  of(text: string): readonly [number, number] {
    const digest = createHmac("sha256", this.#secret).update(text).digest();
    return [digest.readUInt32LE(0) % this.#size, digest.readUInt32LE(4) % this.#size];
  }
}
