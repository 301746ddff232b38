import { openStoredWim, storedDigests } from "@prestage/content";
import { manifestReader } from "@prestage/media";
import type { MediaSourceContent } from "@prestage/media";
import type { Step } from "@prestage/sequence";
import { walkEntries } from "@prestage/wim";
import { SiteError } from "../error.ts";

/** An agent has 2 MB. */
const longestAgent = 64 * 1024 * 1024;
/** Of a boot image's two; the other is the EFI system partition's. */
const agentImage = 2;
/** With which an installed Windows goes on; `prestage boot-image build --windows` brings them. */
const windowsRuntime = ["windows/node.exe", "windows/prestage-service.exe"];
/** In every agent, as it reads manifests; what does not hold it is something else in an agent's place, and not judged. */
const agentSign = "leastAgentVersion";

/**
 * An agent refuses a manifest with fields newer than itself, and cannot say why: better found here than at a computer. What it reads stands in the agent
 * itself, put there by the schema it was built with.
 * @throws SiteError PRESTAGE_SITE_BOOT_IMAGE_OLD; ContentError PRESTAGE_CONTENT_DAMAGED
 */
export async function requireReadingAgent({ content, version }: MediaSourceContent, signal: AbortSignal): Promise<void> {
  // A damaged agent is not judged by what it holds.
  await storedDigests(version, signal);
  const wim = await openStoredWim(version);
  try {
    const entry = [...walkEntries(await wim.readImage(agentImage))].find(({ path }) => path === "agent.mjs")?.entry;
    const resource = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource;
    if (resource === undefined || resource.size > longestAgent) return;
    const agent = Buffer.from(await wim.readResourceRange(resource, 0, resource.size));
    if (!agent.includes(agentSign) || agent.includes(manifestReader)) return;
    throw new SiteError("PRESTAGE_SITE_BOOT_IMAGE_OLD", `Expected a boot image whose agent reads the manifests this site writes (${manifestReader}); the agent of ${content.objectId} revision ${content.revision} is older. Build the boot image anew with \`prestage boot-image build\` and import it with --update ${content.objectId}.`);
  } finally {
    await wim.close();
  }
}

/**
 * A Windows that is set up goes on with the sequence by what the boot image brings for it: set-up-operating-system would fail without, when the disk has
 * been written over. `windowsImages`: the ids of those the media carries.
 * @throws SiteError PRESTAGE_SITE_BOOT_IMAGE_NO_WINDOWS
 */
export async function requireWindowsRuntime({ content, version }: MediaSourceContent, sequence: { steps: readonly Step[] }, windowsImages: ReadonlySet<string>): Promise<void> {
  const steps = [...enabledSteps(sequence.steps)];
  const applied = steps.find((step) => step.type === "apply-os-image" && [...windowsImages].some((id) => id === step.with?.["osImage"]));
  const goesOn = steps.find((step) => step.type === "set-up-operating-system");
  if (applied === undefined || goesOn === undefined) return;
  const wim = await openStoredWim(version);
  try {
    const files = new Set([...walkEntries(await wim.readImage(agentImage))].map(({ path }) => path));
    const missing = windowsRuntime.find((path) => !files.has(path));
    if (missing === undefined) return;
    throw new SiteError("PRESTAGE_SITE_BOOT_IMAGE_NO_WINDOWS", `Expected a boot image with the agent for Windows, as ${JSON.stringify(applied.name)} applies a Windows and ${JSON.stringify(goesOn.name)} has it go on with the sequence; ${content.objectId} revision ${content.revision} has no ${missing}. Build it with \`prestage boot-image build --windows\` and import it with --update ${content.objectId}, or take the step off the sequence.`);
  } finally {
    await wim.close();
  }
}

/** What is in a group that is disabled is so, too. */
function* enabledSteps(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.disabled === true) continue;
    yield step;
    yield* enabledSteps(step.steps ?? []);
  }
}
