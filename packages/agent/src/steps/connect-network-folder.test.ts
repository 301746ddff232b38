import assert from "node:assert/strict";
import { access, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import { connectNetworkFolderStep } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { Journal } from "../journal/journal.ts";
import { runSequence } from "../run/run-sequence.ts";
import { credentialsFile } from "./connect-network-folder.ts";
import { disconnectFolders, foldersRoot, mountedPlaces, placeOfFolder } from "./network-folders.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const secret = "a password, with=signs";

test("a server that is not there is told by its code; the password is in no argument, message or file afterwards", async () => {
  const settings = { path: "\\\\127.0.0.1\\none such", account: "EXAMPLE\\reader", password: { secret: "READER" }, variable: "Folder" };
  const fixture = await makeRunFixture([{ type: "connect-network-folder", with: settings, continueOnError: true }, { type: "connect-network-folder", with: { ...settings, password: secret } }]);
  const context = await fixture.context({ environment: "installed", secrets: { open: async () => ({ READER: secret }) } });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine }), { result: "failed" });
  await context.status.flush();
  const finished = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.deepEqual(finished.map((message) => message.error?.code), ["PRESTAGE_AGENT_FOLDER_UNREACHABLE", "PRESTAGE_AGENT_STEP_INVALID"]);
  assert.ok(![JSON.stringify(fixture.kept), ...fixture.logged, ...fixture.events].join("\n").includes(secret));
  assert.ok(!(await readdir(foldersRoot)).includes("credentials"));
});

test("a folder that is mounted stays so and its variable is set; every folder is let go at the end", async () => {
  const path = "//files.example.org/drawings of prestage";
  const place = placeOfFolder(path);
  await mkdir(place, { recursive: true });
  await runProgram("mount", ["-t", "tmpfs", path, place]);
  try {
    const fixture = await makeRunFixture([{ type: "connect-network-folder", with: { path: path.replaceAll("/", "\\"), variable: "Drawings" } }, { type: "run-command-line", with: { command: "exit 1" } }]);
    await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine });
    const events = (await Journal.open(join(fixture.folder, "prestage/state/journal"))).events;
    assert.deepEqual(events.flatMap((event) => (event.kind === "variable-set" ? [[event.name, event.value]] : [])), [["Drawings", place]]);
  } finally {
    await runProgram("umount", [place]);
  }
  const root = await mkdtemp(join(tmpdir(), "prestage-folders-"));
  try {
    await mkdir(join(root, "folder"));
    await runProgram("mount", ["-t", "tmpfs", "//a/b", join(root, "folder")]);
    await disconnectFolders(root);
    assert.equal((await mountedPlaces()).has(join(root, "folder")), false);
    await assert.rejects(access(root), { code: "ENOENT" });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test("paths of SMB and NFS are understood; what could be an option of mount is refused", () => {
  const parse = (path: string, more: object = {}) => connectNetworkFolderStep.settings.safeParse({ path, variable: "V", ...more });
  assert.deepEqual(["\\\\srv\\share\\sub", "//srv/share/", "srv.example.org:/export/a b", "10.0.0.1:/"].map((path) => parse(path).data?.path), ["//srv/share/sub", "//srv/share", "srv.example.org:/export/a b", "10.0.0.1:/"]);
  for (const path of ["//srv", "srv", "-o:/x", "//srv/../etc", "srv:/a/../b", "//srv/a,b", "//srv/a\nb", "/etc", "srv:x"]) assert.equal(parse(path).success, false, path);
  assert.equal(parse("srv:/x", { account: "a", password: { secret: "A" } }).success, false);
  assert.equal(parse("//srv/x", { account: "a" }).success, false);
  assert.equal(credentialsFile("EXAMPLE\\reader", secret), `username=reader\npassword=${secret}\ndomain=EXAMPLE\n`);
  assert.equal(credentialsFile("reader@example.org", "x"), "username=reader@example.org\npassword=x\n");
  assert.throws(() => credentialsFile("reader", "x\ndomain=OTHER"), { code: "PRESTAGE_AGENT_STEP_INVALID" });
});
