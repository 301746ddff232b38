import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
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
