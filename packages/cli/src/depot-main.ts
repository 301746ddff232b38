import { depotApp } from "./depot-app.ts";
import { runApp } from "./run-app.ts";

await runApp(depotApp);
