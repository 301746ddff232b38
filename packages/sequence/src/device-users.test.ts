import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deviceUsers, effectiveAffinity, stricterAffinity } from "./device-users.ts";
import { deviceUserSchema, userDeviceAffinityModes } from "./schema.ts";
import { makeVariables } from "./variables.ts";

const having = (values: Record<string, string>) => makeVariables(Object.entries(values).map(([name, value]) => ({ name, value, source: "task-sequence" })));

test("a sequence makes the media's mode stricter and never looser; a word nobody knows assigns nobody", () => {
  const of = (media: "none" | "approval" | "automatic", value: string) => effectiveAffinity(media, having({ SMSTSAssignUsersMode: value }));
  assert.deepEqual(["Disabled", "Pending", "Auto", "auto ", "", "Sometimes"].map((value) => of("automatic", value)), ["none", "approval", "automatic", "automatic", "automatic", "none"]);
  assert.deepEqual(["Disabled", "Pending", "Auto"].map((value) => of("approval", value)), ["none", "approval", "approval"]);
  assert.deepEqual(["Disabled", "Pending", "Auto"].map((value) => of("none", value)), ["none", "none", "none"]);
  for (const one of userDeviceAffinityModes) assert.equal(stricterAffinity(one, "none"), "none");
});

test("users are domain\\user with commas between, each once whatever its case; anything else is named and left out", () => {
  assert.deepEqual(deviceUsers(having({ smstsudausers: " CONTOSO\\alice, contoso\\ALICE,example.com\\bob ,,José\\müller" })), { users: ["CONTOSO\\alice", "example.com\\bob", "José\\müller"], refused: [] });
  assert.deepEqual(deviceUsers(having({ SMSTSUDAUsers: "alice,CONTOSO\\,\\bob,A\\b\\c,A\\x\u0007y,C\\alice@x" })), { users: ["C\\alice@x"], refused: ["alice", "CONTOSO\\", "\\bob", "A\\b\\c", "A\\x\u0007y"] });
  assert.deepEqual(deviceUsers(having({})), { users: [], refused: [] });
});

test("no variable gives more than 32 users, or one the schema refuses", () => {
  const many = Array.from({ length: 40 }, (_, i) => `D\\user${i}`);
  const found = deviceUsers(having({ SMSTSUDAUsers: many.join(",") }));
  assert.deepEqual([found.users.length, found.refused], [32, many.slice(32)]);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 4000 }), (value) => {
      const { users } = deviceUsers(having({ SMSTSUDAUsers: value }));
      assert.ok(users.length <= 32 && users.every((user) => deviceUserSchema.safeParse(user).success));
    }),
  );
});
