import { redact } from "./redact.ts";
import type { SourceNode } from "./source-sequence.ts";

/** What a step or group is called here; no password is in it. */
export function nameOf(node: SourceNode): string {
  return redact(node.name.trim() || node.type || node.kind).text.slice(0, 256);
}

export function described(description: string): { description?: string } {
  return description.trim() === "" ? {} : { description: redact(description.trim()).text.slice(0, 1000) };
}

/** What a disabled step says of itself: why, what it was, and its own description; never a password. */
export function why(node: SourceNode, reason: string): string {
  const was = [node.type || "a step without a type", ...(node.action === "" ? [] : [redact(node.action).text])].join(": ");
  return `Not translated: ${reason}. It was ${was}${node.description.trim() === "" ? "" : `\n${redact(node.description.trim()).text}`}`.slice(0, 1000);
}
