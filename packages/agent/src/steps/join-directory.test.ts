import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runProgram } from "@prestage/disk";
import { runOrKill, spread } from "../fixtures/killed-run.ts";
import type { CutInput, Hold } from "../fixtures/killed-run.ts";
import { listed } from "../fixtures/listed.ts";
import type { StepsInput, StepsOutput } from "../fixtures/run-steps.ts";

const password = "reader's own: pass%word";
let folder = "";
let port = 0;
let server: ChildProcess;

/** Debian's slapd with TLS and one person in it. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-ldap-"));
  await mkdir(join(folder, "data"));
  await runProgram("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", join(folder, "key.pem"), "-out", join(folder, "ca.pem")]);
  const hash = (await runProgram("slappasswd", ["-T", await put("password", password)])).output.trim();
  await put("slapd.conf", `${["core", "cosine", "nis"].map((name) => `include /etc/ldap/schema/${name}.schema`).join("\n")}
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile ${folder}/ca.pem
TLSCertificateKeyFile ${folder}/key.pem
pidfile ${folder}/slapd.pid
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
database mdb
suffix "dc=example,dc=org"
directory ${folder}/data
`);
  await put("people.ldif", `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=reader,dc=example,dc=org
objectClass: simpleSecurityObject
objectClass: organizationalRole
cn: reader
userPassword: ${hash}

dn: uid=ann,dc=example,dc=org
objectClass: account
objectClass: posixAccount
uid: ann
cn: Ann
uidNumber: 70001
gidNumber: 70001
homeDirectory: /home/ann
loginShell: /bin/sh
`);
  await runProgram("slapadd", ["-f", join(folder, "slapd.conf"), "-l", join(folder, "people.ldif")]);
  port = await freePort();
  server = spawn("slapd", ["-d", "0", "-f", join(folder, "slapd.conf"), "-h", `ldaps://127.0.0.1:${port}`], { stdio: "ignore" });
  const deadline = AbortSignal.timeout(20_000);
  while ((await runProgram("ldapsearch", ["-x", "-H", `ldaps://127.0.0.1:${port}`, "-s", "base", "-b", "", "1.1"], { env: { LDAPTLS_CACERT: join(folder, "ca.pem") }, accept: [0, 1, 32, 50, 255], signal: deadline })).exitCode === 255);
});
after(async () => {
  server.kill();
  await rm(folder, { recursive: true });
});

async function put(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}

/** sssd by itself, in a view of the files where its own are this test's; ends when it has answered. */
const askSssd = `set -e
# What other tests have mounted is not held here.
for place in $(awk '$1 ~ "^/dev/loop" { print $2 }' /proc/mounts); do umount --lazy "$place"; done
for place in /run /var/lib/sss /var/log/sssd; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
mkdir -p /var/lib/sss/db /var/lib/sss/mc /var/lib/sss/pipes/private /var/lib/sss/gpo_cache /var/lib/sss/secrets /var/lib/sss/pubconf
mkdir -p "$1/etc/sssd/conf.d" /etc/sssd
mount --bind "$1/etc/sssd" /etc/sssd
sssd --interactive --logger=stderr 2> "$1/log" & sssd=$!
deadline=$(($(date +%s) + 180))
until getent -s sss passwd ann; do
  if test "$(date +%s)" -ge $deadline; then echo "sssd knew nobody for 180 s" >&2; cat "$1/log" >&2; exit 1; fi
  sleep 0.1
done
kill $sssd`;

test("a directory is asked as sssd will ask it; the real sssd then knows its people; what is wrong is refused with the server's own words", async () => {
  const good = { mode: "ldap", domain: "example.org", server: `ldaps://127.0.0.1:${port}`, searchBase: "dc=example,dc=org", account: "cn=reader,dc=example,dc=org", password: { secret: "LDAP" }, caCertificate: await readFile(join(folder, "ca.pem"), "utf8") };
  const { caCertificate: _, ...untrusted } = good;
  const of = (more: object) => ({ type: "join-directory", with: { ...good, ...more } });
  const steps = [of({ password: { secret: "WRONG" } }), of({ searchBase: "dc=other,dc=org" }), of({ server: "ldaps://127.0.0.1:1" }), { type: "join-directory", with: untrusted }, of({ password }), of({ organizationalUnit: "Branches" }), of({}), of({})];
  const input: StepsInput = { steps, secrets: { LDAP: password, WRONG: "not it" }, read: ["etc/sssd/sssd.conf", "etc/sssd/prestage-directory-ca.pem", "etc/krb5.conf"] };
  await runProgram(process.execPath, [join(import.meta.dirname, "../fixtures/run-steps.ts"), await put("in.json", JSON.stringify(input)), join(folder, "out.json")]);
  const { outcomes, files, shown } = JSON.parse(await readFile(join(folder, "out.json"), "utf8")) as StepsOutput;
  const refusedBy = "PRESTAGE_AGENT_DIRECTORY_JOIN";
  assert.deepEqual(outcomes.map((one) => one.code ?? one.result), [refusedBy, refusedBy, refusedBy, refusedBy, "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "succeeded", "succeeded"]);
  assert.deepEqual([/Invalid credentials/, /No such object/, /Can't contact/].map((expected, i) => expected.test(outcomes[i]?.message ?? "")), [true, true, true], JSON.stringify(outcomes));
  assert.equal(files["etc/sssd/sssd.conf"]?.mode, 0o600);
  assert.equal(files["etc/krb5.conf"], null);
  assert.ok(!shown.replace(`"password":${JSON.stringify(password)}`, "").includes(password) && !shown.includes("not it"));
  await mkdir(join(folder, "etc/sssd"), { recursive: true });
  for (const [path, file] of Object.entries(files)) if (file !== null) await writeFile(join(folder, path), file.text, { mode: file.mode });
  const { output } = await runProgram("unshare", ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", askSssd, "sh", folder]);
  assert.equal(output.trim(), "ann:*:70001:70001:Ann:/home/ann:/bin/sh");
});

test("killed when the server has answered, or wherever it flushes what it has written, and begun again: the files are as after one run that was not", { timeout: 240_000 }, async () => {
  const place = await mkdtemp(join(tmpdir(), "prestage-join-cut-"));
  try {
    const settings = { mode: "ldap", domain: "example.org", server: `ldaps://127.0.0.1:${port}`, searchBase: "dc=example,dc=org", account: "cn=reader,dc=example,dc=org", password: { secret: "LDAP" }, caCertificate: await readFile(join(folder, "ca.pem"), "utf8") };
    const start = async (name: string, hold?: Hold) => {
      const input: CutInput = {
        steps: [{ type: "join-directory", with: settings }], stepId: "s1", content: [], folders: {}, secrets: { LDAP: password }, journal: join(place, `${name}-journal`), ...(hold && { hold }),
        change: { environment: "installed", dataRoot: join(place, name), unattended: true },
      };
      await mkdir(join(place, name), { recursive: true });
      return runOrKill(place, input);
    };
    const whole = await start("whole");
    assert.deepEqual([whole?.result, whole?.begun], ["succeeded", 1], whole?.log.join("\n"));
    const expected = await listed(join(place, "whole"));
    assert.deepEqual(expected.map(([path]) => path), ["etc", "etc/sssd", "etc/sssd/prestage-directory-ca.pem", "etc/sssd/sssd.conf"]);
    const holds: Hold[] = [{ says: "answers to" }, ...spread(whole?.flushes ?? 0, 4).map((flush) => ({ flush }))];
    assert.ok(holds.length > 4, `${holds.length} places`);
    for (const [i, hold] of holds.entries()) {
      assert.equal(await start(`cut-${i}`, hold), undefined, JSON.stringify(hold));
      const again = await start(`cut-${i}`);
      assert.deepEqual([again?.result, again?.begun], ["succeeded", 2], again?.log.join("\n"));
      assert.deepEqual(await listed(join(place, `cut-${i}`)), expected, JSON.stringify(hold));
    }
  } finally {
    await rm(place, { recursive: true });
  }
});
