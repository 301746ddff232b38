import { readFile } from "node:fs/promises";

/** The command blocks of a document by the word after `sh`: ```sh NAME. */
export async function documentBlocks(path: URL): Promise<Map<string, string>> {
  const text = await readFile(path, "utf8");
  return new Map([...text.matchAll(/^```sh (\S+)\n([^]*?)^```$/gm)].map(([, name = "", body = ""]) => [name, body]));
}
