import { isMainThread } from "node:worker_threads";
import { depotApp } from "./depot-app.ts";
import { runApp } from "./run-app.ts";

// A thread that hashes is this same bundle: it runs no command.
if (isMainThread) await runApp(depotApp);
