import assert from "node:assert/strict";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readPartitionTable } from "@prestage/disk";
import { randomFrom } from "@prestage/lab";
import { stage, verifyDisk } from "@prestage/staging";
import type { StageResult } from "@prestage/staging";
import { makeMedia } from "../../packages/staging/src/fixtures/make-media.ts";
import { VolatileFile } from "./volatile-file.ts";

const name = "disk.img";

/** A media and the number of writes staging it takes. */
export interface StagingCuts { folder: string; media: string; writes: number; close(): Promise<void> }

export async function openStagingCuts(): Promise<StagingCuts> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-staging-cuts-"));
  const { path: media } = await makeMedia(folder);
  const whole = await stageVolatile(folder, media, 1, undefined);
  assert.equal(whole.result?.outcome, "staged", whole.result?.outcome === "failed" ? whole.result.error.message : "");
  return { folder, media, writes: whole.writes, close: () => rm(folder, { recursive: true, force: true }) };
}

/** Stages a bare disk whose power is cut right after a write, where one is given. */
async function stageVolatile(folder: string, media: string, seed: number, cutAfter: number | undefined): Promise<{ image: string; result: StageResult | undefined; writes: number; unflushed: number; kept: number }> {
  const image = join(folder, `${seed}.img`);
  await writeFile(image, "");
  await truncate(image, 400 << 20);
  const file = await VolatileFile.open(image, name, seed);
  let result: StageResult | undefined;
  try {
    if (cutAfter !== undefined) await file.disk.cutAfterWrites(cutAfter);
    [result] = await stage(media, [file.path], { espMiB: 80, toolVersion: "0.1.0", workFolder: folder });
  } finally {
    await file.close();
  }
  const end = await file.disk.end;
  return { image, result, writes: end.writes, ...(end.clean ? { unflushed: 0, kept: 0 } : end) };
}

/**
 * Cuts the power at an instant of staging drawn from the seed. What is left is no staged disk, or a whole one; and staging it
 * once more makes it one.
 */
export async function stageThroughCut(t: TestContext, { folder, media, writes }: StagingCuts, seed: number): Promise<void> {
  const random = randomFrom(seed);
  let cut: Awaited<ReturnType<typeof stageVolatile>> & { cutAfter: number };
  let most = writes - 1;
  // The kernel joins writes as it likes: staging may end before the number drawn. Then a smaller one is.
  do {
    const cutAfter = 1 + Math.floor(random() * most);
    cut = { cutAfter, ...(await stageVolatile(folder, media, seed, cutAfter)) };
    most = cutAfter - 1;
  } while (cut.result?.outcome === "staged" && most > 0);
  const { image, result, unflushed, kept, cutAfter } = cut;
  t.diagnostic(`seed ${seed}: cut at write ${cutAfter} of ${writes}; ${unflushed} unflushed sectors, ${kept} kept`);
  assert.ok(unflushed > 0, "a cut has something to lose");
  assert.equal(result?.outcome, "failed", "what could not be read back is not called staged");
  const starts = await readPartitionTable(image).then(() => true, () => false);
  // The table comes last: where it is there, everything before it is on the disk.
  if (starts) await verifyDisk(image);
  const [again] = await stage(media, [image], { espMiB: 80, toolVersion: "0.1.0", workFolder: folder, wipe: [`${seed}.img`] });
  assert.equal(again?.outcome, "staged", again?.outcome === "failed" ? again.error.message : "");
  await verifyDisk(image);
  await rm(image);
}
