import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDepotFile } from "@prestage/trust";
import { defaultDepotKeyPath, depotFilePath, loadDepot, makeDepotKey } from "./depot-key.ts";

const folder = await mkdtemp(join(tmpdir(), "prestage-depot-key-"));
after(() => rm(folder, { recursive: true }));

test("a depot's key is made once, readable by its owner alone, its public half beside it", async () => {
  const path = join(folder, "config/prestage/depot-key.pem");
  const file = await makeDepotKey(path, "Depot 3");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(openDepotFile(await readFile(depotFilePath(path))), file);
  assert.equal((await readFile(depotFilePath(path))).includes("PRIVATE"), false);
  const depot = await loadDepot(path);
  assert.deepEqual([depot?.name, depot?.key.public.keyId], ["Depot 3", file.keyId]);
  const before = await readFile(path);
  await assert.rejects(makeDepotKey(path, "Again"), { code: "PRESTAGE_STAGING_DEPOT_KEY" });
  assert.deepEqual(await readFile(path), before);
});

test("no key is no depot; one others can read, a damaged one and one beside another's public half are refused", async () => {
  assert.equal(await loadDepot(join(folder, "none.pem")), undefined);
  const [path, other] = [join(folder, "a.pem"), join(folder, "b.pem")];
  await makeDepotKey(path, "A");
  await makeDepotKey(other, "B");
  await chmod(path, 0o644);
  await assert.rejects(loadDepot(path), { code: "PRESTAGE_STAGING_DEPOT_KEY", message: /chmod 600/ });
  await chmod(path, 0o600);
  await writeFile(depotFilePath(path), await readFile(depotFilePath(other)));
  await assert.rejects(loadDepot(path), { code: "PRESTAGE_STAGING_DEPOT_KEY", message: /another key/ });
  await rm(depotFilePath(path));
  assert.match((await loadDepot(path))?.name ?? "", /^depot [0-9a-f]{8}$/);
  await writeFile(path, "-----BEGIN PRIVATE KEY-----\n");
  await assert.rejects(loadDepot(path), { code: "PRESTAGE_TRUST_KEY_MALFORMED" });
});

test("the key lies where PRESTAGE_DEPOT_KEY says, else in the user's configuration folder", () => {
  assert.equal(defaultDepotKeyPath({ PRESTAGE_DEPOT_KEY: "/k.pem", XDG_CONFIG_HOME: "/c" }), "/k.pem");
  assert.equal(defaultDepotKeyPath({ XDG_CONFIG_HOME: "/c" }), "/c/prestage/depot-key.pem");
  assert.equal(defaultDepotKeyPath({ XDG_CONFIG_HOME: "relative" }), join(homedir(), ".config/prestage/depot-key.pem"));
});
