import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildBootImage } from "@prestage/boot-image";
import { bootDisk } from "@prestage/lab";
import { build } from "esbuild";

// Makes docs/screenshots/boot-*.png: the real boot environment in a virtual machine, with the gallery of screens in the agent's place.
const run = promisify(execFile);
const folder = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));
const work = await mkdtemp(join(tmpdir(), "prestage-screenshots-"));
try {
  const agentBundle = join(work, "agent.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("screen-gallery.ts", import.meta.url))], outfile: agentBundle, bundle: true, platform: "node", format: "esm", target: "node24", logLevel: "silent",
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  const image = join(work, "boot.wim");
  await buildBootImage({ profile: "virtual", keyring: Buffer.from("{}"), agentBundle, nodeBinary: process.execPath, output: image, cacheDir: process.env["PRESTAGE_CACHE"] ?? join(tmpdir(), "prestage-cache") });
  const files = join(work, "files");
  await mkdir(files);
  await run("wimlib-imagex", ["apply", image, "1", files]);
  const disk = join(work, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, 256 * 1024 * 1024);
  await run("mkfs.fat", ["-F", "32", disk]);
  await run("mcopy", ["-s", "-i", disk, join(files, "EFI"), join(files, "prestage"), "::"]);
  const machine = await bootDisk({ disk, workDir: join(work, "machine"), network: "none", secureBoot: true });
  try {
    for (let since = 0, count = 0; ; count++) {
      const found = await machine.serial.waitFor(/@@prestage gallery \{"picture":"([a-z-]+)"(?:,"loaded":(\w+))?\}/, { since });
      since = machine.serial.mark();
      const picture = found[1] ?? "";
      if (picture === "end") {
        process.stdout.write(`${count} screenshots in ${folder}\n`);
        break;
      }
      if (found[2] !== "true") throw new Error(`Expected the keyboard layout to be loaded at ${picture}; it was not.`);
      await machine.screenshot(join(work, `boot-${picture}.png`));
      await keep(picture);
    }
  } finally {
    await machine.powerOff();
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

/** QEMU's pictures of a console are small; one that is not shows something else. */
async function keep(picture: string): Promise<void> {
  const source = join(work, `boot-${picture}.png`);
  const { size } = await stat(source);
  if (size > 60_000) throw new Error(`Expected at most 60,000 bytes for ${picture}; found ${size}.`);
  await copyFile(source, join(folder, `boot-${picture}.png`));
}
