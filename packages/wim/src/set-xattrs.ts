import { spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";
import { once } from "node:events";

export interface WantedXattr {
  /** Below the root. */
  readonly path: string;
  readonly name: string;
  readonly value: Uint8Array;
}

/** Numbers of lsetxattr(2). */
const systemCalls: Partial<Record<NodeJS.Architecture, number>> = { x64: 189, arm64: 5 };

const script = `
my ($call, $root) = @ARGV;
chdir($root) or die "chdir: $!";
while (<STDIN>) {
  chomp; my ($path, $name, $value) = map { pack('H*', $_) } split /\\t/, $_, 3;
  my $r = syscall($call, "./$path", $name, $value, length($value), 0);
  print unpack('H*', "$path $name"), "\\n" if $r != 0;
}`;

/**
 * Sets extended attributes without following links, through the perl that every Debian has, as Node cannot. Returns those that
 * were refused, as `path name`; where there is no perl, all.
 */
export async function setXattrs(root: FileHandle, wanted: readonly WantedXattr[], signal: AbortSignal | undefined): Promise<string[]> {
  const all = wanted.map(({ path, name }) => `${path} ${name}`);
  const call = systemCalls[process.arch];
  if (wanted.length === 0 || process.platform !== "linux" || call === undefined) return all;
  const child = spawn("perl", ["-e", script, String(call), `/proc/${process.pid}/fd/${root.fd}`], { stdio: ["pipe", "pipe", "ignore"], ...(signal && { signal }) });
  const output: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => output.push(piece));
  child.stdin.on("error", () => {});
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  child.stdin.end(wanted.map(({ path, name, value }) => `${hex(Buffer.from(path))}\t${hex(Buffer.from(name, "latin1"))}\t${hex(value)}\n`).join(""));
  try {
    const [code]: unknown[] = await once(child, "close");
    if (code !== 0) return all;
  } catch {
    signal?.throwIfAborted();
    return all;
  }
  return Buffer.concat(output).toString().split("\n").filter((line) => line !== "").map((line) => Buffer.from(line, "hex").toString());
}
