import type { Policy, PolicyContent } from "@prestage/contract";
import type { TaskSequence, UserDeviceAffinity } from "@prestage/sequence";
import type { Journal } from "../journal/journal.ts";
import type { RunSettings } from "./run-settings.ts";
import type { Text } from "../screens/texts/en.ts";
import type { Screen } from "../screens/screen.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import type { SecretAccess } from "./secret-access.ts";

/** Content by object id, as the policy fixes it; implemented in content/. `signal` ends the fetch; what was fetched stays for the next time. */
export interface ContentAccess {
  /** Makes a version whole in the local cache: hit, revised or missing decided per file, fetched, verified; reports by itself. `folder` holds its files. */
  ensure(objectId: string, signal?: AbortSignal): Promise<{ content: PolicyContent; folder: string }>;
  /** The same, and a root-only verified copy to run from; `release` removes it when the step has ended. */
  checkOut(objectId: string, signal?: AbortSignal): Promise<{ content: PolicyContent; folder: string; release(): Promise<void> }>;
  /** An OS image's .wim to apply, and which image of it; where it leaves out what an older image on the disk has, that image too. */
  ensureImage(objectId: string, index: number, signal?: AbortSignal): Promise<{ content: PolicyContent; wim: string; image: number; references: string[] }>;
}

export interface VariableSource { name: string; value: string; source: "collection" | "deployment" | "device" | "media" | "prestart" | "task-sequence" }

export interface RunContext {
  /** boot: the boot environment; installed: the installed system. */
  environment: "boot" | "installed";
  /** Mount point of the data volume: /mnt/data, or / in the installed system. */
  dataRoot: string;
  /** Mount point of the EFI system partition. */
  espRoot: string;
  /** Makes the ESP writable and sound before the boot switch. */
  makeEspWritable: () => Promise<void>;
  /** Has the data volume unmounted while something writes to its device itself; where left out it is not mounted. */
  releaseVolume?: <T>(use: () => Promise<T>) => Promise<T>;
  /** Ends what somebody does at this computer beside the run; called before it leaves this environment. */
  beforeLeaving?: () => Promise<void>;
  disk: { device: string; espPartition: string; espGuid: string; dataPartition: string; dataGuid: string; dataFileSystemUuid: string; /** What the data volume is; ext4 where nothing is said. */ dataFileSystem?: "ext4" | "ntfs" };
  policy: NonNullable<Policy["selected"]>;
  sequence: TaskSequence;
  variables: readonly VariableSource[];
  content: ContentAccess;
  secrets: SecretAccess;
  status: StatusSpool;
  screen: Screen;
  /** What the media allows to become of the users a sequence names; none where nothing is said. */
  userDeviceAffinity?: UserDeviceAffinity;
  /** Never wait for a key. */
  unattended?: boolean;
  /** What becomes of this computer after a failure that stood for so many seconds, for the screen. */
  afterFailure?: (errorSeconds: number) => Text;
  /** Told when variables change what the run is to do. */
  onSettings?: (settings: RunSettings) => void;
  journal: Journal;
  signal: AbortSignal;
  log: (line: string) => void;
}
