/** A change to a file of an applied system, by its path under the system's root. */
export type SettingChange =
  | { kind: "file"; path: string; mode: number; uid?: number; gid?: number; content: string }
  | { kind: "link"; path: string; target: string }
  | { kind: "directory"; path: string; mode: number; uid: number; gid: number }
  | { kind: "remove"; path: string };
