/** Hostfiles of DeepSpeed (`host slots=8`) and of MPI (`host slots=4 max_slots=8`, `host:4`, a host on several lines). */

import { checkHost, checkUser } from "./names.ts";

export type HostLine = { readonly host: string /** null: it does not say. */; readonly slots: number | null; readonly user: string | null };
export type Hostfile = { readonly ok: true; readonly hosts: readonly HostLine[] } | { readonly ok: false; readonly line: number; readonly why: string };

const NAME = /^(?:([\w.-]+)@)?([\w.-]+)(?::(\d+))?$/;
const MOST_SLOTS = 1024;

export function parseHostfile(text: string): Hostfile {
  const found = new Map<string, { user: string | null; slots: number | null; lines: number }>();
  for (const [k, raw] of text.split(/\r?\n/).entries()) {
    const bad = (why: string): Hostfile => ({ ok: false, line: k + 1, why });
    const [first = "", ...rest] = raw
      .replace(/#.*$/, "")
      .replace(/\s*=\s*/g, "=")
      .trim()
      .split(/\s+/);
    if (first === "") continue;
    const [, user = null, host, colon] = NAME.exec(first) ?? [];
    const why = host === undefined ? "is no host's name" : (checkHost(host) ?? (user === null ? null : checkUser(user)));
    if (host === undefined || why !== null) return bad(`\`${first}\` ${why}`);
    const numbers = new Map<string, number>();
    for (const word of rest) {
      const [, key, value] = /^([\w-]+)=(\d+)$/.exec(word) ?? [];
      if (key === undefined) return bad(`\`${word}\` is not understood; a line is \`host slots=8\``);
      numbers.set(key, Number(value));
    }
    const slots = numbers.get("slots") ?? (colon === undefined ? null : Number(colon));
    if (slots !== null && (slots < 1 || slots > MOST_SLOTS)) return bad(`${slots} slots: from 1 to ${MOST_SLOTS}`);
    const before = found.get(host);
    found.set(host, {
      user: user ?? before?.user ?? null,
      slots: slots === null ? (before?.slots ?? null) : slots + (before?.slots ?? 0),
      lines: (before?.lines ?? 0) + 1,
    });
  }
  if (found.size === 0) return { ok: false, line: 1, why: "it names no host" };
  // MPI: a host that stands there three times has three slots.
  return { ok: true, hosts: [...found].map(([host, { user, slots, lines }]) => ({ host, user, slots: slots ?? (lines > 1 ? lines : null) })) };
}
