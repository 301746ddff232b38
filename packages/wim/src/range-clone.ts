import { spawn } from "node:child_process";
import type { CopyRange } from "./output-file.ts";

/** Number of copy_file_range(2). */
const systemCalls: Partial<Record<NodeJS.Architecture, number>> = { x64: 326, arm64: 285 };
/** Bytes of one call: it is told when they are done. */
const step = 2 ** 24;

const script = `
my ($call, $from, $s, $to, $d, $n, $step) = @ARGV;
$| = 1;
open(my $i, '<', $from) or die; open(my $o, '+<', $to) or die;
while ($n > 0) {
  my ($x, $y) = (pack('q', $s), pack('q', $d));
  my $r = syscall($call, fileno($i), $x, fileno($o), $y, $n < $step ? $n : $step, 0);
  exit 1 if $r <= 0;
  $s += $r; $d += $r; $n -= $r;
  print "$r\\n";
}`;

/**
 * Copies ranges by copy_file_range, through the perl that every Debian has: no native module. On XFS and btrfs blocks are
 * shared instead of copied. Anything that goes wrong means "not here": the caller then reads and writes.
 */
export const kernelCopyRange: CopyRange = async (range, signal, onBytes = () => {}) => {
  const call = systemCalls[process.arch];
  if (process.platform !== "linux" || call === undefined) return false;
  const args = [call, range.from, range.fromOffset, range.to, range.toOffset, range.length, step].map(String);
  const done = await new Promise<boolean>((resolve) => {
    const child = spawn("perl", ["-e", script, ...args], { stdio: ["ignore", "pipe", "ignore"], ...(signal !== undefined && { signal }) });
    let line = "";
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      const bytes = lines.reduce((sum, one) => sum + Number(one), 0);
      if (bytes > 0) onBytes(bytes);
    });
    child.on("error", () => resolve(false)).on("close", (code) => resolve(code === 0));
  });
  signal?.throwIfAborted();
  return done;
};
