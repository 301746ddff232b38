import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import type { Argon2Parameters } from "node:crypto";
import { promisify } from "node:util";
import type { Database } from "../database/open-database.ts";

/** OWASP's first choice for argon2id with 19 MiB; 110 to 220 ms on a server of today. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 };
const saltBytes = 16;
const tagLength = 32;

const derive = promisify(argon2) as (algorithm: "argon2id", parameters: Argon2Parameters) => Promise<Buffer>;

/** Sets or changes the password of a media: only its verifier is kept, at the site; nothing derived from it is ever on a media. */
export async function setMediaPassword(db: Database, mediaId: string, password: string): Promise<void> {
  const verifier = await makeVerifier(password);
  await db.insertInto("media_password").values({ media_id: mediaId, verifier }).onConflict((conflict) => conflict.column("media_id").doUpdateSet({ verifier, changed: new Date() })).execute();
}

/** A media takes over another's password; nobody needs to know it. */
export async function copyMediaPassword(db: Database, from: string, to: string): Promise<void> {
  const verifier = await readVerifier(db, from);
  if (verifier === undefined || from === to) return;
  await db.insertInto("media_password").values({ media_id: to, verifier }).onConflict((conflict) => conflict.column("media_id").doUpdateSet({ verifier, changed: new Date() })).execute();
}

export async function readVerifier(db: Database, mediaId: string): Promise<string | undefined> {
  return (await db.selectFrom("media_password").select("verifier").where("media_id", "=", mediaId).executeTakeFirst())?.verifier;
}

/** In the PHC string format, so that the cost can rise later: `$argon2id$v=19$m=...,t=...,p=...$SALT$HASH`. */
export async function makeVerifier(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive("argon2id", { message: messageOf(password), nonce: salt, tagLength, ...cost });
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Takes 19 MiB and a core for a moment: callers bound how many run at once. */
export async function checkPassword(password: string, verifier: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = "", hash = ""] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(verifier) ?? [];
  const expected = Buffer.from(hash, "base64");
  const found = await derive("argon2id", { message: messageOf(password), nonce: Buffer.from(salt, "base64"), tagLength: expected.length, memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) });
  return timingSafeEqual(expected, found);
}

/** The same characters give the same bytes, however a keyboard composes them. */
function messageOf(password: string): Buffer {
  return Buffer.from(password.normalize("NFC"), "utf8");
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
