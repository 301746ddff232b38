/** One rule a package, from the import table; circles are refused everywhere. @swc/core lets the tool read TypeScript. */
const { importTable } = require("./setup/import-table.mjs");

module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    ...Object.entries(importTable).map(([name, allowed]) => ({
      name: `${name}-imports`,
      severity: "error",
      from: { path: `^packages/${name}/` },
      to: { path: `^packages/(?!(${[name, ...allowed].join("|")})/)` },
    })),
    { name: "contract-runs-in-a-browser", severity: "error", from: { path: "^packages/(contract/src|[^/]+/src/schema\\.ts)" }, to: { dependencyTypes: ["core"] } },
  ],
  options: {
    exclude: { path: "node_modules|demo-out" },
    parser: "swc",
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node"] },
  },
};
