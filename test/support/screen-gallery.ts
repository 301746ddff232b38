import { setTimeout as delay } from "node:timers/promises";
import { initialState, parseTaskSequenceYaml, replay } from "@prestage/sequence";
import type { RunEvent } from "@prestage/sequence";
import { showHighImpact } from "../../packages/agent/src/first-boot/high-impact.ts";
import { logStickTool } from "../../packages/agent/src/log-stick/log-stick-tool.ts";
import { networkTool } from "../../packages/agent/src/network/network-form.ts";
import { SupportShell } from "../../packages/agent/src/support-shell/support-shell.ts";
import { byDhcp } from "../../packages/agent/src/network/network-settings.ts";
import { Keyboard, setConsoleFont } from "../../packages/agent/src/screens/keyboard.ts";
import { logTool } from "../../packages/agent/src/screens/log-view.ts";
import { Debugger } from "../../packages/agent/src/run/debugger/debugger.ts";
import { openTerminals } from "../../packages/agent/src/screens/open-terminals.ts";

// Stands in the agent's place in a boot image: shows every screen for some seconds, and tells its name on the serial port.
const secondsEach = 5;
await setConsoleFont();
const screen = openTerminals(["/dev/tty0", "/dev/ttyS0"]);
const keyboard = new Keyboard((layout) => screen.setKeyboard(layout));
const log = Array.from({ length: 80 }, (_, i) => `2026-11-22T20:00:${String(i % 60).padStart(2, "0")}.000Z ${["udhcpc on eth0 ended with 0: udhcpc: lease of 10.0.2.15 obtained, lease time 86400", "keyring 2 follows keyring 1", "content-resolved: Firefox (ABC0000A) is a hit: 96 hit, 0 revised, 0 missing; 0 of 63203411 bytes", "management point https://deploy.example.com:8443 failed: ECONNREFUSED connect ECONNREFUSED 10.0.2.2:8443"][i % 4]}`);
const sequence = parseTaskSequenceYaml("name: Debian 12 for offices\nsteps:\n  - { name: Partition disk, type: partition-disk }\n  - { name: Apply operating system, type: apply-os-image }\n  - { name: Install Firefox, type: install-application }\n  - { name: Restart, type: restart }\n");
const done = [...sequence.steps.slice(0, 2)].flatMap(({ id, name }): RunEvent[] => [{ kind: "step-started", stepId: id, name }, { kind: "step-finished", stepId: id, name, outcome: "succeeded" }]);
const state = replay(initialState(sequence, [{ name: "OSDComputerName", value: "PC-0042", source: "device" }, { name: "TSDebugMode", value: "true", source: "deployment" }]), [{ kind: "sequence-started", environment: "environment", bootId: "1" }, ...done]);
/** Ended when the next screen comes: what waited for a person no longer does. */
let stop = new AbortController();

const steps = ["Partition disk", "Apply operating system", "Apply settings", "Install Java runtime", "Install Firefox", "Restart", "Install office suite"];
const gallery: Record<string, () => void> = {
  verification: () => screen.verification({ phase: "all", done: 812_000_000, total: 1_940_000_000, name: "/prestage/content/5b0c…/files/image.wim" }),
  damaged: () => screen.damaged({ files: [{ name: "/prestage/content/5b0c/files/firefox.deb", detail: "chunk 17 (bytes 557056 to 589824): expected 9f86d081884c7d65, found 60303ae22b998861" }] }),
  approval: () => screen.approval({ code: "Q7ABCD", siteName: "ABC" }),
  password: () => {
    const prompt = screen.password({ siteName: "ABC", code: "Q7ABCD", note: (texts) => texts.passwordWrong }, stop.signal);
    prompt.typed.catch(() => undefined);
    screen.typed("motdepasse");
  },
  "password-shown": () => screen.typed("\u001b[[D"),
  choose: () => {
    void screen.choose({ title: (texts) => texts.chooseTitle, items: ["Debian 12 for offices", "Debian 12 for kiosks", "Hardware test"].map((label, i) => ({ label, detail: ["Office suite, printers, VPN", "Browser only, locked down", ""][i] ?? "" })) }, stop.signal).catch(() => undefined);
    screen.typed("\u001b[B");
  },
  steps: () => screen.steps({ sequence: "Debian 12 for offices", steps: steps.map((name, i) => ({ name, state: i === 0 ? "skipped" : i < 4 ? "succeeded" : i === 4 ? "running" : "waiting", ...(i < 4 && { detail: i === 0 ? '_SMSTSMediaType is "OEMMedia"' : `${i * 13} s` }) })), progress: { label: (texts) => texts.fetching, done: 12_300_000, total: 52_000_000, unit: "bytes" } }),
  debugger: () => {
    const held = new Debugger({ sequence, screen, unattended: false, state: () => state, append: () => undefined, reports: { debugger: () => undefined }, log: () => undefined, signal: stop.signal });
    const step = sequence.steps[2];
    if (step !== undefined) held.hold({ kind: "before", step }).catch(() => undefined);
  },
  "debugger-variables": () => screen.typed("v"),
  "high-impact": () => {
    void showHighImpact(screen, { deploymentId: "ABC20001", taskSequenceId: "ABC00006", name: "Debian 12 for offices", comment: "", purpose: "required", highImpact: { headline: "This computer is set up anew", texts: ["Everything on its disk is replaced by Debian 12.", "It takes about half an hour; leave it switched on.", "Questions: help desk, extension 4711."] } }, stop.signal).catch(() => undefined);
  },
  error: () => screen.error({ code: "PRESTAGE_MEDIA_EXPIRED", cause: "This media was valid to 2026-01-01T00:00:00Z; the site's time is 2026-11-22T20:00:00Z. Have the media renewed.", next: (texts) => `Give this screen to the administrator of the site. ${texts.keyPowerOff}` }),
  "step-failed": () => screen.error({ code: "PRESTAGE_AGENT_STEP_FAILED", reference: "0x00000643", step: "Install Firefox", cause: "Expected the command to end with 0; it ended with 1603.", next: "See the output of the step at the site, or the log (F9).", then: (texts) => texts.sequenceFailedKeyOr(900) }),
  "restart-notice": () => {
    void screen.countdown({ screen: "restart-notice", title: (texts) => texts.restartNotice, lines: (left) => ["The office suite needs a restart. Save nothing: nobody works here yet.", "", (texts) => texts.restartNoticeLeft(left)], seconds: 90 }, stop.signal).catch(() => undefined);
  },
  done: () => screen.done({ title: (texts) => texts.ready, lines: [(texts) => texts.sequenceEnded("Debian 12 for offices")] }),
  waiting: () => screen.message({ screen: "waiting", title: (texts) => texts.waiting, lines: ["Expected an address by DHCP on a wired interface; found none on eth0.", "", "Connect the network cable. It is tried again by itself.", (texts) => texts.networkKeyHint] }),
  network: () => {
    screen.typed("\u001b[17~");
    setTimeout(() => screen.typed("\t192.168.1.50\r"), 500);
  },
  "log-stick": () => {
    screen.typed("\u001b\u001b[21~");
  },
  log: () => screen.typed("\u001b\u001b[20~"),
};

screen.setHeader({ machine: "PC-0042", site: "ABC" });
screen.addTool(keyboard.tool());
screen.addTool(networkTool({ settings: () => byDhcp, interfaces: async () => ["eth0", "eth1"], apply: async () => undefined }));
screen.addTool(logTool(() => log));
screen.addTool(logStickTool({ partitions: async () => [{ path: "/dev/sdb1", fileSystem: "vfat", label: "DEPOT", size: 31_000_000_000, model: "USB DISK 3.0" }], copy: async () => ({ kind: "copied", folder: "prestage-log-PC-0042-20261122T200500Z" }) }));
const shell = new SupportShell({ screen, log: () => undefined });
shell.verified({ supportShell: true });
screen.addTool(shell.tool());
shell.enrolled({ post: () => undefined });
/** These follow on the screen before them. */
const goOn = new Set(["password-shown", "debugger-variables"]);
for (const [language, layout] of [["en", "us"], ["fr", "fr"]] as const) {
  screen.setLanguage(language);
  const loaded = await keyboard.use(layout);
  for (const [name, show] of Object.entries(gallery)) {
    if (!goOn.has(name)) {
      stop.abort(new Error("the next screen"));
      stop = new AbortController();
      await delay(100);
    }
    show();
    await delay(1500); // drawn whole, on a slow machine too
    screen.event("gallery", { picture: `${name}-${language}`, loaded });
    await delay((secondsEach - 1.5) * 1000);
  }
  screen.typed("\u001b");
}
screen.event("gallery", { picture: "end" });
await delay(60_000);
process.exit(7);
