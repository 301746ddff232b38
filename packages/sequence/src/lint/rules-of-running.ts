import { textsIn } from "../text-in-settings.ts";
import type { LintContext, LintRule } from "./lint-rule.ts";

/** What happens when it runs: restarts, waiting, media. */
export const rulesOfRunning: readonly LintRule[] = [
  {
    id: "command-restarts-by-itself", level: "warning", title: "a program that restarts the computer by itself",
    why: "The engine cannot know that the step is done: it runs again, and again (features.md F197).",
    *check({ steps }) {
      for (const at of steps) {
        const command = at.step.type === "run-command-line" ? at.step.with?.["command"] : undefined;
        if (typeof command === "string" && /(^|[;&|\s/])(reboot|poweroff|halt|init\s+[06]|shutdown(\.exe)?\s+\S*[-/][rsh]|systemctl\s+(reboot|poweroff|kexec)|wpeutil\s+(reboot|shutdown))\b/i.test(command)) {
          yield { at, message: "The command restarts or stops the computer.", fix: "Have it end with a restart code (restartCodes), or use a restart step." };
        }
      }
    },
  },
  {
    id: "command-waits-for-a-person", level: "warning", title: "a command that waits for somebody to type",
    why: "A step without a time limit that asks a question waits for ever on a machine nobody looks at.",
    *check({ steps }) {
      for (const at of steps) {
        const command = at.step.type === "run-command-line" ? at.step.with?.["command"] : undefined;
        const limited = at.step.timeLimitMinutes !== undefined || at.step.with?.["timeoutSeconds"] !== undefined;
        if (typeof command === "string" && !limited && asks(command)) yield { at, message: "The command seems to ask a question.", fix: "Give it the option that says yes (apt-get -y), or a time limit." };
      }
    },
  },
  {
    id: "script-long", level: "note", title: "a long script in the text",
    why: "Long scripts are what makes a sequence too large (features.md F185): every computer is sent all of it, whether it runs the step or not.",
    *check({ steps }) {
      for (const at of steps) {
        const bytes = ["script", "command"].map((key) => at.step.with?.[key]).reduce<number>((sum, text) => sum + (typeof text === "string" ? Buffer.byteLength(text) : 0), 0);
        if (bytes > 16_384) yield { at, message: `Its script has ${bytes} bytes.`, fix: "Put it into a package, and run it from there." };
      }
    },
  },
  {
    id: "account-out-of-place", level: "error", title: "a program that runs as another account where it cannot",
    why: "In the reference, too, the boot environment knows no accounts (features.md F234); on Windows a program of another account has a session of its own.",
    *check({ steps, platform }) {
      for (const at of steps) {
        if (at.step.with?.["account"] === undefined || !["run-command-line", "run-script"].includes(at.step.type)) continue;
        if (!at.environments.has("installed")) yield { at, message: "In the boot environment there is no account but root.", fix: "Move the step behind the restart into the installed system, or take its account off." };
        else if (platform === "windows" && at.step.secrets !== undefined) yield { at, message: "The step's secrets do not reach a program that Windows runs as another account.", fix: "Take them off the step, or have the agent itself run it." };
      }
    },
  },
  {
    id: "debugger-left-on", level: "warning", title: "a sequence that turns its own debugger on",
    why: "The run holds until somebody at the computer says how it goes on.",
    *check({ steps }) {
      for (const at of steps) {
        const { name, value } = at.step.with ?? {};
        if (at.step.type === "set-variable" && typeof name === "string" && /^TSDebug(Mode|OnError)$/i.test(name) && (value === true || (typeof value === "string" && value.toLowerCase() === "true"))) yield { at, message: `${name} is set to true for every computer.`, fix: "Set it on the device, or by a debug deployment, and take the step out." };
      }
    },
  },
  {
    id: "prestart-can-hang", level: "warning", title: "a prestart command that can hang",
    why: "Before anything is enrolled nobody sees why a computer stands still: prestart scripts without their end were a support case of their own (features.md I10).",
    *check({ media }) {
      const command = media?.prestartCommand;
      if (command === undefined) return;
      if (asks(command) || /(^|[;&|\s])(sleep\s+inf\w*|tail\s+-f|while\s+(true|:)|(ba)?sh\s*$|(ba)?sh\s+-i)/.test(command)) yield { message: "The media's prestart command seems to wait for somebody or for ever.", fix: "Let it end by itself, or bound it: timeout 60 COMMAND." };
    },
  },
  {
    id: "unattended-without-preferred-deployment", level: "warning", title: "unattended media that must choose",
    why: "With several task sequences offered, nobody is there to choose: the computer says so and waits.",
    *check({ media }) {
      if (media?.unattended === true && !media.variables.some((name) => name.toLowerCase() === "smstspreferredadvertid")) yield { message: "The media is unattended and names no preferred deployment.", fix: "Build it with --variable SMSTSPreferredAdvertID=ID, or see that one deployment alone is offered." };
    },
  },
  {
    id: "oem-key-risk", level: "warning", title: "work left to SetupComplete.cmd, which a product key of the maker's switches off",
    why: "With an OEM key in the firmware, Windows Setup runs no SetupComplete.cmd on client editions and says nothing: sequences never went on (features.md F230, C19, I10). The agent itself goes on by a service; what a sequence puts into that file is still lost.",
    *check(context) {
      if (context.platform === "linux" || setsProductKey(context)) return;
      for (const at of context.steps) {
        const named = [...textsIn(at.step.with)].find(({ text }) => /\bSetupComplete\.cmd\b/i.test(text));
        if (named !== undefined) yield { at, message: `${named.at} names SetupComplete.cmd, which Windows does not run where the firmware holds a maker's product key.`, fix: "Make it a step behind the restart to the installed system, or give apply-windows-settings the productKey of your volume licence (KMS client key)." };
      }
    },
  },
  {
    id: "boot-image-architecture", level: "error", title: "a boot image of another architecture",
    why: "A 32-bit boot image could not start a 64-bit setup; a boot image of another processor starts nothing.",
    *check({ steps, objects, media }) {
      if (objects === undefined || media?.architecture === undefined) return;
      for (const at of steps) {
        const id = at.step.with?.["osImage"];
        const architecture = typeof id === "string" ? objects.get(id.replace(/[{}]/g, ""))?.architecture : undefined;
        if (architecture !== undefined && architecture !== media.architecture) yield { at, message: `The OS image is for ${architecture}, the media's boot image for ${media.architecture}.`, fix: "Choose a boot image of the same architecture." };
      }
    },
  },
];

function asks(command: string): boolean {
  if (/(^|[;&|\s])read\s+-?\w/.test(command)) return true;
  return /(^|[;&|\s])(apt|apt-get|dnf|yum)\s/.test(command) && /\s(install|upgrade|dist-upgrade|full-upgrade|remove)(\s|$)/.test(command) && !/\s(-y|-qy|-yq|--yes|--assume-yes)(\s|$)/.test(command);
}

/** A key of its own takes the place of the maker's: in the answers, or by their variable. */
function setsProductKey({ steps, media }: LintContext): boolean {
  const variable = "osdproductkey";
  if (!steps.some(({ step }) => step.type === "apply-windows-settings")) return false;
  if (media?.variables.some((name) => name.toLowerCase() === variable) === true) return true;
  return steps.some(({ step: { type, with: settings } }) => {
    if (type === "apply-windows-settings") return settings?.["productKey"] !== undefined;
    if (type === "set-variable") return JSON.stringify(settings?.["name"])?.toLowerCase() === `"${variable}"`;
    return type === "set-dynamic-variables" && /"osdproductkey"\s*:/i.test(JSON.stringify(settings?.["rules"] ?? []));
  });
}
