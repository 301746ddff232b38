import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedWork } from "./bounded-work.ts";
import { sourceOf } from "./guards.ts";
import { SlowDown } from "./slow-down.ts";
import { TokenBuckets } from "./token-buckets.ts";

test("a caller has its burst, then its rate; others keep theirs", () => {
  const buckets = new TokenBuckets(10, 50);
  const take = (caller: string, now: number) => buckets.take(caller, now);
  let passed = 0;
  for (let i = 0; i < 1000; i++) if (take("loud", 1000)) passed++;
  assert.equal(passed, 50);
  assert.equal(take("loud", 1050), false);
  assert.equal(take("loud", 1200), true, "a tenth of a second later there is one more");
  assert.equal(take("quiet", 1000), true);
});

test("loud callers in a table of fixed size leave nearly every quiet one its way", () => {
  const buckets = new TokenBuckets(1, 20, 4096);
  for (let i = 0; i < 100; i++) for (let loud = 0; loud < 50; loud++) buckets.take(`loud ${loud}`, i);
  let passed = 0;
  for (let quiet = 0; quiet < 1000; quiet++) if (buckets.take(`quiet ${quiet}`, 100)) passed++;
  assert.ok(passed >= 990, String(passed));
});

test("each failure doubles the wait, up to five minutes; a quarter of an hour of quiet forgets them", () => {
  const slow = new SlowDown(0);
  const waits: number[] = [];
  let now = 1_000_000;
  for (let i = 0; i < 12; i++) {
    slow.fail("a", now);
    waits.push(slow.wait("a", now));
    now += slow.wait("a", now) * 1000;
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  assert.equal(slow.wait("a", now), 0);
  assert.equal(slow.wait("b", now), 0);
  now += 15 * 60_000 + 1;
  slow.fail("a", now);
  assert.equal(slow.wait("a", now), 1);
});

test("the first failures behind one address cost a second each; a right password takes its own failure back", () => {
  const slow = new SlowDown(4);
  for (let i = 0; i < 5; i++) slow.fail("office", 0);
  assert.equal(slow.wait("office", 0), 1);
  slow.fail("office", 0);
  assert.equal(slow.wait("office", 0), 2);
  slow.forgive("office", 0);
  assert.equal(slow.wait("office", 0), 0);
  slow.fail("office", 0);
  assert.equal(slow.wait("office", 0), 2, "what others did wrong is not forgiven");
});

test("work beyond its bounds is turned away at once; a place is handed on, also after a failure", async () => {
  const work = new BoundedWork(2, 3);
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  const one = async (i: number) => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
    if (i === 1) throw new Error("failed");
    return i;
  };
  const all = Array.from({ length: 10 }, (_, i) => work.run(() => one(i)).catch((cause: Error) => cause.message));
  gate.resolve();
  assert.deepEqual((await Promise.all(all)).map((done) => (typeof done === "object" ? done.result : done)), [0, "failed", 2, 3, 4, undefined, undefined, undefined, undefined, undefined]);
  assert.equal(most, 2);
  assert.deepEqual(await work.run(async () => 11), { result: 11 });
});

test("one source is an IPv4 address, or the first half of an IPv6 address, however it is written", () => {
  assert.equal(sourceOf("::ffff:192.0.2.7"), sourceOf("192.0.2.7"));
  assert.equal(sourceOf("2001:db8:1:2::5"), sourceOf("2001:DB8:0001:2:aaaa:bbbb:cccc:dddd"));
  assert.equal(sourceOf("2001:db8::1"), "2001:db8:0:0");
  assert.equal(sourceOf("fe80::1%eth0"), "fe80:0:0:0");
  assert.equal(sourceOf("::1"), "0:0:0:0");
  assert.notEqual(sourceOf("2001:db8:1:2::5"), sourceOf("2001:db8:1:3::5"));
});
