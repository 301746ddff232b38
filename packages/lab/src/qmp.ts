import { connect, type Socket } from "node:net";
import { LabError } from "./error.ts";

export interface QmpEvent {
  event: string;
  data: Readonly<Record<string, unknown>>;
}

/** QEMU's machine protocol (QEMU: docs/interop/qmp-spec): one JSON value a line, commands answered by id. */
export class QmpClient {
  readonly #socket: Socket;
  readonly #answers = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void; command: string }>();
  readonly #onEvent: (event: QmpEvent) => void;
  #rest = "";
  #next = 1;

  private constructor(socket: Socket, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", () => undefined); // the close that follows says it
    socket.on("close", () => {
      for (const { reject, command } of this.#answers.values()) reject(new LabError("PRESTAGE_LAB_MACHINE_ENDED", `The virtual machine ended before it had answered ${command}.`));
      this.#answers.clear();
    });
  }

  static async open(path: string, onEvent: (event: QmpEvent) => void): Promise<QmpClient> {
    const socket = connect(path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    socket.once("error", reject);
    await promise;
    const client = new QmpClient(socket, onEvent);
    await client.execute("qmp_capabilities");
    return client;
  }

  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#socket.destroyed) throw new LabError("PRESTAGE_LAB_MACHINE_ENDED", `The virtual machine has ended; ${command} was not carried out.`);
    this.#answers.set(id, { resolve, reject, command });
    this.#socket.write(`${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\n`);
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#rest += text;
    for (let end = this.#rest.indexOf("\n"); end >= 0; end = this.#rest.indexOf("\n")) {
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 1);
      if (line.trim() !== "") this.#handle(JSON.parse(line) as Record<string, unknown>);
    }
  }

  #handle(message: Record<string, unknown>): void {
    if (typeof message["event"] === "string") {
      this.#onEvent({ event: message["event"], data: (message["data"] ?? {}) as Record<string, unknown> });
      return;
    }
    const id = message["id"];
    const answer = typeof id === "number" ? this.#answers.get(id) : undefined;
    if (typeof id !== "number" || answer === undefined) return; // the greeting
    this.#answers.delete(id);
    if ("error" in message) answer.reject(new LabError("PRESTAGE_LAB_MACHINE_FAILED", `QEMU refused ${answer.command}: ${JSON.stringify(message["error"])}`));
    else answer.resolve(message["return"]);
  }
}
