import assert from "node:assert/strict";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { debianImage } from "../../demo/debian-image.ts";
import type { ImportedObject } from "../../demo/factory.ts";
import { runProgram } from "../../demo/program.ts";
import { bytesSent } from "../support/access-log.ts";
import { withDataVolume } from "../support/disk-faults.ts";
import { runToItsEnd, withMachine } from "../support/machines.ts";
import { checkDisk, checkStatus, openDebianFixture } from "../support/power-cuts.ts";
import type { DebianFixture } from "../support/power-cuts.ts";

const limit = { timeout: 40 * 60_000 };
let debian: DebianFixture;
let revised: ImportedObject;

/** The disk is staged with one Debian; then a revision of it is imported: a few files more, other, and gone. */
before(async () => {
  debian = await openDebianFixture("os-image-revised");
  const { folder, site } = debian.fixture;
  const image = join(folder, "revised.wim");
  await copyFile(await debianImage(() => undefined), image);
  await writeFile(join(folder, "issue"), "the revised Debian\n");
  const commands = [`delete /usr/share/common-licenses/GPL-3`, `delete /etc/issue`, `add ${join(folder, "issue")} /etc/issue`, `add ${process.execPath} /usr/local/bin/added`];
  await writeFile(join(folder, "commands"), `${commands.join("\n")}\n`);
  await runProgram("sh", ["-c", 'wimlib-imagex update "$1" 1 --check < "$2"', "sh", image, join(folder, "commands")]);
  revised = await site.run<ImportedObject>(["os-image", "import", image, "--name", "Debian 12", "--index", "1", "--update", debian.osImage.id]);
}, limit);

after(() => debian?.fixture.close());

test("a revised operating system costs what differs from the one on the disk, is applied together with it, and starts", limit, async (t) => {
  const { fixture, staged } = debian;
  const [planned] = (await fixture.site.run<{ objectId: string; state: string }[]>(["media", "plan", staged.receipt.mediaId])).filter((one) => one.objectId === debian.osImage.id);
  assert.equal(planned?.state, "revised");
  await withMachine(t, fixture, "revised", { disk: staged.path }, async (on) => {
    const { status } = await runToItsEnd(fixture, on);
    checkStatus(status);
    const resolved = status.find((message) => message.kind === "content-resolved" && message.content?.objectId === debian.osImage.id)?.content;
    const sent = [...(await bytesSent(fixture.site, revised.contentId)).values()].reduce((sum, bytes) => sum + bytes, 0);
    t.diagnostic(`${sent} bytes fetched of ${resolved?.bytesTotal}; ${resolved?.bytesToFetch} planned`);
    assert.equal(resolved?.state, "revised");
    assert.ok(sent > 0 && sent <= (resolved?.bytesToFetch ?? 0) * 1.1, "no dearer than planned");
  });
  await checkDisk(staged.path);
  await withDataVolume(staged.path, async (reader) => {
    assert.equal((await reader.readFile("etc/issue")).toString(), "the revised Debian\n");
    const paths = new Set<string>();
    for await (const node of reader.walk()) paths.add(node.path);
    assert.deepEqual(["usr/local/bin/added", "usr/share/common-licenses/GPL-3"].map((path) => paths.has(path)), [true, false]);
  });
});
