import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { measureFlood } from "../fixtures/measure-flood.ts";
import { dataDirectory } from "../fixtures/test-site.ts";
import { maximumWaiting } from "../store/devices.ts";

const folder = await dataDirectory();

// How long an enrolled device waits meanwhile, and the same for longer: test/long/enrolment-flood.test.ts. Here the machine is busy with other tests.
test("enrolments that prove nothing cost bounded memory and do not hold an enrolled device up", async () => {
  const measured = await measureFlood(join(folder, "data"), { enrolments: 1500, perSecond: 250, addresses: 40 });
  const shown = JSON.stringify(measured);
  assert.equal(measured.flood.sent, 1500);
  assert.ok((measured.flood.byStatus["200"] ?? 0) >= 100, shown);
  assert.ok(measured.waiting <= maximumWaiting + 4, shown);
  assert.ok(measured.rssAfter - measured.rssBefore < 400e6, shown);
  // Each of them was answered, or measuring had ended with the refusal.
  assert.ok(measured.flooded.requests >= 100, shown);
});
