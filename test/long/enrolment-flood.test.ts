import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { measureFlood } from "../../packages/site/src/fixtures/measure-flood.ts";
import { dataDirectory } from "../../packages/site/src/fixtures/test-site.ts";

const folder = await dataDirectory();

for (const [addresses, name] of [[1, "one address"], [500, "500 addresses"]] as const) {
  test(`30,000 enrolments that prove nothing, 10,000 a minute, from ${name}: bounded memory, and an enrolled device is not held up`, { timeout: 600_000 }, async (context) => {
    const measured = await measureFlood(join(folder, `data-${addresses}`), { enrolments: 30_000, perSecond: 10_000 / 60, addresses });
    context.diagnostic(JSON.stringify(measured));
    assert.equal(measured.flood.sent, 30_000);
    assert.ok(measured.flood.seconds < 240, "the rate was kept");
    assert.ok(measured.waiting <= 1004);
    // It grows with the first thousand, who are kept, and with the connections that are open; then no more, however many come.
    const afterAThird = measured.rss[Math.floor(measured.rss.length / 3)] ?? 0;
    assert.ok(Math.max(...measured.rss) - afterAThird < 40e6, "memory goes on growing");
    assert.ok(measured.rssPeak - measured.rssBefore < 400e6);
    assert.ok(measured.flooded.p99 < 1000);
  });
}
