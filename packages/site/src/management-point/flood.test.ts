import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { measureFlood } from "../fixtures/measure-flood.ts";
import { dataDirectory } from "../fixtures/test-site.ts";
import { maximumWaiting } from "../store/devices.ts";

const folder = await dataDirectory();

// The same at 10,000 a minute and more for longer: test/long/enrolment-flood.test.ts.
test("enrolments that prove nothing cost bounded memory and do not hold an enrolled device up", async () => {
  const measured = await measureFlood(join(folder, "data"), { enrolments: 1500, perSecond: 250, addresses: 40 });
  const shown = JSON.stringify(measured);
  assert.equal(measured.flood.sent, 1500);
  assert.ok((measured.flood.byStatus["200"] ?? 0) >= 500, shown);
  assert.ok(measured.waiting <= maximumWaiting + 4, shown);
  assert.ok(measured.rssAfter - measured.rssBefore < 250e6, shown);
  assert.ok(measured.flooded.requests >= 100 && measured.flooded.p99 < 2000, shown);
});
