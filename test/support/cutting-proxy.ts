import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { hostFromGuest } from "../../demo/site-process.ts";

/** Passes connections on to a port of this machine; the first of them are broken off after some bytes of the answer. */
export class CuttingProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that were broken off. */
  cut = 0;
  connections = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `https://${hostFromGuest}:${port}`;
  }

  static async start(options: { target: number; port?: number; cutConnections?: number; afterBytes?: number }): Promise<CuttingProxy> {
    const server = createServer();
    server.listen(options.port ?? 0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("Expected a port; found none.");
    const proxy = new CuttingProxy(server, address.port);
    server.on("connection", (client) => proxy.#pass(client, options.target, options.cutConnections ?? 0, options.afterBytes ?? 0));
    return proxy;
  }

  #pass(client: Socket, target: number, cutConnections: number, afterBytes: number): void {
    this.connections += 1;
    const upstream = connect(target, "127.0.0.1");
    let passed = 0;
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (data: Buffer) => {
      passed += data.length;
      if (this.cut < cutConnections && passed > afterBytes) {
        this.cut += 1;
        upstream.removeAllListeners("data");
        upstream.destroy();
        client.destroy();
        return;
      }
      if (!client.write(data)) {
        upstream.pause();
        client.once("drain", () => upstream.resume());
      }
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}
