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
];
