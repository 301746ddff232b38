import { buildApplication, buildRouteMap } from "@stricli/core";
import { alertRoutes } from "./commands/alert.ts";
import { approvalRoutes } from "./commands/approval.ts";
import { auditRoutes } from "./commands/audit.ts";
import { bootImageBuild } from "./commands/boot-image.ts";
import { claimRoutes } from "./commands/claim.ts";
import { collectionRoutes } from "./commands/collection.ts";
import { conflictRoutes } from "./commands/conflict.ts";
import { deploymentRoutes } from "./commands/deployment.ts";
import { depotRoutes } from "./commands/depot.ts";
import { deviceRoutes } from "./commands/device.ts";
import { distributionPointRoutes } from "./commands/distribution-point.ts";
import { contentLibraryRoutes } from "./commands/content.ts";
import { contentRoutes } from "./commands/import.ts";
import { keyringRoutes } from "./commands/keyring.ts";
import { labRoutes } from "./commands/lab.ts";
import { mediaRoutes } from "./commands/media.ts";
import { secretRoutes } from "./commands/secret.ts";
import { sequenceRoutes } from "./commands/sequence.ts";
import { serveCommand } from "./commands/serve.ts";
import { receiptRoutes } from "./commands/receipt.ts";
import { siteRoutes } from "./commands/site.ts";
import { stageCommand } from "./commands/stage.ts";
import { statusRoutes } from "./commands/status.ts";
import { wimRoutes } from "./commands/wim.ts";
import { bundleDepot } from "./bundle-depot.ts";
import { version } from "./version.ts";

const routes = buildRouteMap({
  docs: { brief: "Open, self-hosted prestaged-media operating-system deployment" },
  routes: {
    serve: serveCommand,
    site: siteRoutes,
    "os-image": contentRoutes("os-image"),
    "boot-image": contentRoutes("boot-image", { build: bootImageBuild }),
    application: contentRoutes("application"),
    package: contentRoutes("package"),
    "driver-package": contentRoutes("driver-package"),
    content: contentLibraryRoutes,
    sequence: sequenceRoutes,
    collection: collectionRoutes,
    deployment: deploymentRoutes,
    alert: alertRoutes,
    device: deviceRoutes,
    approval: approvalRoutes,
    claim: claimRoutes,
    conflict: conflictRoutes,
    secret: secretRoutes,
    keyring: keyringRoutes,
    media: mediaRoutes,
    stage: stageCommand(bundleDepot),
    depot: depotRoutes,
    receipt: receiptRoutes,
    "distribution-point": distributionPointRoutes,
    status: statusRoutes,
    audit: auditRoutes,
    lab: labRoutes,
    wim: wimRoutes,
  },
});

export const app = buildApplication(routes, { name: "prestage", versionInfo: { currentVersion: version }, scanner: { caseStyle: "allow-kebab-for-camel" } });
