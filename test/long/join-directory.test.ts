import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import { alone, runOrKill } from "../../packages/agent/src/fixtures/killed-run.ts";
import type { CutInput, Enter, Hold } from "../../packages/agent/src/fixtures/killed-run.ts";
import type { StepsInput, StepsOutput } from "../../packages/agent/src/fixtures/run-steps.ts";

const administrator = "Adm1n-Passw0rd of the domain";

/** A domain controller, Debian's samba, alone with this computer in a network of its own. $1: folder, $4: its administrator's password. */
const domain = `set -e
# What other tests have mounted is not held here.
for place in $(awk '$1 ~ "^/dev/loop" { print $2 }' /proc/mounts); do umount --lazy "$place"; done
ip link set lo up
hostname dc1
for place in /run /var/lib/samba /var/cache/samba /var/log/samba; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
mkdir -p /run/samba /var/lib/samba/private
samba-tool domain provision --realm=AD.EXAMPLE.TEST --domain=EXAMPLE --server-role=dc --dns-backend=SAMBA_INTERNAL --adminpass="$4" --targetdir="$1/dc" --host-name=dc1 --host-ip=127.0.0.1 --option="interfaces=lo" --option="bind interfaces only=yes" --option="vfs objects=dfs_samba4" > "$1/provision.log" 2>&1 || { tail -n 20 "$1/provision.log"; exit 1; }
echo "127.0.0.1 dc1.ad.example.test dc1" > "$1/hosts"; mount --bind "$1/hosts" /etc/hosts
echo "nameserver 127.0.0.1" > "$1/resolv.conf"; mount --bind "$1/resolv.conf" /etc/resolv.conf
samba --configfile="$1/dc/etc/smb.conf" --foreground --no-process-group > "$1/samba.log" 2>&1 & samba=$!
until adcli info ad.example.test 2>&1 | grep -q "usable = yes"; do kill -0 $samba; done
samba-tool ou add "OU=Branches,DC=ad,DC=example,DC=test" -H "$1/dc/private/sam.ldb" > /dev/null
hostname branch-07
`;

/** $2: node, $3: run-steps.ts, $4: the administrator's password. */
const steps = `${domain}"$2" "$3" "$1/in.json" "$1/out.json" > /dev/null
samba-tool computer show BRANCH-07 -H "$1/dc/private/sam.ldb" --attributes=operatingSystem | grep -E "^(dn|operatingSystem):"
kill $samba`;

test("a computer joins a real Active Directory in the place that is named, once; what the domain refuses is told", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-join-"));
  try {
    const good = { domain: "ad.example.test", organizationalUnit: "LDAP://OU=Branches,DC=ad,DC=example,DC=test", account: "Administrator", password: { secret: "JOIN" } };
    const of = (more: object) => ({ type: "join-directory", with: { ...good, ...more } });
    const input: StepsInput = { steps: [of({ password: { secret: "WRONG" } }), of({ organizationalUnit: "OU=Nowhere,DC=ad,DC=example,DC=test" }), of({}), of({}), of({ account: "nobody" })], secrets: { JOIN: administrator, WRONG: "not it" }, read: ["etc/sssd/sssd.conf", "etc/krb5.conf"] };
    await writeFile(join(folder, "in.json"), JSON.stringify(input));
    const { output } = await runProgram("unshare", ["--net", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", steps, "sh", folder, process.execPath, join(import.meta.dirname, "../../packages/agent/src/fixtures/run-steps.ts"), administrator], { signal: AbortSignal.timeout(240_000) });
    const { outcomes, files, shown } = JSON.parse(await readFile(join(folder, "out.json"), "utf8")) as StepsOutput;
    assert.deepEqual(outcomes.map((one) => one.code ?? one.result), ["PRESTAGE_AGENT_DIRECTORY_JOIN", "PRESTAGE_AGENT_DIRECTORY_JOIN", "succeeded", "succeeded", "succeeded"], JSON.stringify(outcomes));
    assert.match(outcomes[0]?.message ?? "", /Preauthentication failed/);
    assert.equal(output, "dn: CN=BRANCH-07,OU=Branches,DC=ad,DC=example,DC=test\noperatingSystem: Linux\n");
    // The account is asked for nothing once the keytab is good: another name does no harm.
    assert.equal(shown.split("joined to ad.example.test already").length - 1 >= 2, true);
    assert.equal(files["etc/sssd/sssd.conf"]?.mode, 0o600);
    assert.match(files["etc/krb5.conf"]?.text ?? "", /default_realm = AD\.EXAMPLE\.TEST/);
    assert.ok(!shown.includes(administrator) && !JSON.stringify(files).includes(administrator));
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** In place of adcli: what it does when it joins, as far as CUT_AT says; there it says so and waits for its end. */
const adcli = `#!/bin/sh
real=/usr/sbin/adcli
if [ "$1" != join ] || [ -z "$CUT_AT" ]; then exec $real "$@"; fi
for word; do
  case $word in --host-keytab=*) keytab=\${word#*=};; esac
  if [ "$CUT_AT" = account ]; then case $word in --host-keytab=*) word=$word.elsewhere;; esac; fi
  set -- "$@" "$word"; shift
done
if [ "$CUT_AT" != before ]; then $real "$@" || exit $?; fi
if [ "$CUT_AT" = half ]; then truncate -s $(($(stat -c %s "$keytab") / 2)) "$keytab"; fi
echo "cut here"
exec sleep 1000
`;

test("killed while it joins an Active Directory, and begun again: before the account, between the account and its key, in the key, between the key and the files; the computer is joined as after one run that was not", { timeout: 400_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-join-cut-"));
  const controller = spawn("unshare", ["--net", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", `${domain}echo ready; cat > /dev/null; kill $samba`, "sh", folder, "", "", administrator], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [said] = (await once(controller.stdout, "data", { signal: AbortSignal.timeout(200_000) })) as [Buffer];
    assert.equal(said.toString(), "ready\n");
    const inside = (await readFile(`/proc/${controller.pid ?? 0}/task/${controller.pid ?? 0}/children`, "utf8")).trim();
    const there = ["nsenter", "--target", inside, "--net", "--mount", "--uts"];
    const enter: Enter = (command) => [...there, ...alone(command)];
    const ask = (...command: string[]) => runProgram(there[0] ?? "", [...there.slice(1), ...command], { accept: [0, 1, 2, 255] });
    await mkdir(join(folder, "programs"));
    await writeFile(join(folder, "programs/adcli"), adcli);
    await chmod(join(folder, "programs/adcli"), 0o755);
    const start = async (name: string, hold?: Hold, cutAt = "") => {
      const input: CutInput = {
        steps: [{ type: "join-directory", with: { domain: "ad.example.test", organizationalUnit: "OU=Branches,DC=ad,DC=example,DC=test", account: "Administrator", password: { secret: "JOIN" } } }], stepId: "s1",
        content: [], folders: {}, secrets: { JOIN: administrator }, journal: join(folder, `${name}-journal`), ...(hold && { hold }), change: { environment: "installed", dataRoot: join(folder, name), unattended: true },
      };
      await mkdir(join(folder, name), { recursive: true });
      return runOrKill(folder, input, enter, { ...process.env, PATH: `${join(folder, "programs")}:${process.env["PATH"] ?? ""}`, CUT_AT: cutAt });
    };
    const database = join(folder, "dc/private/sam.ldb");
    const state = async (name: string) => {
      const etc = join(folder, name, "etc");
      const files = await Promise.all(["krb5.conf", "sssd/sssd.conf"].map(async (path) => [await readFile(join(etc, path), "utf8"), (await stat(join(etc, path))).mode]));
      const { output } = await ask("samba-tool", "computer", "show", "BRANCH-07", "-H", database, "--attributes=operatingSystem,servicePrincipalName");
      const account = output.split("\n").filter((line) => line !== "").toSorted();
      return { files, account, trusted: (await ask("adcli", "testjoin", "--domain=ad.example.test", `--host-keytab=${join(etc, "krb5.keytab")}`)).exitCode === 0 };
    };
    const whole = await start("whole");
    assert.deepEqual([whole?.result, whole?.begun], ["succeeded", 1], whole?.log.join("\n"));
    const expected = await state("whole");
    assert.ok(expected.trusted && expected.account.some((line) => line.startsWith("dn: CN=BRANCH-07,OU=Branches,")), JSON.stringify(expected));
    const here = { says: "cut here" };
    for (const [name, hold, cutAt] of [["before", here, "before"], ["account", here, "account"], ["half", here, "half"], ["behind", here, "behind"], ["kerberos", { flush: 1 }, ""], ["sssd", { flush: 3 }, ""]] as const) {
      await ask("samba-tool", "computer", "delete", "BRANCH-07", "-H", database);
      assert.equal(await start(name, hold, cutAt), undefined, name);
      const again = await start(name);
      assert.deepEqual([again?.result, again?.begun], ["succeeded", 2], `${name}\n${again?.log.join("\n") ?? ""}`);
      assert.deepEqual(await state(name), expected, name);
    }
  } finally {
    controller.stdin.end();
    controller.kill("SIGKILL");
    await once(controller, "close");
    await rm(folder, { recursive: true, force: true });
  }
});
