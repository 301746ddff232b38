import { deviceUsers, effectiveAffinity } from "@prestage/sequence";
import type { UserDeviceAffinity, Variables } from "@prestage/sequence";
import type { RunContext } from "./run-context.ts";

const said: Record<UserDeviceAffinity, string> = { none: "not recorded: the media or the sequence allows none", approval: "to be approved at the site", automatic: "recorded" };

/** At the successful end of a sequence: the users its variables name go to the site, which decides by the media. The status spool keeps the report until it arrived. */
export function reportDeviceUsers(context: Pick<RunContext, "userDeviceAffinity" | "status" | "screen" | "log">, variables: Variables): void {
  const { status, screen, log } = context;
  const { users, refused } = deviceUsers(variables);
  if (users.length === 0 && refused.length === 0) return;
  const mode = effectiveAffinity(context.userDeviceAffinity ?? "none", variables);
  const text = [
    ...(users.length === 0 ? [] : [`${users.join(", ")}: ${said[mode]}`]),
    ...(refused.length === 0 ? [] : [`not a domain\\user of SMSTSUDAUsers, or more than 32: ${refused.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 64))).join(", ")}`]),
  ].join("; ");
  log(`users of this device: ${text}`);
  status.post({ kind: "user-device-affinity", text, ...(users.length > 0 && { affinity: { mode, users } }) });
  screen.event("device-users", { mode, users: users.length, refused: refused.length });
}
