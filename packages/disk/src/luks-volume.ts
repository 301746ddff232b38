import { DiskError } from "./error.ts";
import { runProgram } from "./run-program.ts";
import { volumeFacts } from "./data-volume.ts";

export interface LuksOptions {
  /** A partition; what is on it is lost. */
  device: string;
  /** Names the volume in its header. */
  name: string;
  /** Opens it on any computer. Reaches cryptsetup by its standard input alone. */
  passphrase: string;
  /** A file of random text that opens it too. */
  keyFile: string;
  /** How cryptsetup stretches the passphrase; as it does by itself where nothing is said (argon2id, two seconds a try). */
  stretching?: readonly string[];
  signal?: AbortSignal | undefined;
}

const making = "prestage-making";
const madeLabel = (name: string) => `prestage-made-${name}`;
/** Slots are tried in their order, the slow passphrase last. */
const [keySlot, passphraseSlot] = ["0", "1"];
/** Random text needs no stretching. */
const quick = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
const anyCode = Array.from({ length: 256 }, (_, i) => i);

/**
 * Makes a LUKS2 volume that both keys open. Its label says how far it is: one that was cut short before `finishLuks` begins anew; one that is
 * finished is kept, with what is in it, if the passphrase opens it.
 * @throws DiskError PRESTAGE_DISK_ENCRYPTED
 */
export async function prepareLuks(options: LuksOptions): Promise<"new" | "kept"> {
  const { device, name, passphrase, keyFile, signal } = options;
  const { type, label } = await volumeFacts(device, { signal });
  const state = type !== "crypto_LUKS" || label === making ? "new" : "kept";
  if (state === "kept") {
    if (label !== madeLabel(name) || !(await opens(device, "-", passphrase, signal))) throw new DiskError("PRESTAGE_DISK_ENCRYPTED", `Expected ${device} not to be encrypted, or by this step with the same passphrase; found a LUKS volume ${JSON.stringify(label ?? "")}. Partition the disk anew if what is on it may be lost.`);
  } else {
    await runProgram("cryptsetup", ["luksFormat", "--batch-mode", "--type", "luks2", "--label", making, "--key-slot", passphraseSlot, ...(options.stretching ?? []), "--key-file", "-", device], { input: passphrase, signal });
  }
  if (state === "new" || !(await opens(device, keyFile, "", signal, keySlot))) {
    // That of an earlier system.
    if (state === "kept") await runProgram("cryptsetup", ["luksKillSlot", "--batch-mode", "--key-file", "-", device, keySlot], { input: passphrase, accept: anyCode, signal });
    await runProgram("cryptsetup", ["luksAddKey", "--batch-mode", "--key-slot", keySlot, ...quick, "--key-file", "-", device, keyFile], { input: passphrase, signal });
  }
  return state;
}

/** Says in the volume's header that what it holds is whole. LUKS2 keeps two headers: a cut leaves one of them. */
export async function finishLuks({ device, name, signal }: Pick<LuksOptions, "device" | "name" | "signal">): Promise<void> {
  await runProgram("cryptsetup", ["config", device, "--label", madeLabel(name)], { signal });
}

async function opens(device: string, keyFile: string, input: string, signal: AbortSignal | undefined, slot = passphraseSlot): Promise<boolean> {
  const { exitCode, errorOutput } = await runProgram("cryptsetup", ["open", "--test-passphrase", "--batch-mode", "--key-slot", slot, "--key-file", keyFile, device], { input, accept: anyCode, signal });
  // 2: no key fits (cryptsetup(8)); 1: a cut has left the slot empty, which is mended; else something is wrong.
  if (exitCode > 2 || (exitCode === 1 && slot === passphraseSlot)) throw new DiskError("PRESTAGE_DISK_PROGRAM_FAILED", `cryptsetup could not try a key on ${device}: it ended with ${exitCode}. It said: ${errorOutput.trim().slice(-500)}`);
  return exitCode === 0;
}
