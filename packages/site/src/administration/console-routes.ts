import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Routes } from "../http/new-server.ts";
import type { SiteContext } from "../site-context.ts";
import { lookAtAlerts } from "../jobs/alert-watch.ts";
import { listAlerts } from "../store/alerts.ts";
import { listDeployments } from "../store/deployments.ts";
import { listDevices } from "../store/devices.ts";
import { checkToken } from "./check-token.ts";

/** Nothing from elsewhere, no inline script. */
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The page that shows devices live. Its files hold no data; the data needs the token. */
export function consoleRoutes(server: Routes, context: SiteContext): void {
  for (const { path, type, body } of context.pages) {
    server.get(path, (_request, reply) => reply.type(type).header("content-security-policy", contentSecurityPolicy).header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer").send(body));
  }
  // The token first: who has none learns nothing, not even what a request should look like.
  const onRequest = async (request: FastifyRequest) => checkToken(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1], context.keys.adminToken);
  server.get("/v1/devices/events", { onRequest, schema: { querystring: z.strictObject({}) } }, async (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    let pending = false;
    const send = async () => {
      if (pending) return;
      pending = true;
      try {
        const devices = await listDevices(context.db);
        const [deployments, alerts] = [await listDeployments(context.db), await listAlerts(context.db)];
        pending = false;
        for (const [event, data] of Object.entries({ devices, deployments, alerts })) reply.raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      } catch (cause) {
        pending = false;
        context.log.warn({ err: cause }, "device events");
      }
    };
    const unsubscribe = context.feed.subscribe(() => void send());
    const beat = setInterval(() => reply.raw.write(": alive\n\n"), 15_000);
    // That a run takes too long, or too few have succeeded by a date, is told by the time alone.
    const again = setInterval(() => {
      lookAtAlerts(context);
      void send();
    }, 60_000);
    reply.raw.on("close", () => {
      clearInterval(beat);
      clearInterval(again);
      unsubscribe();
    });
    await send();
  });
}
