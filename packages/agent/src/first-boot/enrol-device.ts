import { setTimeout as delay } from "node:timers/promises";
import type { ChallengeAnswer, EnrolmentAnswer } from "@prestage/contract";
import { signClaim } from "@prestage/trust";
import type { ChallengeRequest, EnrolmentProof, SigningKey } from "@prestage/trust";
import { AgentError } from "../error.ts";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import type { PasswordPrompt } from "../screens/screen.ts";
import type { DeviceState, EnrolledAs } from "../state/device-state.ts";
import type { Text } from "../screens/texts/en.ts";
import { askAgain, untilDone } from "./try-again.ts";
import type { Patience } from "./try-again.ts";

export interface EnrolmentOptions extends Patience {
  manifest: Patience["manifest"] & { site: { code: string } };
  client: Pick<ManagementPointClient, "challenge" | "enrol">;
  state: Pick<DeviceState, "keepDevice">;
}

/**
 * Enrols this device: by the claim on its disk where the site accepts it, by the media password where there is one and someone
 * to type it, and in any case by waiting for an administrator with the code on the screen.
 */
export function enrolDevice(options: EnrolmentOptions, first: ChallengeRequest, claimKey?: SigningKey): Promise<EnrolledAs> {
  return new Enrolment(options, first, claimKey).run();
}

class Enrolment {
  readonly #options: EnrolmentOptions;
  readonly #first: ChallengeRequest;
  #claimKey: SigningKey | undefined;
  #challenge: ChallengeAnswer | undefined;
  /** What was typed and not yet found wrong; only ever in memory. */
  #password: string | undefined;
  #note: Text | undefined;
  #shownCode = "";

  constructor(options: EnrolmentOptions, first: ChallengeRequest, claimKey: SigningKey | undefined) {
    this.#options = options;
    this.#first = first;
    this.#claimKey = claimKey;
  }

  async run(): Promise<EnrolledAs> {
    for (;;) {
      const answer = await this.#ask();
      if (answer === undefined) continue;
      const enrolled = await this.#follow(answer);
      if (enrolled !== undefined) return enrolled;
    }
  }

  /** Sends the best proof there is. Undefined where it has to be sent otherwise: the challenge was too old (it lives five minutes, and a computer may wait for days), or the claim is none. */
  async #ask(): Promise<EnrolmentAnswer | undefined> {
    const { client } = this.#options;
    this.#challenge ??= await untilDone(this.#options, "management-point", () => client.challenge(this.#first));
    const { challenge } = this.#challenge;
    try {
      return await untilDone(this.#options, "management-point", () => client.enrol(this.#first, challenge, this.#proof(challenge)));
    } catch (cause) {
      if (!(cause instanceof AgentError)) throw cause;
      if (cause.message.includes("PRESTAGE_TRUST_CLAIM_PROOF")) this.#claimKey = undefined; // damaged, or another disk's
      else if (cause.message.includes("PRESTAGE_TRUST_CHALLENGE_INVALID")) this.#challenge = undefined;
      else throw cause;
      return undefined;
    }
  }

  #proof(challenge: string): EnrolmentProof {
    const proofs = this.#challenge?.proofs ?? [];
    if (this.#claimKey !== undefined && proofs.includes("claim")) return { kind: "claim", signature: signClaim(this.#claimKey, challenge, this.#first.deviceKey.keyId) };
    return this.#password === undefined ? { kind: "approval" } : { kind: "password", password: this.#password };
  }

  /** Does what the answer asks for; a device ends it. */
  async #follow(answer: EnrolmentAnswer): Promise<EnrolledAs | undefined> {
    const { screen, state, signal } = this.#options;
    switch (answer.state) {
      case "approved": {
        const device = { deviceId: answer.deviceId, deviceName: answer.deviceName };
        await state.keepDevice(device);
        screen.event("enrolled", device);
        return device;
      }
      case "waiting":
        await this.#wait(answer);
        return undefined;
      case "wrong-password":
        this.#password = undefined;
        this.#note = (texts) => texts.passwordWrong;
        screen.event("wrong-password", { retryAfterSeconds: answer.retryAfterSeconds });
        screen.message({ screen: "wrong-password", title: (texts) => texts.wrongPasswordTitle, lines: [(texts) => texts.againIn(Math.ceil(answer.retryAfterSeconds))] });
        await delay(answer.retryAfterSeconds * 1000, undefined, { signal });
        return undefined;
      case "slow-down":
        screen.event("slow-down", { retryAfterSeconds: answer.retryAfterSeconds });
        screen.message({ screen: "slow-down", title: (texts) => texts.wait, lines: [(texts) => texts.slowDown(Math.ceil(answer.retryAfterSeconds))] });
        await delay(answer.retryAfterSeconds * 1000, undefined, { signal });
        return undefined;
      case "refused":
        this.#shownCode = "";
        this.#challenge = undefined;
        await askAgain(this.#options, { title: (texts) => texts.refused, lines: [answer.reason] }, "refused");
        return undefined;
    }
  }

  /** Shows the code and waits for approval; where the media has a password, it can be typed meanwhile. */
  async #wait(answer: Extract<EnrolmentAnswer, { state: "waiting" }>): Promise<void> {
    const { screen, manifest, signal } = this.#options;
    const siteName = manifest.site.code;
    const conflict = answer.conflict === true;
    if (conflict) this.#challenge = this.#challenge && { ...this.#challenge, proofs: ["approval"] };
    const mayType = !manifest.unattended && !conflict && this.#challenge?.proofs.includes("password") === true;
    if (mayType) return this.#typeOrBeApproved(answer, siteName);
    if (answer.code !== this.#shownCode) {
      if (conflict) screen.event("claim-conflict", { code: answer.code });
      screen.approval({ code: answer.code, siteName, ...(conflict && { conflict }) });
    }
    this.#shownCode = answer.code;
    await delay(answer.retryAfterSeconds * 1000, undefined, { signal });
  }

  /** Keeps asking whether an administrator has approved while somebody types. */
  async #typeOrBeApproved(waiting: Extract<EnrolmentAnswer, { state: "waiting" }>, siteName: string): Promise<void> {
    const { screen, signal } = this.#options;
    const ended = new AbortController();
    const model = (code: string) => ({ siteName, code, ...(this.#note !== undefined && { note: this.#note }) });
    const prompt = screen.password(model(waiting.code), AbortSignal.any([signal, ended.signal]));
    try {
      this.#password = await this.#untilTyped(prompt, waiting.retryAfterSeconds, (code) => prompt.update(model(code)));
    } finally {
      ended.abort(new Error("the password is no longer waited for"));
    }
    if (this.#password !== undefined) screen.message({ screen: "password-sent", title: (texts) => texts.checkingPassword, lines: [(texts) => texts.asking] });
  }

  /** Undefined where something else was decided: then it is asked for once more, and that answer followed. */
  async #untilTyped(prompt: PasswordPrompt, retryAfterSeconds: number, onCode: (code: string) => void): Promise<string | undefined> {
    for (let pause = retryAfterSeconds; ; ) {
      const stop = new AbortController();
      const typed = await Promise.race([prompt.typed, delay(pause * 1000, undefined, { signal: stop.signal }).catch(() => undefined)]);
      stop.abort();
      if (typed !== undefined) return typed;
      const answer = await this.#ask();
      if (answer === undefined) continue;
      if (answer.state !== "waiting" || answer.conflict === true) return undefined;
      pause = answer.retryAfterSeconds;
      onCode(answer.code);
    }
  }
}
