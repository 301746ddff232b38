import { buildApplication, buildRouteMap } from "@stricli/core";
import { init, show as showDepot } from "./commands/depot.ts";
import { inspect, verify as verifyMedia } from "./commands/media.ts";
import { create, show as showReceipt, verify as verifyReceipt } from "./commands/receipt.ts";
import { stageCommand } from "./commands/stage.ts";
import { version } from "./version.ts";

/** What a depot does, without a site: the part of the command that goes into a bundle. */
const routes = buildRouteMap({
  docs: { brief: "Lays a Prestage media on disks" },
  routes: {
    stage: stageCommand(undefined),
    receipt: buildRouteMap({ docs: { brief: "Receipts of staged disks" }, routes: { create, show: showReceipt, verify: verifyReceipt } }),
    depot: buildRouteMap({ docs: { brief: "The key that signs receipts" }, routes: { init, show: showDepot } }),
    media: buildRouteMap({ docs: { brief: "The media" }, routes: { inspect, verify: verifyMedia } }),
  },
});

export const depotApp = buildApplication(routes, { name: "run.sh", versionInfo: { currentVersion: version }, scanner: { caseStyle: "allow-kebab-for-camel" } });
