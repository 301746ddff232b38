import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import type { StepsInput, StepsOutput } from "../../packages/agent/src/fixtures/run-steps.ts";

const administrator = "Adm1n-Passw0rd of the domain";

/** A domain controller, Debian's samba, alone with this computer in a network of its own. $1: folder, $2: node, $3: run-steps.ts. */
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
"$2" "$3" "$1/in.json" "$1/out.json" > /dev/null
samba-tool computer show BRANCH-07 -H "$1/dc/private/sam.ldb" --attributes=operatingSystem | grep -E "^(dn|operatingSystem):"
kill $samba`;

test("a computer joins a real Active Directory in the place that is named, once; what the domain refuses is told", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-join-"));
  try {
    const good = { domain: "ad.example.test", organizationalUnit: "LDAP://OU=Branches,DC=ad,DC=example,DC=test", account: "Administrator", password: { secret: "JOIN" } };
    const of = (more: object) => ({ type: "join-directory", with: { ...good, ...more } });
    const input: StepsInput = { steps: [of({ password: { secret: "WRONG" } }), of({ organizationalUnit: "OU=Nowhere,DC=ad,DC=example,DC=test" }), of({}), of({}), of({ account: "nobody" })], secrets: { JOIN: administrator, WRONG: "not it" }, read: ["etc/sssd/sssd.conf", "etc/krb5.conf"] };
    await writeFile(join(folder, "in.json"), JSON.stringify(input));
    const { output } = await runProgram("unshare", ["--net", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", domain, "sh", folder, process.execPath, join(import.meta.dirname, "../../packages/agent/src/fixtures/run-steps.ts"), administrator], { signal: AbortSignal.timeout(240_000) });
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
