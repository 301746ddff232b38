import { deviceUserSchema, maximumDeviceUsers, userDeviceAffinityModes } from "./schema.ts";
import type { UserDeviceAffinity } from "./schema.ts";
import { variableValue } from "./variables.ts";
import type { Variables } from "./variables.ts";

/** The reference's words for the modes, in the variable SMSTSAssignUsersMode. */
export const assignUsersModes = { none: "Disabled", approval: "Pending", automatic: "Auto" } as const satisfies Record<UserDeviceAffinity, string>;

/** The stricter of two modes: who has the say may always be asked for less. */
export function stricterAffinity(one: UserDeviceAffinity, other: UserDeviceAffinity): UserDeviceAffinity {
  return userDeviceAffinityModes[Math.min(userDeviceAffinityModes.indexOf(one), userDeviceAffinityModes.indexOf(other))] ?? "none";
}

/**
 * What becomes of the users in SMSTSUDAUsers: the media's mode, made stricter by SMSTSAssignUsersMode and never looser.
 * A value nobody knows counts as Disabled.
 */
export function effectiveAffinity(media: UserDeviceAffinity, variables: Variables): UserDeviceAffinity {
  const value = variableValue(variables, "SMSTSAssignUsersMode")?.trim().toLowerCase();
  if (value === undefined || value === "") return media;
  return stricterAffinity(media, userDeviceAffinityModes.find((mode) => assignUsersModes[mode].toLowerCase() === value) ?? "none");
}

/** The users SMSTSUDAUsers names, each once, whatever its case; and what in it is none, or one too many. */
export function deviceUsers(variables: Variables): { users: string[]; refused: string[] } {
  const users = new Map<string, string>();
  const refused: string[] = [];
  for (const part of (variableValue(variables, "SMSTSUDAUsers") ?? "").split(",")) {
    const name = part.trim();
    if (name === "" || users.has(name.toLowerCase())) continue;
    if (users.size < maximumDeviceUsers && deviceUserSchema.safeParse(name).success) users.set(name.toLowerCase(), name);
    else refused.push(name);
  }
  return { users: [...users.values()], refused };
}
