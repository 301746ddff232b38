import assert from "node:assert/strict";
import { test } from "node:test";
import { unitArguments } from "./post-action.ts";

test("a command with variables of its own reaches the shell as it was written: systemd halves each pair of dollars", () => {
  const command = 'for i in 1 2; do echo "${i}" $$ $HOME; done; exit $?';
  const given = unitArguments(command).at(-1) ?? "";
  assert.equal(given, 'for i in 1 2; do echo "$${i}" $$$$ $$HOME; done; exit $$?');
  assert.equal(given.replaceAll("$$", "$"), command);
  assert.deepEqual(unitArguments("systemctl poweroff"), ["--collect", "--no-block", "--quiet", "sh", "-c", "systemctl poweroff"]);
});
