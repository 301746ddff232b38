import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeSettings } from "@prestage/disk";
import { agentServiceSettings, serviceFiles } from "../steps/agent-service.ts";
import { cleanUp } from "./clean-up.ts";

test("the clean-up leaves nothing of the deployment but the boot chain, from wherever an earlier one was cut", async () => {
  for (const left of ["all", "renamed", "no /prestage"]) {
    const root = await mkdtemp(join(tmpdir(), "prestage-clean-"));
    try {
      const espRoot = join(root, "boot/efi");
      await mkdir(join(espRoot, "prestage"), { recursive: true });
      for (const name of ["vmlinuz", "initrd", "boot.env"]) await writeFile(join(espRoot, "prestage", name), "x");
      await writeSettings(root, agentServiceSettings());
      assert.equal((await readdir(join(root, "etc/systemd/system/multi-user.target.wants"))).length, 2);
      if (left === "all") await mkdir(join(root, "prestage/content"), { recursive: true });
      if (left !== "no /prestage") await mkdir(join(root, ".prestage-removed/content"), { recursive: true });
      const log: string[] = [];
      await cleanUp({ dataRoot: root, espRoot, log: (line) => void log.push(line) });
      assert.deepEqual(await readdir(root), ["boot", "etc"]);
      assert.deepEqual(await readdir(join(espRoot, "prestage")), ["boot.env"]);
      assert.deepEqual(await readdir(join(root, "etc/systemd/system"), { recursive: true }), ["multi-user.target.wants"]);
      assert.deepEqual(log, []);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }
});

test("the clean-up service removes exactly the files both services consist of", () => {
  const settings = agentServiceSettings();
  assert.deepEqual(settings.map((change) => change.path).sort(), [...serviceFiles].sort());
  const unit = settings.find((change) => change.path.endsWith("system/prestage-clean-up.service"));
  assert.ok(unit?.kind === "file");
  for (const path of serviceFiles) assert.ok(unit.content.includes(`/${path}`));
});

test("captured users' files that no step has removed are kept, beside those of an earlier deployment; an empty store is not", async () => {
  const root = await mkdtemp(join(tmpdir(), "prestage-clean-"));
  try {
    const clean = async () => {
      const log: string[] = [];
      await cleanUp({ dataRoot: root, espRoot: join(root, "boot/efi"), log: (line) => void log.push(line) });
      return log.filter((line) => line.includes("captured"));
    };
    await mkdir(join(root, "boot/efi/prestage"), { recursive: true });
    const kept = join(root, "var/lib/prestage");
    for (const deployment of ["first", "second", "third"]) {
      await mkdir(join(root, "prestage/user-state"), { recursive: true, mode: 0o755 });
      await mkdir(join(root, "prestage/content"));
      await writeFile(join(root, "prestage/user-state/user-state.json"), deployment);
      await writeFile(join(root, "prestage/user-state/user-state.wim"), deployment);
      assert.equal((await clean()).at(-1), "captured users' files are kept in /var/lib/prestage/user-state");
    }
    assert.deepEqual((await readdir(root)).toSorted(), ["boot", "var"]);
    assert.deepEqual((await readdir(kept)).toSorted(), ["user-state", "user-state.1", "user-state.2"]);
    assert.deepEqual(await Promise.all(["user-state.1", "user-state.2", "user-state"].map((name) => readFile(join(kept, name, "user-state.wim"), "utf8"))), ["first", "second", "third"]);
    for (const folder of [kept, join(kept, "user-state")]) assert.equal((await stat(folder)).mode & 0o777, 0o700);
    // Cut after the rename, and a store whose capture was released.
    await mkdir(join(root, "prestage/user-state"), { recursive: true });
    assert.deepEqual(await clean(), []);
    assert.deepEqual((await readdir(kept)).toSorted(), ["user-state", "user-state.1", "user-state.2"]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
