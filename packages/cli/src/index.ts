export { app } from "./app.ts";
export { bundleAgent } from "./bundle-agent.ts";
export { CliError, cliErrors } from "./error.ts";
