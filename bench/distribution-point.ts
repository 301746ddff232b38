// `npm run bench -- dp`: ranges of 1 MiB and of 1 KiB from our distribution point and from nginx, of the same file, asked for by the same client.
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importFolder } from "@prestage/content";
import { parseConfiguration, serve } from "@prestage/site";
import { signUrlQuery } from "@prestage/trust";
import { median, runProgram } from "./measure.ts";
import { startNginx } from "./nginx.ts";

const megabytes = 256;
const connections = 8;

/** Asks for ranges of so many bytes at random places, each a request of its own on connections that stay open. */
const script = (bytes: number) => `
math.randomseed(1)
request = function()
  local first = math.random(0, ${megabytes - 2}) * 1048576
  return wrk.format("GET", nil, { ["Range"] = "bytes=" .. first .. "-" .. (first + ${bytes - 1}) })
end
`;

/** Our server in this process, which needs its certificate, signs and logs as always; nginx beside it with the same certificate, plain as it serves a published tree. */
export async function benchDistributionPoint(options: { runs: number; say: (text: string) => void }): Promise<void> {
  const { say } = options;
  const folder = await mkdtemp(join(tmpdir(), "prestage-bench-dp-"));
  await chmod(folder, 0o755); // PostgreSQL's user must reach it
  const site = await serve(parseConfiguration({ dataDirectory: join(folder, "data"), siteCode: "BEN", host: "127.0.0.1", port: 0, logLevel: "error" }));
  try {
    await mkdir(join(folder, "source"));
    await writeFile(join(folder, "source/file.bin"), randomBytes(megabytes * 2 ** 20));
    const { contentId } = await importFolder(site.context.library, join(folder, "source"));
    const path = `/content/${contentId}/content.wim`;
    const nginx = await startNginx(join(folder, "data"), await site.context.keys.authority.issue(["127.0.0.1"], new Date()));
    try {
      const signed = `${site.url}${path}?${signUrlQuery(path, "bench", Math.floor(Date.now() / 1000) + 86_400, site.context.keys.signing.url)}`;
      const servers = { "prestage, TLS": signed, "nginx, TLS": `${nginx.tls ?? ""}${path}`, "nginx, plain": `${nginx.plain}${path}` };
      for (const [what, bytes, unit] of [["1 MiB", 2 ** 20, "MiB/s"], ["1 KiB, as pieces are fetched", 1024, "requests/s"]] as const) {
        const lua = join(folder, `ranges-${bytes}.lua`);
        await writeFile(lua, script(bytes));
        const rates: Record<string, number[]> = {};
        for (let run = 0; run < options.runs; run++) for (const [name, url] of Object.entries(servers)) (rates[name] ??= []).push(await rangesPerSecond(url, lua));
        say(`Ranges of ${what}, of a file of ${megabytes} MiB in memory, ${connections} connections, one client (wrk) on the same machine; ${unit}: min, median, max of ${options.runs} runs, in turn`);
        for (const [name, values] of Object.entries(rates)) say(`  ${name.padEnd(18)}${[Math.min(...values), median(values), Math.max(...values)].map((value) => value.toFixed(0).padStart(7)).join("")}`);
        say(`\n  prestage / nginx, TLS            ${(median(rates["prestage, TLS"] ?? []) / median(rates["nginx, TLS"] ?? [])).toFixed(2)}${bytes === 2 ** 20 ? "   goal: at least 1" : ""}\n`);
      }
      say(`Most memory at once: prestage, the whole site in this process, ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB; nginx, ${nginx.processes()} processes, ${nginx.memory().toFixed(0)} MiB`);
    } finally {
      await nginx.stop();
    }
  } finally {
    await site.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function rangesPerSecond(url: string, lua: string): Promise<number> {
  const output = await runProgram("wrk", ["-t1", `-c${connections}`, "-d4s", "-s", lua, url]);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(output)?.[1];
  if (rate === undefined || /Non-2xx|Socket errors/.test(output)) throw new Error(`Expected wrk to be answered every request; found: ${output}`);
  return Number(rate);
}
