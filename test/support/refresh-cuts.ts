import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { espType, readPartitionTable } from "@prestage/disk";
import { randomFrom } from "@prestage/lab";
import { refreshDisks, stage, verifyDisk } from "@prestage/staging";
import type { RefreshResult } from "@prestage/staging";
import { makeKeyring, makeMedia } from "../../packages/staging/src/fixtures/make-media.ts";
import type { MadeMedia } from "../../packages/staging/src/fixtures/make-media.ts";
import { VolatileFile } from "./volatile-file.ts";

const name = "disk.img";

/** A disk staged from the older of two media, and the number of writes that bringing it up to the newer takes. */
export interface RefreshCuts { folder: string; staged: string; older: MadeMedia; newer: MadeMedia; writes: number; close(): Promise<void> }

export async function openRefreshCuts(): Promise<RefreshCuts> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-refresh-cuts-"));
  const keyring = makeKeyring();
  for (const one of ["older", "newer", "work"]) await mkdir(join(folder, one));
  const older = await makeMedia(join(folder, "older"), { keyring });
  const newer = await makeMedia(join(folder, "newer"), { keyring, initrd: "j".repeat(400_000), agent: "newer", osTree: { "etc/hostname": "renewed", "usr/bin/tool": "u".repeat(900_000) }, packageTree: { "setup.sh": "#!/bin/sh\n# renewed\n", "data/renewed file.bin": "e".repeat(600_000) } });
  const staged = join(folder, "staged.img");
  await writeFile(staged, "");
  await truncate(staged, 400 << 20);
  const [result] = await stage(older.path, [staged], { espMiB: 80, toolVersion: "0.1.0" });
  assert.equal(result?.outcome, "staged", result?.outcome === "failed" ? result.error.message : "");
  const cuts = { folder, staged, older, newer, writes: 0, close: () => rm(folder, { recursive: true, force: true }) };
  const whole = await refreshVolatile(cuts, 1, undefined);
  assert.equal(whole.result?.outcome, "refreshed", whole.result?.outcome === "failed" ? whole.result.error.message : "");
  await rm(whole.image);
  return { ...cuts, writes: whole.writes };
}

/** Refreshes a copy of the staged disk, whose power is cut right after a write where one is given. */
async function refreshVolatile({ folder, staged, newer }: RefreshCuts, seed: number, cutAfter: number | undefined): Promise<{ image: string; result: RefreshResult | undefined; writes: number; unflushed: number; kept: number }> {
  const image = join(folder, `${seed}.img`);
  await copyFile(staged, image);
  const file = await VolatileFile.open(image, name, seed);
  let result: RefreshResult | undefined;
  try {
    if (cutAfter !== undefined) await file.disk.cutAfterWrites(cutAfter);
    [result] = await refreshDisks([file.path], newer.path, { toolVersion: "0.1.0", workFolder: join(folder, "work") });
  } finally {
    await file.close();
  }
  const end = await file.disk.end;
  return { image, result, writes: end.writes, ...(end.clean ? { unflushed: 0, kept: 0 } : end) };
}

/**
 * Cuts the power at an instant of a refresh drawn from the seed. What starts is the old disk or the new one, whole; what is neither
 * does not start; and the same refresh makes it the new one.
 */
export async function refreshThroughCut(t: TestContext, cuts: RefreshCuts, seed: number): Promise<void> {
  const random = randomFrom(seed);
  let cut: Awaited<ReturnType<typeof refreshVolatile>> & { cutAfter: number };
  let most = cuts.writes - 1;
  // The kernel joins writes as it likes: the refresh may end before the number drawn. Then a smaller one is.
  do {
    const cutAfter = 1 + Math.floor(random() * most);
    cut = { cutAfter, ...(await refreshVolatile(cuts, seed, cutAfter)) };
    most = cutAfter - 1;
  } while (cut.result?.outcome === "refreshed" && most > 0);
  const { image, result, unflushed, kept, cutAfter } = cut;
  const starts = (await readPartitionTable(image)).partitions[0]?.type === espType;
  t.diagnostic(`seed ${seed}: cut at write ${cutAfter} of ${cuts.writes}; ${unflushed} unflushed sectors, ${kept} kept; ${starts ? "starts" : "does not start"}`);
  assert.equal(result?.outcome, "failed", "what could not be read back is not called refreshed");
  if (starts) {
    const { found } = await verifyDisk(image);
    assert.ok([cuts.older.mediaId, cuts.newer.mediaId].includes(found.mediaId));
  } else await assert.rejects(verifyDisk(image), { code: "PRESTAGE_STAGING_NOT_STAGED" });
  const [again] = await refreshDisks([image], cuts.newer.path, { toolVersion: "0.1.0", workFolder: join(cuts.folder, "work") });
  assert.ok(again?.outcome === "refreshed" || (starts && again?.outcome === "current"), again?.outcome === "failed" ? again.error.message : again?.outcome);
  const { found } = await verifyDisk(image);
  assert.equal(found.mediaId, cuts.newer.mediaId);
  await rm(image);
}
