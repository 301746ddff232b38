import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import { stat, readFile } from "node:fs/promises";
import { writeDurably } from "@prestage/content";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[1]);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const yearMs = 365 * 86_400_000;

/** The site's own CA; devices trust it because its certificate stands in the keyring. */
export interface Authority {
  /** PEM. */
  certificate: string;
  issue(hosts: readonly string[], now: Date): Promise<{ certificate: string; key: string }>;
}

export async function createAuthority(certificatePath: string, keyPath: string, commonName: string, now: Date): Promise<Authority> {
  if (!(await stat(certificatePath).then(() => true, () => false))) await makeAuthority(certificatePath, keyPath, commonName, now);
  const certificate = await readFile(certificatePath, "utf8");
  const signingKey = await importKey(await readFile(keyPath, "utf8"));
  return { certificate, issue: (hosts, at) => issue(new x509.X509Certificate(certificate), signingKey, hosts, at) };
}

async function makeAuthority(certificatePath: string, keyPath: string, commonName: string, now: Date): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    notBefore: new Date(now.getTime() - 86_400_000),
    notAfter: new Date(now.getTime() + 20 * yearMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)],
  });
  await writeDurably(keyPath, Buffer.from(await exportKey(keys.privateKey)), 0o600);
  await writeDurably(certificatePath, Buffer.from(certificate.toString("pem")), 0o644);
}

/** A server certificate for a year, made anew at each start: names change, and its key never outlives the process. */
async function issue(authority: x509.X509Certificate, signingKey: webcrypto.CryptoKey, hosts: readonly string[], now: Date): Promise<{ certificate: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${hosts[0] ?? "localhost"}`,
    issuer: authority.subject,
    notBefore: new Date(now.getTime() - 86_400_000),
    notAfter: new Date(now.getTime() + yearMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((host) => ({ type: isIP(host) ? ("ip" as const) : ("dns" as const), value: host }))),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), algorithm, false, ["sign"]);
}
