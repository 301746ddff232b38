import { availableParallelism } from "node:os";
import { BoundedWork } from "./bounded-work.ts";
import { SlowDown } from "./slow-down.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** What stands between callers that have proven nothing and the site: all of a fixed size, all of this process. */
export interface Guards {
  /** Challenges and enrolments, by source address. */
  requests: TokenBuckets;
  /** Enrolments being looked at: they must not take every connection to the database. */
  enrolments: BoundedWork;
  /** Each holds 19 MiB and a core: half the cores stay for enrolled devices. */
  argon2: BoundedWork;
  /** Wrong passwords, by device key and by source address; never by media. */
  passwordsOfKey: SlowDown;
  passwordsOfAddress: SlowDown;
  /** The list of waiting computers was full a moment ago: until then (milliseconds) nobody new is looked at. */
  listFullUntil: number;
  /** Lines of the audit about callers that have proven nothing: it grows for ever. */
  auditLines: TokenBuckets;
}

export function createGuards(unprovenPerSecond: number): Guards {
  return {
    requests: new TokenBuckets(unprovenPerSecond, unprovenPerSecond * 10),
    enrolments: new BoundedWork(4, 256),
    argon2: new BoundedWork(Math.max(1, Math.floor(availableParallelism() / 2)), 16),
    passwordsOfKey: new SlowDown(0),
    passwordsOfAddress: new SlowDown(4),
    listFullUntil: 0,
    auditLines: new TokenBuckets(0.1, 60, 1024),
  };
}

/** One source: an IPv4 address, or the /64 an IPv6 address lies in, which is one customer's. */
export function sourceOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail = ""] = plain.split("::", 2);
  const left = head.split(":").filter((part) => part !== "");
  const right = tail.split(":").filter((part) => part !== "");
  const whole = plain.includes("::") ? [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0"), ...right] : left;
  return whole.slice(0, 4).map((part) => part.replace(/^0+(?=.)/, "").toLowerCase()).join(":");
}
