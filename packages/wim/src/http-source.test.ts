import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { capture } from "./fixtures/wimlib.ts";
import { openAnyWim, openHttpSource, verifyBlobs, walkEntries, type WimErrorCode } from "./index.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe("a WIM on a web server", () => {
  let folder = "";
  let bytes = Buffer.alloc(0);
  let server: Server;
  let url = "";
  let sent = 0;
  let handler: Handler;

  /** Serves ranges of `bytes`, and counts. */
  const ranges = (etag: () => string = () => '"one"'): Handler => (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!;
    const wanted = request.headers["if-range"];
    if (wanted !== undefined && wanted !== etag()) return void response.writeHead(200, { etag: etag() }).end("the whole new file");
    const body = bytes.subarray(Number(from), Number(to) + 1);
    sent += body.length;
    response.writeHead(206, { "content-range": `bytes ${from}-${Number(from) + body.length - 1}/${bytes.length}`, "content-length": body.length, etag: etag() }).end(body);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await mkdir(join(folder, "t", "many"), { recursive: true });
    await writeFile(join(folder, "t", "large"), randomBytes(12_000_000));
    for (let i = 0; i < 300; i++) await writeFile(join(folder, "t", "many", `file ${i}`), `${i}`);
    await capture(join(folder, "t"), join(folder, "t.wim"), "--compress=LZX:20", "--check");
    bytes = await readFile(join(folder, "t.wim"));
    server = createServer((request, response) => handler(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/t.wim`;
  });
  after(async () => {
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  test("is listed by fetching its tables only", async () => {
    sent = 0;
    handler = ranges();
    const source = await openHttpSource(url);
    const wim = await openAnyWim(source);
    assert.equal([...walkEntries(await wim.readImage(1))].length, 302);
    assert.ok(sent < 150_000, `${sent} of ${bytes.length} bytes were fetched`);
    assert.ok(source.traffic.requests <= 5, `${source.traffic.requests} requests`);
    assert.equal(source.traffic.bytes, sent);
    await wim.close();
  });

  test("is read whole, through a small cache, with weak and without validators", async () => {
    for (const etag of ['"strong"', 'W/"weak"']) {
      handler = ranges(() => etag);
      const wim = await openAnyWim(await openHttpSource(url, { blocks: 4, blockSize: 1000 }));
      await verifyBlobs(wim);
      await wim.close();
    }
  });

  const refused = async (code: WimErrorCode, message: RegExp, use: () => Promise<unknown>): Promise<void> => {
    await assert.rejects(use, (error: Error & { code?: string }) => error.code === code && message.test(error.message));
  };
  test("on a server without ranges is refused", async () => {
    handler = (_, response) => void response.end(bytes);
    await refused("PRESTAGE_WIM_HTTP_NO_RANGE", /Download it/, () => openHttpSource(url));
  });
  for (const [kind, first, second] of [["strong", '"one"', '"two"'], ["weak", 'W/"one"', 'W/"two"']] as const) {
    test(`that changes under way is refused (${kind} validator)`, async () => {
      let etag: string = first;
      handler = ranges(() => etag);
      const source = await openHttpSource(url);
      etag = second;
      await refused("PRESTAGE_WIM_HTTP_CHANGED", /Open it again/, () => source.read(bytes.length - 100, 100));
    });
  }
  test("that shrinks under way is refused", async () => {
    handler = ranges();
    const source = await openHttpSource(url);
    handler = (_, response) => void response.writeHead(416).end();
    await refused("PRESTAGE_WIM_HTTP_CHANGED", /changed/, () => source.read(1_000_000, 100));
  });
  test("that is not there, and a server that is not there", async () => {
    handler = (_, response) => void response.writeHead(404).end("no");
    await refused("PRESTAGE_WIM_HTTP", /404/, () => openHttpSource(url));
    await refused("PRESTAGE_WIM_HTTP", /cannot be fetched/, () => openHttpSource("http://127.0.0.1:1/x.wim"));
  });
  test("answers that do not fit what was asked", async () => {
    const answer = (range: string, body: Buffer): Handler => (_, response) => void response.writeHead(206, { "content-range": range }).end(body);
    handler = answer("bytes 5-9/100", Buffer.alloc(5));
    await refused("PRESTAGE_WIM_HTTP", /bytes 5 to 10/, () => openHttpSource(url));
    handler = answer("bytes */100", Buffer.alloc(5));
    await refused("PRESTAGE_WIM_HTTP", /Content-Range/, () => openHttpSource(url));
    handler = answer("bytes 0-99/100", Buffer.alloc(50));
    await refused("PRESTAGE_WIM_HTTP", /after 50 of 100/, () => openHttpSource(url));
    handler = answer("bytes 0-99/100", Buffer.alloc(150));
    await refused("PRESTAGE_WIM_HTTP", /more than 100/, () => openHttpSource(url));
  });
  test("an answer that breaks off, and an aborted read", async () => {
    handler = ranges();
    const controller = new AbortController();
    const source = await openHttpSource(url, { signal: controller.signal });
    handler = (_, response) => {
      response.writeHead(206, { "content-range": `bytes 5000000-5099999/${bytes.length}`, "content-length": 100_000, etag: '"one"' });
      response.write("x", () => response.destroy());
    };
    await refused("PRESTAGE_WIM_HTTP", /bytes/, () => source.read(5_000_000, 100));
    controller.abort(new Error("enough"));
    await assert.rejects(source.read(6_000_000, 100), /enough/);
  });
});
