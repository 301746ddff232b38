/** Waits for a person, or for the signal; `end` is called in either case. */
export async function untilAnswered<T>(answer: Promise<T>, signal: AbortSignal, end: () => void): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  // The terminals' input does not keep the process alive; waiting for a key does.
  const alive = setInterval(() => undefined, 60_000);
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    clearInterval(alive);
    end();
    signal.removeEventListener("abort", onAbort);
  }
}
