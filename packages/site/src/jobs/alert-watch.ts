import type { SiteContext } from "../site-context.ts";
import { updateAlerts } from "../store/alerts.ts";

/** Of each site: whether its alerts are being looked at, and are to be once more. */
const watched = new WeakMap<SiteContext, { again: boolean }>();

/** Has alerts looked at soon, after runs that ended; thousands at once make it two or three times, not thousands. */
export function lookAtAlerts(context: SiteContext): void {
  const running = watched.get(context);
  if (running !== undefined) {
    running.again = true;
    return;
  }
  const state = { again: false };
  watched.set(context, state);
  void (async () => {
    do {
      state.again = false;
      await updateAlerts(context.db, context.now());
    } while (state.again);
  })()
    .catch((cause: unknown) => context.log.warn({ err: cause }, "alerts"))
    .finally(() => watched.delete(context));
}
