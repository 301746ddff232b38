import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { consolePages } from "@prestage/console";
import { parseConfiguration, serve } from "@prestage/site";
import { parse as parseToml } from "smol-toml";
import { command, flag, jsonFlag, optionalText, texts } from "../command.ts";
import { print } from "../output.ts";
import { defaultDataDirectory } from "../site-client.ts";

type Flags = { data?: string; config?: string; siteCode?: string; host?: string; port?: string; publicUrl?: readonly string[]; noPatches?: boolean; noPieces?: boolean; validateContentEvery?: string; check?: boolean; json?: boolean }

export const serveCommand = command<Flags>({
  brief: "Run the site: management point, distribution point, administration API and console",
  example: "prestage serve --data /var/lib/prestage --site-code ABC --public-url https://deploy.example.com:8443",
  parameters: {
    flags: {
      data: optionalText("Data directory: keys, content, database, logs", "DIR"),
      config: optionalText("Configuration file (TOML)", "FILE"),
      siteCode: optionalText("Three letters or digits, fixed at first start", "ABC"),
      host: optionalText("Address to listen on", "ADDRESS"),
      port: optionalText("Port to listen on; 0 for any", "PORT"),
      publicUrl: texts("URL devices reach this site under; may be repeated", "URL"),
      noPatches: flag("Make no patches between content versions"),
      noPieces: flag("Make no packs of pieces of content versions where there are no patches"),
      validateContentEvery: optionalText("Validate the library and the distribution points this often: 12h, 7d", "INTERVAL"),
      check: flag("Check the configuration and end"),
      ...jsonFlag,
    },
  },
  async run(context, flags) {
    const file = flags.config === undefined ? {} : (parseToml(await readFile(flags.config, "utf8")) as Record<string, unknown>);
    const fromEnvironment = { ...(process.env["DATABASE_URL"] && { databaseUrl: process.env["DATABASE_URL"] }) };
    const fromFlags = { ...(flags.siteCode && { siteCode: flags.siteCode }), ...(flags.host && { host: flags.host }), ...(flags.port && { port: flags.port }), ...(flags.publicUrl && { publicUrls: flags.publicUrl }), ...(flags.noPatches && { patches: false }), ...(flags.noPieces && { pieces: false }), ...(flags.validateContentEvery && { validateContentEvery: flags.validateContentEvery }) };
    const dataDirectory = resolve(flags.data ?? (typeof file["dataDirectory"] === "string" ? file["dataDirectory"] : defaultDataDirectory()));
    const configuration = parseConfiguration({ ...file, ...fromEnvironment, ...fromFlags, dataDirectory });
    if (flags.check === true) return print(context, flags.json, { valid: true }, "The configuration is valid.");
    const site = await serve(configuration, { pages: consolePages, onProgress: (message) => context.process.stderr.write(`${message}\n`) });
    print(context, flags.json, { url: site.url, dataDirectory, tokenFile: `${dataDirectory}/admin-token` }, `Site ${configuration.siteCode} is ready at ${site.url}\nThe administration token is in ${dataDirectory}/admin-token`);
    await new Promise<void>((done) => {
      if (context.signal.aborted) done();
      context.signal.addEventListener("abort", () => done());
    });
    context.process.stderr.write("Stopping\n");
    await site.stop();
  },
});
