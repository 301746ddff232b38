import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { canonicalJson } from "@prestage/trust";
import type { SigningKey } from "@prestage/trust";
import { buildWim, openWimFile } from "@prestage/wim";
import type { WimFile, WimSource } from "@prestage/wim";
import { syncPath } from "../durable-files.ts";
import { ContentError } from "../error.ts";
import type { ContentLibrary } from "../library/content-library.ts";
import { filesToPublish } from "../library/publish-version.ts";
import type { ExportedObject } from "./export-manifest.ts";
import { emptySeal, findSeal, hashAround, makeSeal } from "./export-seal.ts";

export interface ExportInput {
  library: ContentLibrary;
  siteCode: string;
  /** Every keyring of the site, from the first to the present one: who trusts an older one can follow. */
  keyringChain: readonly Uint8Array[];
  /** Those others depend on before them. */
  objects: readonly ExportedObject[];
  /** Of the media role. */
  key: SigningKey;
  output: string;
}
export interface TransferOptions { signal?: AbortSignal; onProgress?: (event: { phase: string; done: number; total: number }) => void }

/**
 * Writes content versions with the patches to them into one signed file, a WIM: content/ID/..., keyrings/N.dsse.json, export.json. The same content
 * gives the same bytes. It takes its name when it is whole.
 * @throws ContentError PRESTAGE_CONTENT_NOT_FOUND, PRESTAGE_CONTENT_EXPORT_EXISTS
 */
export async function exportContent(input: ExportInput, options: TransferOptions = {}): Promise<{ size: number; versions: number }> {
  if (await stat(input.output).then(() => true, () => false)) throw new ContentError("PRESTAGE_CONTENT_EXPORT_EXISTS", `Expected no file at ${input.output}; found one. Remove it or choose another name.`);
  const unsigned = join(dirname(input.output), `.${basename(input.output)}.unsigned-${process.pid}`);
  const opened: WimFile[] = [];
  const held: { release: () => void }[] = [];
  try {
    const ids = [...new Set(input.objects.map((object) => object.contentId))].sort();
    const sources: WimSource[] = [bytes("export.json", canonicalJson({ format: "prestage-content-export-v1", objects: input.objects })), folder("keyrings"), folder("content")];
    for (const [i, keyring] of input.keyringChain.entries()) sources.push(bytes(`keyrings/${i + 1}.dsse.json`, keyring));
    for (const id of ids) {
      held.push(await input.library.holdWhole(id, options.signal));
      sources.push(...(await versionSources(input.library, id, opened)));
    }
    const seal = emptySeal(input.siteCode, input.key);
    await buildWim({ guid: Buffer.from((ids[0] ?? "").slice(0, 32), "hex"), time: 0n, images: [{ name: "content", description: seal, sources }] }, unsigned, options);
    const size = await putSeal(unsigned, seal, input, options);
    await rename(unsigned, input.output);
    await syncPath(dirname(input.output));
    return { size, versions: ids.length };
  } finally {
    for (const wim of opened) await wim.close();
    for (const version of held) version.release();
    await rm(unsigned, { force: true });
  }
}

async function versionSources(library: ContentLibrary, contentId: string, opened: WimFile[]): Promise<WimSource[]> {
  const { wimPath } = await library.open(contentId);
  const wim = await openWimFile(wimPath);
  opened.push(wim);
  const files = await filesToPublish(library, contentId);
  return [folder(`content/${contentId}`), ...files.map(({ name, path, size }): WimSource => ({ kind: "file", destination: `content/${contentId}/${name}`, from: { path }, size, unix: plainFile, ...(name === "content.wim" && { wim }) }))];
}

async function putSeal(path: string, empty: string, { siteCode, key }: ExportInput, options: TransferOptions): Promise<number> {
  const wim = await openWimFile(path);
  const { xml } = wim.header;
  await wim.close();
  const file = await open(path, "r+");
  try {
    const text = Buffer.alloc(xml.storedSize);
    await file.read(text, 0, text.length, xml.offset);
    const place = findSeal(text, xml.offset, empty);
    const sha256 = await hashAround(file, place, { ...(options.signal && { signal: options.signal }), onBytes: (done, total) => options.onProgress?.({ phase: "seal", done, total }) });
    const seal = Buffer.from(makeSeal({ format: "prestage-content-export-v1", siteCode, sha256 }, key), "utf16le");
    if (seal.length !== place.end - place.start) throw new RangeError("a seal has one length");
    await file.write(seal, 0, seal.length, place.start);
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

const plainFile = { uid: 0, gid: 0, mode: 0o100644, rdev: 0 };
function bytes(destination: string, value: Uint8Array): WimSource {
  return { kind: "file", destination, from: { bytes: value }, size: value.length, unix: plainFile };
}
function folder(destination: string): WimSource {
  return { kind: "directory", destination, unix: { uid: 0, gid: 0, mode: 0o040755, rdev: 0 } };
}
