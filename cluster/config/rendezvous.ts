/** `rdzv` and `rdzv_ports`. */

import { checkHost, isIpv6 } from "./names.ts";

/** Port 0: none is named, take a fresh one. */
export type Endpoint = { readonly host: string; readonly port: number };
type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export function parseEndpoint(text: string): Parsed<Endpoint> {
  const match = /^\[([^\]]*)\](?::(.*))?$/.exec(text) ?? (isIpv6(text) ? [text, text, undefined] : /^([^:]*)(?::(.*))?$/.exec(text));
  if (match === null) return { ok: false, why: "expected host, host:port or [IPv6]:port" };
  const [, host = "", port] = match;
  const wrong = text.startsWith("[") ? (isIpv6(host) ? null : "is not an IPv6 address") : checkHost(host);
  if (wrong !== null) return { ok: false, why: `\`${host}\` ${wrong}` };
  if (port === undefined) return { ok: true, value: { host, port: 0 } };
  const number = checkPort(port);
  return number.ok ? { ok: true, value: { host, port: number.value } } : number;
}

function checkPort(text: string): Parsed<number> {
  const port = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= 65535)) return { ok: false, why: `\`${text}\` is not a port: 1024 to 65535` };
  return port < 1024 ? { ok: false, why: `port ${port} needs root: choose 1024 to 65535` } : { ok: true, value: port };
}

export function parsePorts(text: string): Parsed<readonly [number, number]> {
  const match = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(text);
  if (match === null) return { ok: false, why: "expected a range such as 20000-20100" };
  const [low, high] = [checkPort(match[1] ?? ""), checkPort(match[2] ?? "")];
  if (!low.ok) return low;
  if (!high.ok) return high;
  // One for the rendezvous, one for MASTER_PORT.
  if (high.value <= low.value) return { ok: false, why: "a run needs two ports: the first must be below the last" };
  return { ok: true, value: [low.value, high.value] };
}
