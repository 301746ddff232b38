import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";

const mostLinks = 40;

/** Where a path of the system below `root` leads, its links followed as that system follows them: never out of `root`. Undefined where it leads nowhere. */
export async function resolveInRoot(root: string, path: string): Promise<string | undefined> {
  const pending = path.split("/").filter((part) => part !== "" && part !== ".");
  const resolved: string[] = [];
  for (let links = 0; ; ) {
    const part = pending.shift();
    if (part === undefined) return join(root, ...resolved);
    if (part === "..") {
      resolved.pop();
      continue;
    }
    const at = join(root, ...resolved, part);
    const status = await lstat(at).catch(() => undefined);
    if (status === undefined) return undefined;
    if (!status.isSymbolicLink()) {
      resolved.push(part);
      continue;
    }
    if (++links > mostLinks) return undefined;
    const target = await readlink(at);
    if (target.startsWith("/")) resolved.length = 0;
    pending.unshift(...target.split("/").filter((one) => one !== "" && one !== "."));
  }
}
