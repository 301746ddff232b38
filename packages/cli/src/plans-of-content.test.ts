import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { ContentPlan } from "@prestage/contract";
import type { z } from "zod";
import { plansOfContent } from "./plans-of-content.ts";

const planOf = (objectId: string): ContentPlan => ({ objectId, kind: "package", name: objectId, revision: 1, contentId: "a".repeat(64), state: "hit", ways: [], bytes: 0, described: 0, full: 1 });
const shared = "ABCFFFFF";

test("thousands of objects are asked for in requests that Node's server takes; what several depend on comes once", async () => {
  const asked: string[][] = [];
  const server = createServer((request, response) => {
    const ids = new URL(request.url ?? "", "http://site").searchParams.get("content")?.split(",") ?? [];
    asked.push(ids);
    response.end(JSON.stringify([...ids, shared].map(planOf)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const call = async <T>(_method: string, path: string, schema: z.ZodType<T>): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    assert.equal(answer.status, 200, path.slice(0, 100));
    return schema.parse(await answer.json());
  };
  const ids = Array.from({ length: 3100 }, (_, i) => `ABC${i.toString(16).toUpperCase().padStart(5, "0")}`);
  const plans = await plansOfContent({ call }, "b".repeat(64), "ABC00001", ids);
  server.close();
  server.closeAllConnections();
  assert.deepEqual(asked.flat(), ids);
  assert.deepEqual(plans.map((one) => one.objectId).sort(), [...ids, shared].sort());
  assert.deepEqual(await plansOfContent({ call }, "b".repeat(64), undefined, []), []);
});
