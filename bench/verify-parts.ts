import { spanSize } from "@prestage/content";
import { openWimFile, ResourceHasher, resourceFlags } from "@prestage/wim";

/** Seconds to hash the stored and the compressed data of a WIM as verification does it, each by threads of its own, and the bytes of each in the file. */
export async function timeParts(path: string): Promise<Record<"stored" | "compressed", { seconds: number; bytes: number }>> {
  const wim = await openWimFile(path);
  try {
    const time = async (compressed: boolean) => {
      const resources = [...wim.blobs.values()].map(({ resource }) => resource).filter(({ flags }) => ((flags & resourceFlags.compressed) !== 0) === compressed);
      const ranges = resources.flatMap((resource) => Array.from({ length: Math.ceil(resource.size / spanSize) }, (_, i) => ({ resource, from: i * spanSize, to: Math.min(resource.size, (i + 1) * spanSize) })));
      const start = performance.now();
      const hasher = new ResourceHasher();
      try {
        await Promise.all(ranges.map(({ resource, from, to }) => hasher.hash(wim, resource, from, to, "sha256")));
        return { seconds: (performance.now() - start) / 1000, bytes: resources.reduce((sum, { storedSize }) => sum + storedSize, 0) };
      } finally {
        await hasher.close();
      }
    };
    return { stored: await time(false), compressed: await time(true) };
  } finally {
    await wim.close();
  }
}
