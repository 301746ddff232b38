import { redact } from "../redact.ts";
import type { JsonSettings } from "../translation.ts";

/** What people are told before it, where there is anything (SMSRebootMessage, SMSRebootTimeout). */
export function noticeOf(message: string, seconds: string): JsonSettings {
  if (message.trim() === "" || redact(message).found) return {};
  return { message: message.slice(0, 1000), ...(/^\d{1,5}$/.test(seconds) && { delaySeconds: Math.min(86_400, Number(seconds)) }) };
}
