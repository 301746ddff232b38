import { createReadStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { zstdDecompress, gunzip } from "node:zlib";
import { runProgram } from "./program.ts";

/** Something that must be nowhere; `name` is what a finding says of it, never its bytes. */
export interface Secret { name: string; bytes: Buffer }
export interface SecretFinding { secret: string; where: string; encoding: string }

/** One byte string to look for. */
interface Needle { secret: string; encoding: string; bytes: Buffer }

/**
 * The ways a secret is looked for: as it is (UTF-8), UTF-16LE, hexadecimal in both cases, base64 and base64url at each of the
 * three places a group of three bytes can begin.
 */
export function needlesOf(secret: Secret): Needle[] {
  const { name, bytes } = secret;
  const text = bytes.toString("utf8");
  const needles: Needle[] = [{ secret: name, encoding: "bytes", bytes }];
  if (Buffer.from(text, "utf8").equals(bytes)) needles.push({ secret: name, encoding: "UTF-16LE", bytes: Buffer.from(text, "utf16le") });
  const hex = bytes.toString("hex");
  needles.push({ secret: name, encoding: "hex", bytes: Buffer.from(hex) }, { secret: name, encoding: "HEX", bytes: Buffer.from(hex.toUpperCase()) });
  for (let shift = 0; shift < 3; shift++) {
    // Characters at either end that hold bits of a neighbour are left out.
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64").replace(/=+$/, "");
    const first = shift === 0 ? 0 : shift + 1;
    const whole = Math.floor(((shift + bytes.length) * 8) / 6);
    const part = encoded.slice(first, whole);
    for (const form of new Set([part, part.replaceAll("+", "-").replaceAll("/", "_")])) needles.push({ secret: name, encoding: "base64", bytes: Buffer.from(form) });
  }
  return needles;
}

const pieceSize = 4 << 20;
const zeros = Buffer.alloc(pieceSize);

/** Looks through bytes as they come; a secret across two pieces is found too. */
export async function searchStream(needles: readonly Needle[], pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, where: string): Promise<SecretFinding[]> {
  const found = new Map<Needle, SecretFinding>();
  const overlap = Math.max(...needles.map((needle) => needle.bytes.length)) - 1;
  let tail = Buffer.alloc(0);
  for await (const piece of pieces) {
    // A disk image is mostly holes.
    const empty = piece.length === zeros.length && zeros.equals(piece);
    const window = Buffer.concat([tail, empty ? piece.subarray(0, overlap) : piece]);
    for (const needle of needles) if (!found.has(needle) && window.includes(needle.bytes)) found.set(needle, { secret: needle.secret, where, encoding: needle.encoding });
    tail = Buffer.from(window.subarray(Math.max(0, window.length - overlap)));
  }
  return [...found.values()];
}

/** Searches a file, or every file below a folder; links are not followed, their targets are searched. */
export async function searchPath(secrets: readonly Secret[], path: string, name = path): Promise<SecretFinding[]> {
  const needles = secrets.flatMap(needlesOf);
  const findings: SecretFinding[] = [];
  for (const file of await filesBelow(path)) {
    const where = file === path ? name : `${name}/${relative(path, file)}`;
    findings.push(...(await searchStream(needles, [Buffer.from(where)], `the name of a file in ${name}`)));
    findings.push(...(await searchStream(needles, createReadStream(file, { highWaterMark: pieceSize }) as AsyncIterable<Buffer>, where)));
  }
  return findings;
}

/**
 * Searches a media as a thief would: the file itself, both images extracted, every nested .wim extracted, every initramfs unpacked.
 */
export async function searchMedia(secrets: readonly Secret[], media: string): Promise<SecretFinding[]> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-search-"));
  try {
    const findings = await searchPath(secrets, media, "media.wim");
    const images = [await extract(media, 1, join(folder, "boot")), await extract(media, 2, join(folder, "data"))];
    for (const [i, image] of images.entries()) findings.push(...(await searchPath(secrets, image, `image ${i + 1}`)));
    for (const image of images) {
      for (const file of await filesBelow(image)) {
        const name = relative(folder, file);
        if (file.endsWith(".wim")) findings.push(...(await searchPath(secrets, await extract(file, 1, join(folder, "nested")), name)));
        if (/(initrd|initramfs)/.test(file)) findings.push(...(await searchInitramfs(secrets, file, name)));
        await rm(join(folder, "nested"), { recursive: true, force: true });
      }
    }
    return findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function extract(wim: string, image: number, folder: string): Promise<string> {
  await runProgram("wimlib-imagex", ["apply", wim, String(image), folder, "--no-acls", "--norpfix"]);
  return folder;
}

/** An initramfs is one or several cpio archives, each plain or compressed: what is compressed is searched decompressed. */
async function searchInitramfs(secrets: readonly Secret[], path: string, name: string): Promise<SecretFinding[]> {
  const bytes = await readFile(path);
  const findings: SecretFinding[] = [];
  const kinds = [{ magic: Buffer.from("28b52ffd", "hex"), decompress: promisify(zstdDecompress) }, { magic: Buffer.from("1f8b08", "hex"), decompress: promisify(gunzip) }];
  let decompressed = 0;
  for (const { magic, decompress } of kinds) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const content = await decompress(bytes.subarray(at)).catch(() => undefined); // the magic occurs by chance too
      if (content === undefined || content.length < 512) continue;
      decompressed++;
      findings.push(...(await searchStream(secrets.flatMap(needlesOf), [content], `${name}, unpacked`)));
      break;
    }
  }
  if (decompressed === 0 && !bytes.includes("070701")) throw new Error(`Expected an initramfs in ${name} that can be unpacked; found none.`);
  return findings;
}

async function filesBelow(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
