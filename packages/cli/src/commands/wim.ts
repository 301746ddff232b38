import { buildRouteMap } from "@stricli/core";
import { wimDiff } from "./wim-diff.ts";
import { wimExport, wimSet } from "./wim-export.ts";
import { wimExtract } from "./wim-extract.ts";
import { wimInfo } from "./wim-info.ts";
import { wimList, wimTree } from "./wim-list.ts";
import { wimJoin, wimSplit } from "./wim-split.ts";
import { wimVerify } from "./wim-verify.ts";

/** WIM files of any form, without a site. Exit codes: 0 done, 1 refused or damaged, 2 not understood. */
export const wimRoutes = buildRouteMap({
  docs: { brief: "WIM files: info, list, tree, verify, extract, export, set, split, join, diff" },
  routes: { info: wimInfo, list: wimList, tree: wimTree, verify: wimVerify, extract: wimExtract, export: wimExport, set: wimSet, split: wimSplit, join: wimJoin, diff: wimDiff },
});
