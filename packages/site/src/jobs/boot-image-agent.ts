import { storedDigests } from "@prestage/content";
import { manifestReader } from "@prestage/media";
import type { MediaSourceContent } from "@prestage/media";
import { openWimFile, walkEntries } from "@prestage/wim";
import { SiteError } from "../error.ts";

/** An agent has 2 MB. */
const longestAgent = 64 * 1024 * 1024;
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
  const wim = await openWimFile(version.wimPath);
  try {
    const entry = [...walkEntries(await wim.readImage(2))].find(({ path }) => path === "agent.mjs")?.entry;
    const resource = entry?.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1)?.resource;
    if (resource === undefined || resource.size > longestAgent) return;
    const agent = Buffer.from(await wim.readResourceRange(resource, 0, resource.size));
    if (!agent.includes(agentSign) || agent.includes(manifestReader)) return;
    throw new SiteError("PRESTAGE_SITE_BOOT_IMAGE_OLD", `Expected a boot image whose agent reads the manifests this site writes (${manifestReader}); the agent of ${content.objectId} revision ${content.revision} is older. Build the boot image anew with \`prestage boot-image build\` and import it with --update ${content.objectId}.`);
  } finally {
    await wim.close();
  }
}
