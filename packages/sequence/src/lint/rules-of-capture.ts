import type { LintRule } from "./lint-rule.ts";

/** Reference computers: updates that nobody can be asked for, images of a computer that was not made ready. */
export const rulesOfCapture: readonly LintRule[] = [
  {
    id: "updates-without-a-source", level: "error", title: "updates in the boot environment that come from nowhere",
    why: "There the system that would ask for updates does not run: they can only be laid onto it, out of a package.",
    *check({ steps }) {
      for (const at of steps) {
        if (at.step.type !== "install-updates" || at.step.with?.["package"] !== undefined || at.environments.has("installed")) continue;
        yield { at, message: "In the boot environment install-updates needs a package of updates.", fix: "Name a package, or move the step behind the restart to the installed system." };
      }
    },
  },
  {
    id: "capture-without-preparation", level: "warning", title: "an image captured of a computer that was not prepared",
    why: "A Windows that Sysprep has not generalized is the same computer wherever it is deployed; a Linux may hold a package half installed.",
    *check({ steps }) {
      for (const [i, at] of steps.entries()) {
        if (at.step.type !== "capture-os-image" || ["true", true].includes(at.step.with?.["everything"] as string | boolean)) continue;
        if (!steps.slice(0, i).some(({ step }) => step.type === "prepare-capture")) yield { at, message: "No prepare-capture step stands before it.", fix: "Put prepare-capture into the installed system and a restart into the boot environment before it; for a backup say `everything: true`." };
      }
    },
  },
];
