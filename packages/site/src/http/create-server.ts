import { administrationRoutes } from "../administration/routes.ts";
import { consoleRoutes } from "../administration/console-routes.ts";
import { distributionPointRoutes } from "../distribution-point/routes.ts";
import { managementPointRoutes } from "../management-point/routes.ts";
import type { SiteContext } from "../site-context.ts";
import { newServer } from "./new-server.ts";
import type { Routes } from "./new-server.ts";

/** The one HTTPS server: management point, distribution point, administration API, console. */
export function createServer(context: SiteContext, tls: { certificate: string; key: string }): Routes {
  const server = newServer(context, tls);
  managementPointRoutes(server, context);
  distributionPointRoutes(server, context);
  administrationRoutes(server, context);
  consoleRoutes(server, context);
  return server;
}
