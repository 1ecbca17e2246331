/** The configuration that acts, as a person may see it: every key with its value and where that came from, secrets as `$NAME`. */

import { isMap, type Located, type Plain, whereIs } from "./located.ts";
import { shownWebhook } from "./notify.ts";
import { formatPath, locate, type Path } from "./problem.ts";
import { isSecret } from "./secrets.ts";

export type EffectiveRow = { readonly key: string; readonly value: Plain; readonly origin: string };
export type Effective = { readonly config: { readonly [key: string]: Plain }; readonly rows: readonly EffectiveRow[] };

/** What acts when nobody says anything. */
export const DEFAULTS = {
  backend: "torch.distributed",
  timeouts: { connect: "30s", start: "10m", stop_grace: "30s", run: "none", suspect: "6s", lost: "10s", hang: "auto", first_step: "auto" },
  restart: { max: 3, backoff: "2s", on_host_loss: "wait", on_hang: "report" },
  logs: { quota: "2GiB" },
} as const;

export function effective(located: Located, computed: { readonly [key: string]: Plain }): Effective {
  const rows: EffectiveRow[] = [];
  const show = (value: Plain, path: Path): Plain => {
    if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, show(inner, [...path, key])]));
    if (Array.isArray(value) && value.some((item) => isMap(item))) return value.map((item: Plain, i) => show(item, [...path, i]));
    const isWebhook = path[0] === "notify" && path[1] === "webhook";
    if (isWebhook && Array.isArray(value)) return value.map((item: Plain, i) => show(item, [...path, i]));
    const name = path.at(-1);
    const shown =
      path.at(-2) === "env" && typeof name === "string" && typeof value === "string" && isSecret(name, value)
        ? `$${name}`
        : isWebhook
          ? shownWebhook(String(value))
          : value;
    rows.push({ key: formatPath(path), value: shown, origin: origin(located, path) });
    return shown;
  };
  const given = isMap(located.value) ? located.value : {};
  const config = show(underlay({ ...DEFAULTS, ...computed }, given), []);
  return { config: isMap(config) ? config : {}, rows };
}

function underlay(defaults: { readonly [key: string]: Plain }, given: { readonly [key: string]: Plain }): { readonly [key: string]: Plain } {
  const merged: Record<string, Plain> = { ...given };
  for (const [key, value] of Object.entries(defaults)) {
    const own = merged[key];
    if (own === undefined) merged[key] = value;
    else if (isMap(own) && isMap(value)) merged[key] = underlay(value, own);
  }
  return merged;
}

function origin(located: Located, path: Path): string {
  let here: Plain | undefined = located.value;
  for (const part of path) here = Array.isArray(here) ? here[Number(part)] : isMap(here) ? here[part] : undefined;
  const where = here === undefined ? undefined : whereIs(located.at, path);
  if (where === undefined) return "default";
  const { name, text } = where.source;
  if (name.startsWith("--") || name.startsWith("NEXADIST_")) return name;
  const { line, column } = locate(text, where.value);
  return `${name}:${line}:${column}`;
}
