import assert from "node:assert/strict";
import { test } from "node:test";
import { appliedPlatform } from "./applied-platform.ts";
import { parseTaskSequenceYaml } from "./parse-yaml.ts";
import type { Platform } from "./steps/index.ts";

const platforms: Readonly<Record<string, Platform>> = { ABC00001: "linux", ABC00002: "windows", ABC00003: "windows" };
const apply = (id: string, more = "") => `  - { name: Apply ${id.replace(/\W/g, "")}, type: apply-os-image, with: { osImage: "${id}" }${more} }\n`;
const data = '  - { name: Data, type: apply-data-image, with: { osImage: ABC00001, index: 1, partition: "2" } }\n';
const platform = (steps: string) => appliedPlatform(parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`), (id) => platforms[id]);

test("the platform is that of the images that are applied as the system, and no other image's", () => {
  assert.equal(platform(apply("ABC00002") + data), "windows");
  assert.equal(platform(apply("ABC00002") + apply("{ABC00003}")), "windows");
  assert.equal(platform(apply("ABC00001") + apply("ABC00002", ", disabled: true")), "linux");
  assert.equal(platform(`  - name: Group\n    type: group\n    steps:\n${apply("ABC00001").replace("  -", "    -")}`), "linux");
});

test("it is not known where images differ, where there is none, and where only the run knows which", () => {
  for (const steps of [data, apply("ABC00001") + apply("ABC00002"), apply("ABC00001") + apply("%IMAGE%"), apply("%IMAGE%"), apply("ABC00009")]) assert.equal(platform(steps), undefined, steps);
});
