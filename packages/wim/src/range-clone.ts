import { execFile } from "node:child_process";
import type { CopyRange } from "./output-file.ts";

/** Number of copy_file_range(2). */
const systemCalls: Partial<Record<NodeJS.Architecture, number>> = { x64: 326, arm64: 285 };

const script = `
my ($call, $from, $s, $to, $d, $n) = @ARGV;
open(my $i, '<', $from) or die; open(my $o, '+<', $to) or die;
while ($n > 0) {
  my ($x, $y) = (pack('q', $s), pack('q', $d));
  my $r = syscall($call, fileno($i), $x, fileno($o), $y, $n, 0);
  exit 1 if $r <= 0;
  $s += $r; $d += $r; $n -= $r;
}`;

/**
 * Copies ranges by copy_file_range, through the perl that every Debian has: no native module. On XFS and btrfs blocks are
 * shared instead of copied. Anything that goes wrong means "not here": the caller then reads and writes.
 */
export const kernelCopyRange: CopyRange = async (range, signal) => {
  const call = systemCalls[process.arch];
  if (process.platform !== "linux" || call === undefined) return false;
  const args = [call, range.from, range.fromOffset, range.to, range.toOffset, range.length].map(String);
  const done = await new Promise<boolean>((resolve) => {
    execFile("perl", ["-e", script, ...args], signal === undefined ? {} : { signal }, (error) => resolve(error === null));
  });
  signal?.throwIfAborted();
  return done;
};
