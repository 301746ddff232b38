import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chown, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { SiteError } from "../error.ts";
import { hasEnded, SupervisedServer } from "./supervised-server.ts";
import type { ServerEvent } from "./supervised-server.ts";

const run = promisify(execFile);

export interface PrivatePostgres { connection: { host: string; database: string; user: string }; stop(): Promise<void> }

/**
 * A PostgreSQL of our own on a Unix socket, no TCP, no password: peer authentication maps this process's user to the one role.
 * Started by root it runs as user postgres. When this process dies PostgreSQL shuts down by itself (pdeathsig); when it dies
 * under this process it is started again.
 * @throws SiteError PRESTAGE_SITE_DATABASE
 */
export async function startPrivatePostgres(folder: string, onEvent: (event: ServerEvent) => void): Promise<PrivatePostgres> {
  const binaries = await findBinaries();
  const owner = await databaseUser();
  const data = join(folder, "data");
  const socketFolder = join(folder, "run");
  if (Buffer.byteLength(join(socketFolder, ".s.PGSQL.5432")) > 107) {
    throw new SiteError("PRESTAGE_SITE_DATABASE", `Expected a data directory with a shorter path: PostgreSQL's socket below ${socketFolder} would be longer than 107 bytes.`);
  }
  for (const path of [folder, data, socketFolder]) {
    await mkdir(path, { recursive: true });
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }
  if (!(await stat(join(data, "PG_VERSION")).then(() => true, () => false))) await initialise(binaries, data, owner);
  await writeAccessRules(data, owner);
  // What it says while it starts is no news; a failure names the file.
  const logFile = join(folder, "postgres.log");
  const launch = async () => {
    const log = await open(logFile, "a");
    try {
      return spawnAs(owner, log.fd, join(binaries, "postgres"), ["-D", data, "-c", "listen_addresses=", "-c", `unix_socket_directories=${socketFolder}`, "-c", "log_min_messages=fatal"]);
    } finally {
      await log.close();
    }
  };
  const connection = { host: socketFolder, database: "prestage", user: "prestage" };
  const first = await launch();
  const server = new SupervisedServer(first, launch, (child) => waitUntilReady(child, connection, logFile), onEvent);
  try {
    await waitUntilReady(first, { ...connection, database: "postgres" }, logFile);
    await createDatabase({ ...connection, database: "postgres" });
  } catch (cause) {
    await server.stop();
    throw cause;
  }
  server.supervise();
  return { connection, stop: () => server.stop() };
}

interface Owner { name: string; uid: number; gid: number }

async function findBinaries(): Promise<string> {
  const versions = (await readdir("/usr/lib/postgresql").catch(() => [])).map(Number).filter((version) => version >= 15);
  const newest = Math.max(...versions);
  if (!Number.isFinite(newest)) throw new SiteError("PRESTAGE_SITE_DATABASE", "Expected PostgreSQL 15 or newer below /usr/lib/postgresql; found none. Install the package postgresql, or set DATABASE_URL.");
  return join("/usr/lib/postgresql", String(newest), "bin");
}

/** PostgreSQL refuses root: then it runs as the package's own user. */
async function databaseUser(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const line = (await readFile("/etc/passwd", "utf8")).split("\n").find((one) => one.startsWith("postgres:"));
  const [name = "", , uid = "", gid = ""] = line?.split(":") ?? [];
  if (name === "") throw new SiteError("PRESTAGE_SITE_DATABASE", "Expected a user `postgres`; found none. Install the package postgresql.");
  return { name, uid: Number(uid), gid: Number(gid) };
}

async function initialise(binaries: string, data: string, owner: Owner | undefined): Promise<void> {
  const args = ["-D", data, "--locale=C.UTF-8", "--encoding=UTF8", "--auth=peer", "--username=prestage", "--data-checksums"];
  const [program, argv] = commandAs(owner, join(binaries, "initdb"), args);
  await run(program, argv, { env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] } }).catch((cause: unknown) => {
    throw new SiteError("PRESTAGE_SITE_DATABASE", `Expected initdb to make ${data}; found: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  });
}

async function writeAccessRules(data: string, owner: Owner | undefined): Promise<void> {
  const users = new Set([userInfo().username, owner?.name ?? userInfo().username]);
  await writeFile(join(data, "pg_ident.conf"), [...users].map((user) => `prestage ${user} prestage\n`).join(""));
  await writeFile(join(data, "pg_hba.conf"), "local all prestage peer map=prestage\n");
}

function commandAs(owner: Owner | undefined, program: string, args: string[]): [string, string[]] {
  const as = owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"];
  return ["setpriv", [...as, "--no-new-privs", "--pdeathsig", "INT", program, ...args]];
}

function spawnAs(owner: Owner | undefined, errors: number, program: string, args: string[]): ChildProcess {
  const [file, argv] = commandAs(owner, program, args);
  return spawn(file, argv, { stdio: ["ignore", "ignore", errors], cwd: "/", env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "/usr/bin:/bin" } });
}

/** Ready is when a query succeeds; until then the socket is absent (ENOENT, ECONNREFUSED) or answers 57P03. */
async function waitUntilReady(child: ChildProcess, connection: pg.ClientConfig, logFile: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (hasEnded(child)) throw new SiteError("PRESTAGE_SITE_DATABASE", `Expected PostgreSQL to start; it ended with ${child.exitCode ?? child.signalCode ?? "no program"}. Its own words are in ${logFile}; is another server using this data directory?`);
    const client = new pg.Client(connection);
    client.on("error", () => undefined); // the server may end again right after it has answered
    try {
      await client.connect();
      await client.end();
      return;
    } catch (cause) {
      await client.end().catch(() => undefined);
      if (Date.now() > deadline) throw new SiteError("PRESTAGE_SITE_DATABASE", "Expected PostgreSQL to answer within a minute; it did not.", { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function createDatabase(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  client.on("error", () => undefined); // what is asked of it fails then
  await client.connect();
  try {
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = 'prestage'");
    if (found.rowCount === 0) await client.query("CREATE DATABASE prestage");
  } finally {
    await client.end();
  }
}
