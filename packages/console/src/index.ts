import { readFileSync } from "node:fs";

const file = (name: string) => readFileSync(new URL(`page/${name}`, import.meta.url), "utf8");

/** The console's files as the site serves them: one page that shows devices live, behind the token. */
export const consolePages = [
  { path: "/", type: "text/html; charset=utf-8", body: file("index.html") },
  { path: "/console.js", type: "text/javascript; charset=utf-8", body: file("console.js") },
  { path: "/console.css", type: "text/css; charset=utf-8", body: file("console.css") },
] as const;
