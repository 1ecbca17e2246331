/** `tailscale ping`: by which way packets go. Its exit status tells nothing: 1 is a relay or nobody, 0 may be an earlier answer. */

export type Path =
  | { readonly kind: "direct" | "peer-relay" | "derp" /** An address and port, or the region of a relay. */; readonly via: string; readonly ms: number }
  /** Nobody answered. */
  | { readonly kind: "none"; readonly said: string };

/** The way of the last answer: a path starts over a relay and becomes direct. null: nothing that is understood. */
export function readPing(text: string): Path | null {
  const lines = text.split("\n").map((line) => line.trim());
  const last = lines.map(readPong).findLast((path) => path !== null);
  if (last !== undefined && last !== null) return last;
  const silence = lines.find((line) => / timed out$/.test(line) || line === "no reply");
  return silence === undefined ? null : { kind: "none", said: silence };
}

function readPong(line: string): Path | null {
  const [, via, took] = /^pong from .*\) via (\S+) in (\S+)$/.exec(line) ?? [];
  if (via === undefined || took === undefined) return null;
  const ms = durationMs(took);
  if (ms === null) return null;
  const [, region] = /^DERP\((.*)\)$/.exec(via) ?? [];
  if (region !== undefined) return { kind: "derp", via: region, ms };
  const [, relay] = /^peer-relay\((.*)\)$/.exec(via) ?? [];
  if (relay !== undefined) return { kind: "peer-relay", via: relay, ms };
  // Pongs of the other kinds of ping (TSMP, ICMP) do not tell the way.
  return /:\d+$/.test(via) ? { kind: "direct", via, ms } : null;
}

/** Go's text of a duration: "0s", "3ms", "1.204s", "1m2s". */
function durationMs(text: string): number | null {
  const unit: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, µs: 0.001, us: 0.001, ns: 0.000_001 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)/g)];
  if (parts.map(([whole]) => whole).join("") !== text || parts.length === 0) return null;
  return parts.reduce((sum, [, value, name]) => sum + Number(value) * (unit[name ?? ""] ?? Number.NaN), 0);
}
