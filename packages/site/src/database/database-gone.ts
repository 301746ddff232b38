/** SQLSTATEs of a server that starts, stops or broke down (PostgreSQL's manual, appendix A). */
const goneStates = /^(08\d{3}|57P0[123]|53300)$/;
const goneCalls = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "EAGAIN"]);
/** What the client library says without a code. */
const goneWords = /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect)/;

/** True of an error that says the database does not answer at the moment, whatever was asked. */
export function isDatabaseGone(cause: unknown, depth = 0): boolean {
  if (!(cause instanceof Error) || depth > 5) return false;
  const { code, syscall } = cause as Error & { code?: unknown; syscall?: unknown };
  if (typeof code === "string" && (goneStates.test(code) || (goneCalls.has(code) && (syscall === "connect" || syscall === "read" || syscall === "write") && !("path" in cause)))) return true;
  return goneWords.test(cause.message) || isDatabaseGone(cause.cause, depth + 1);
}
