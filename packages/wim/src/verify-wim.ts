import { verifyBlobs } from "./entry-data.ts";
import { WimError, type WimErrorCode } from "./error.ts";
import { verifyIntegrity, type VerifyOptions } from "./integrity.ts";
import { withHasher, type ResourceHasher } from "./resource-hasher.ts";
import { unsafeNames, type NameTarget, type UnsafeNameReason } from "./unsafe-names.ts";
import type { AnyWim } from "./wim-file.ts";

/** A name that is no damage, and must not be laid down all the same. */
export interface NameFinding {
  readonly image: number;
  readonly path: string;
  readonly reason: UnsafeNameReason;
  /** Where it cannot be laid down: nowhere, or on Windows only. */
  readonly target: NameTarget;
}

export interface WimVerification {
  /** Of all parts; missing: none of them has a table. */
  readonly integrity: "good" | "missing" | "bad";
  /** What is damaged or missing; none: the WIM is whole. */
  readonly damage: readonly { readonly code: WimErrorCode; readonly message: string }[];
  readonly names: readonly NameFinding[];
  readonly images: number;
  readonly blobs: number;
}

/**
 * Tells integrity and safety apart. Damage: a span that does not fit the integrity table, data without their SHA-1, data that
 * are missing: what wimlib's verify refuses. Findings: names that would leave a folder or that Windows cannot hold.
 */
export async function verifyWim(wim: AnyWim, options: VerifyOptions = {}): Promise<WimVerification> {
  const bytes = [...wim.blobs.values()].reduce((sum, { resource }) => sum + resource.size, 0);
  return await withHasher(options, bytes, async (hasher) => await verifyWith(wim, { ...options, hasher }));
}

async function verifyWith(wim: AnyWim, options: VerifyOptions & { readonly hasher: ResourceHasher }): Promise<WimVerification> {
  const damage: { code: WimErrorCode; message: string }[] = [];
  const attempt = async (check: () => Promise<void>): Promise<boolean> => {
    try {
      await check();
      return true;
    } catch (error) {
      if (!(error instanceof WimError)) throw error;
      damage.push({ code: error.code, message: error.message });
      return false;
    }
  };
  const covered = wim.parts.filter((part) => part.integrity !== undefined);
  for (const part of covered) await attempt(() => verifyIntegrity(part, options));
  const whole = damage.length === 0 ? "good" : "bad";
  const integrity = covered.length === 0 ? "missing" : whole;
  const names: NameFinding[] = [];
  let readable = true;
  for (let image = 1; image <= wim.imageCount; image++) {
    options.signal?.throwIfAborted();
    const good = await attempt(async () => {
      const tree = await wim.readImage(image);
      const everywhere = new Set<string>();
      for (const { path, reason } of unsafeNames(tree, "linux")) {
        everywhere.add(path);
        names.push({ image, path, reason, target: "linux" });
      }
      for (const { path, reason } of unsafeNames(tree, "windows")) if (!everywhere.has(path)) names.push({ image, path, reason, target: "windows" });
    });
    readable &&= good;
  }
  if (readable) await attempt(() => verifyBlobs(wim, options));
  return { integrity, damage, names, images: wim.imageCount, blobs: wim.blobs.size };
}
