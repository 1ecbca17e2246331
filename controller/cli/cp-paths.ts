/** What `cp` is given: local paths and HOST:PATH, told apart as scp does. Pure. */

import { quote } from "../../cluster/launch/quote.ts";

export type Place = { readonly host: string | null; readonly path: string };

/** A colon before any slash makes it remote; `./a:b` is local. `[::1]:path` for IPv6. */
export function parsePlace(text: string): Place {
  const [, bracketed, user = "", inner] = /^(([^/[\]:]+@)?\[([^\]/]+)\]):/.exec(text) ?? [];
  if (bracketed !== undefined && inner !== undefined) return { host: `${user}${inner}`, path: text.slice(bracketed.length + 1) };
  const colon = text.indexOf(":");
  const slash = text.indexOf("/");
  if (colon <= 0 || (slash >= 0 && slash < colon)) return { host: null, path: text };
  return { host: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** A remote path as a word for sh: relative to the home, `~/` included, never taken for an option. */
export function remoteWord(path: string): string {
  if (path === "" || path === "~") return '"$HOME"';
  if (path.startsWith("~/")) return `"$HOME"/${quote(path.slice(2))}`;
  return quote(path.startsWith("/") ? path : `./${path}`);
}

/** Last part of a path; "" where it has none of its own (`.`, `/`, `~`): then the content is meant. */
export function lastPart(path: string): string {
  const part = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return part === "." || part === ".." || part === "~" ? "" : part;
}

export const joinRemote = (dir: string, name: string): string => (name === "" ? dir : dir === "" ? name : `${dir.replace(/\/+$/, "")}/${name}`);

/** A path that a host told us about is used only when it stays below where we asked. */
export const isBeneath = (path: string): boolean =>
  path !== "" && !path.startsWith("/") && !path.includes("\0") && path.split("/").every((part) => part !== ".." && part !== "");
