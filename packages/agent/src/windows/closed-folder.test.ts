import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeClosedFolder } from "./closed-folder.ts";

/** Windows' programs, as far as they are asked: what they were given, and what they say the rights are. */
function windows(sddl: string, code = 0) {
  const asked: string[][] = [];
  return { asked, run: async (program: string, given: readonly string[]) => (asked.push([program, ...given]), { code, output: program === "powershell.exe" ? `${sddl}\r\n` : "" }) };
}
const good = "O:BAG:S-1-5-21-1-2-3-513D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-closed-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("each missing part of the way is made, closed before the next is made in it, and the rights are read back", async () => {
  await inFolder(async (folder) => {
    const { asked, run } = windows(good);
    await makeClosedFolder(join(folder, "a/it's"), run);
    assert.ok((await stat(join(folder, "a/it's"))).isDirectory());
    const close = (path: string) => [["icacls.exe", path, "/setowner", "*S-1-5-32-544", "/q"], ["icacls.exe", path, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "/q"]];
    assert.deepEqual(asked, [...close(join(folder, "a")), ...close(join(folder, "a/it's")), ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", `(Get-Acl -LiteralPath '${folder}/a/it''s').Sddl`]]);
  });
});

test("one that is there is used where it is closed, and refused where anybody else owns it or may enter; nothing of it is changed", async () => {
  for (const [sddl, refused] of [
    [good, false], ["O:SYG:SYD:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)", false],
    ["O:S-1-5-21-1-2-3-1001G:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", true], // whoever owns it may open it again
    ["O:BAG:BAD:AI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICIID;0x1301bf;;;AU)", true], ["O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;FR;;;WD)", true], ["O:BAG:BAD:NO_ACCESS_CONTROL", true], ["", true],
  ] as const) {
    await inFolder(async (folder) => {
      await mkdir(join(folder, "prestage"));
      const { asked, run } = windows(sddl);
      const made = makeClosedFolder(join(folder, "prestage"), run);
      if (refused) await assert.rejects(made, { code: "PRESTAGE_AGENT_STATE_DAMAGED" }, sddl);
      else await made;
      assert.deepEqual(asked.map(([program]) => program), ["powershell.exe"], sddl);
    });
  }
});

test("where Windows does not close it, nothing goes on", async () => {
  await inFolder(async (folder) => assert.rejects(makeClosedFolder(join(folder, "prestage"), windows(good, 5).run), { code: "PRESTAGE_AGENT_STATE_DAMAGED", message: /ended with 5/ }));
});
