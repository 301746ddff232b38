import { Agent, ProxyAgent } from "undici";
import type { Dispatcher } from "undici";

export interface DispatcherOptions {
  /** What the server's certificate is checked against; `rejectUnauthorized` false: not checked. */
  tls: { ca?: string; rejectUnauthorized?: boolean };
  headersTimeout: number;
  bodyTimeout: number;
  /** http://HOST:PORT; absent or empty: none. */
  proxy?: string | undefined;
}

const connectTimeout = 10_000;

/** Connections to a server, straight or in a tunnel through a proxy: TLS ends at the server either way, so a proxy sees and changes nothing. */
export function newDispatcher({ tls, headersTimeout, bodyTimeout, proxy }: DispatcherOptions): Dispatcher {
  const timeouts = { connectTimeout, headersTimeout, bodyTimeout };
  if (proxy === undefined || proxy === "") return new Agent({ ...timeouts, connect: { ...tls, timeout: connectTimeout } });
  return new ProxyAgent({ uri: proxy, ...timeouts, requestTls: { ...tls, timeout: connectTimeout }, proxyTls: { timeout: connectTimeout } });
}
