import { randomBytes } from "node:crypto";
import { challengeAnswerSchema, contentUrlsAnswerSchema, enrolmentAnswerSchema, errorAnswerSchema, keyringsAnswerSchema, managementPointPaths, policyAnswerSchema, renewalAnswerSchema, secretsAnswerSchema, statusAnswerSchema } from "@prestage/contract";
import type { ChallengeAnswer, ContentUrlsAnswer, EnrolmentAnswer, PolicyAnswer, PolicyRequest, SecretsAnswer, SecretsRequest, StatusMessage } from "@prestage/contract";
import { keysOfRole, openSignedTime, openSuccessorKeyring, signEnrolment, signRequest } from "@prestage/trust";
import type { ChallengeRequest, EnrolmentProof, HttpRequest, Keyring, SigningKey } from "@prestage/trust";
import { request } from "undici";
import type { Dispatcher } from "undici";
import type { z } from "zod";
import { AgentError } from "../error.ts";
import { newDispatcher } from "../network/dispatcher.ts";
import type { SignedClock } from "./clock.ts";

const answerLimitBytes = 64 * 1024 * 1024;
/** More keyrings than this no site has made since a disk was staged. */
const longestChain = 256;
const timeouts = { headersTimeout: 60_000, bodyTimeout: 60_000 };

export interface ManagementPointOptions { urls: readonly string[]; keyring: Keyring; deviceKey: SigningKey; clock: SignedClock; floor: Date; /** http://HOST:PORT; absent or empty: none. */ proxy?: string; log: (line: string) => void; /** The site ended this enrolment: whatever runs must stop. */ onRevoked?: (cause: AgentError) => void }

/** The device's side of the management point's interface: the list in order, the first that answers stays in use until it fails. */
export class ManagementPointClient {
  readonly #options: ManagementPointOptions;
  #keyring: Keyring;
  #pinned: Dispatcher;
  #unverified: Dispatcher;
  #current = 0;
  #urls: readonly string[];
  #proxy: string | undefined;

  constructor(options: ManagementPointOptions) {
    this.#options = options;
    this.#urls = options.urls;
    this.#keyring = options.keyring;
    this.#pinned = pinnedTo(options.keyring, options.proxy);
    this.#unverified = unverified(options.proxy);
    this.#proxy = options.proxy;
  }

  /** The keyring to trust from now on: TLS is pinned to its CA, signed time is of its time role and not before it was issued. */
  async useKeyring(keyring: Keyring): Promise<void> {
    const before = this.#pinned;
    const sameAuthority = keyring.tlsCa === this.#keyring.tlsCa;
    this.#keyring = keyring;
    if (sameAuthority) return;
    this.#pinned = pinnedTo(keyring, this.#proxy);
    await before.close();
  }

  /** The proxy to go through from now on; empty: none. */
  useProxy(proxy: string): void {
    if (proxy === (this.#proxy ?? "")) return;
    const before = [this.#pinned, this.#unverified];
    this.#proxy = proxy;
    this.#pinned = pinnedTo(this.#keyring, proxy);
    this.#unverified = unverified(proxy);
    // Not waited for: what is under way on the old way may hang until its time is over.
    for (const one of before) void one.close().catch(() => undefined);
  }

  /**
   * The keyrings that follow the one in use, each trusted for the signature of the one before and for nothing else. A disk may have lain
   * on the shelf while the TLS authority changed: before the first is known TLS is not verified; `verified`: it is.
   */
  fetchKeyrings(verified: boolean): Promise<{ envelope: Buffer; keyring: Keyring }[]> {
    return this.#each(async (base) => {
      const found: { envelope: Buffer; keyring: Keyring }[] = [];
      for (let last = this.#keyring; found.length < longestChain; ) {
        const { body, statusCode } = await request(`${base}${managementPointPaths.keyrings}?after=${last.version}`, { dispatcher: verified ? this.#pinned : this.#unverified });
        const bytes = await readBody(body);
        if (statusCode === 404) return found; // a site of an earlier version, which has only one
        if (statusCode !== 200) throw refusal(statusCode, bytes);
        const { keyrings } = keyringsAnswerSchema.parse(JSON.parse(bytes.toString("utf8")));
        if (keyrings.length === 0) return found;
        for (const text of keyrings) {
          const envelope = Buffer.from(text, "base64");
          last = openSuccessorKeyring(last, envelope);
          found.push({ envelope, keyring: last });
        }
      }
      return found;
    });
  }

  /** The URL in use. */
  get url(): string {
    return this.#urls[this.#current] ?? "";
  }

  /** The list to try from now on, from its first; the same list again changes nothing. */
  useUrls(urls: readonly string[]): void {
    if (urls.join(" ") === this.#urls.join(" ")) return;
    this.#urls = urls;
    this.#current = 0;
  }

  /**
   * Signed time: the one request for which TLS is not verified, because a dead clock would fail any certificate.
   * It is trusted for its signature alone.
   */
  async fetchTime(): Promise<Date> {
    return this.#each(async (base) => {
      const nonce = randomBytes(16).toString("hex");
      const { body, statusCode } = await request(`${base}${managementPointPaths.time}?nonce=${nonce}`, { dispatcher: this.#unverified });
      const bytes = await readBody(body);
      if (statusCode !== 200) throw refusal(statusCode, bytes);
      const floor = new Date(Math.max(this.#options.floor.getTime(), Date.parse(this.#keyring.issued)));
      const now = openSignedTime(bytes, nonce, floor, keysOfRole(this.#keyring, "time"));
      await this.#options.clock.set(now, this.#options.log);
      return now;
    });
  }

  /** The envelope of the media's renewal as received, not yet verified; undefined where there is none. */
  fetchRenewal(mediaId: string): Promise<Buffer | undefined> {
    return this.#each(async (base) => {
      const { body, statusCode } = await request(`${base}${managementPointPaths.renewal}?mediaId=${mediaId}`, { dispatcher: this.#pinned });
      const bytes = await readBody(body);
      if (statusCode === 404) return undefined; // a site of an earlier version
      if (statusCode !== 200) throw refusal(statusCode, bytes);
      const { renewal } = renewalAnswerSchema.parse(JSON.parse(bytes.toString("utf8")));
      return renewal === null ? undefined : Buffer.from(renewal, "base64");
    });
  }

  challenge(first: ChallengeRequest): Promise<ChallengeAnswer> {
    return this.#post(managementPointPaths.challenge, first, challengeAnswerSchema, false);
  }
  enrol(first: ChallengeRequest, challenge: string, proof: EnrolmentProof): Promise<EnrolmentAnswer> {
    return this.#post(managementPointPaths.enrolment, signEnrolment(first, challenge, this.#options.deviceKey, proof), enrolmentAnswerSchema, false);
  }
  policy(body: PolicyRequest): Promise<PolicyAnswer> {
    return this.#post(managementPointPaths.policy, body, policyAnswerSchema, true);
  }
  /** `timeoutMs`: how long each management point may take. */
  contentUrls(contentIds: readonly string[], timeoutMs?: number): Promise<ContentUrlsAnswer> {
    return this.#post(managementPointPaths.contentUrls, { contentIds }, contentUrlsAnswerSchema, true, timeoutMs);
  }
  secrets(body: SecretsRequest): Promise<SecretsAnswer> {
    return this.#post(managementPointPaths.secrets, body, secretsAnswerSchema, true);
  }
  async sendStatus(messages: readonly StatusMessage[]): Promise<{ highest: number }> {
    return this.#post(managementPointPaths.status, { messages }, statusAnswerSchema, true);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pinned.close(), this.#unverified.close()]);
  }

  async #post<T>(path: string, value: unknown, schema: z.ZodType<T>, signed: boolean, timeoutMs?: number): Promise<T> {
    try {
      return await this.#postOnce(path, value, schema, signed, timeoutMs);
    } catch (cause) {
      if (cause instanceof AgentError && cause.code === "PRESTAGE_AGENT_REVOKED") this.#options.onRevoked?.(cause);
      if (!signed || !(cause instanceof AgentError && cause.message.includes("PRESTAGE_TRUST_REQUEST_SIGNATURE"))) throw cause;
      // A signature holds for five minutes: after a long outage, or once the site's own clock was corrected, its time is taken anew.
      await this.fetchTime();
      return this.#postOnce(path, value, schema, signed, timeoutMs);
    }
  }

  async #postOnce<T>(path: string, value: unknown, schema: z.ZodType<T>, signed: boolean, timeoutMs?: number): Promise<T> {
    return this.#each(async (base) => {
      const body = Buffer.from(JSON.stringify(value));
      const message = { method: "POST", url: `${base}${path}`, headers: { "content-type": "application/json" }, body };
      const answer = await this.#send(message, signed, timeoutMs);
      const bytes = await readBody(answer.body);
      if (answer.statusCode !== 200) throw refusal(answer.statusCode, bytes);
      return schema.parse(JSON.parse(bytes.toString("utf8")));
    });
  }

  /** A connection kept alive over a long step may be dead: once more on a fresh one, signed anew, since the site takes each signature once. */
  async #send(message: HttpRequest, signed: boolean, timeoutMs?: number): Promise<Dispatcher.ResponseData> {
    const attempt = async () => {
      const headers = signed ? await signRequest(message, this.#options.deviceKey, this.#options.clock.now()) : message.headers;
      return request(message.url, { method: "POST", headers, body: Buffer.from(message.body), dispatcher: this.#pinned, ...(timeoutMs !== undefined && { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }) });
    };
    return attempt().catch((cause: unknown) => {
      if (cause instanceof Error && "code" in cause && (cause.code === "ECONNRESET" || cause.code === "UND_ERR_SOCKET")) return attempt();
      throw cause;
    });
  }

  /** Tries the management points in turn, from the one in use. A refusal is an answer: it is not tried elsewhere. */
  async #each<T>(ask: (base: string) => Promise<T>): Promise<T> {
    const { log } = this.#options;
    const urls = this.#urls;
    const first = this.#current;
    const failures: string[] = [];
    for (let i = 0; i < urls.length; i++) {
      const index = (first + i) % urls.length;
      const base = (urls[index] ?? "").replace(/\/+$/, "");
      try {
        const result = await ask(base);
        if (urls === this.#urls) this.#current = index;
        return result;
      } catch (cause) {
        if (cause instanceof AgentError) throw cause;
        const reason = cause instanceof Error ? `${"code" in cause ? `${String(cause.code)} ` : ""}${cause.message}` : String(cause);
        failures.push(`${base}: ${reason}`);
        log(`management point ${base} failed: ${reason}`);
      }
    }
    throw new AgentError("PRESTAGE_AGENT_NO_MANAGEMENT_POINT", `Expected an answer from one of ${urls.length} management point(s); found: ${failures.join("; ")}`, "Check the network and the management point. It is tried again by itself.");
  }
}

function pinnedTo(keyring: Keyring, proxy: string | undefined): Dispatcher {
  return newDispatcher({ ...timeouts, tls: { ca: keyring.tlsCa }, proxy });
}
function unverified(proxy: string | undefined): Dispatcher {
  return newDispatcher({ ...timeouts, tls: { rejectUnauthorized: false }, proxy });
}

async function readBody(body: Dispatcher.ResponseData["body"]): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > answerLimitBytes) throw new Error("the answer is larger than 64 MiB");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** 5xx is a failure of that server, worth trying another; 4xx is the site's answer. */
function refusal(status: number, bytes: Buffer): Error {
  const parsed = errorAnswerSchema.safeParse(safeJson(bytes));
  const words = parsed.success ? `${parsed.data.code}: ${parsed.data.message}` : `HTTP ${status}`;
  if (status >= 500) return new Error(words);
  if (parsed.success && parsed.data.code === "PRESTAGE_SITE_REVOKED") return new AgentError("PRESTAGE_AGENT_REVOKED", `Expected this computer's enrolment to stand; the site answered ${words}`, "Ask the administrator of the site; stage the disk again where the computer is to be used on.");
  return new AgentError("PRESTAGE_AGENT_REFUSED", `Expected the management point to accept the request; it answered ${words}`, "Ask the administrator of the site.");
}

function safeJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
