import { app } from "./app.ts";
import { runApp } from "./run-app.ts";

await runApp(app);
