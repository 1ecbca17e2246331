/** URLs of a run's webhooks: as its secrets are kept, but until everybody has been told of its end. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { secretsDir } from "../../paths.ts";

type Urls = Readonly<Record<string, string>>;

const held = new Map<string, Urls>();
const pathOf = (run: string): string | null => {
  const dir = secretsDir();
  return dir === null ? null : join(dir, `${run}.webhooks.json`);
};

export function keepWebhooks(run: string, urls: Urls): void {
  if (Object.keys(urls).length === 0) return;
  held.set(run, urls);
  const path = pathOf(run);
  if (path !== null) writeFileSync(path, JSON.stringify(urls), { mode: 0o600 });
}

/** In the order of the file; none when this machine does not have them (any more). */
export function webhooksOf(run: string): readonly string[] {
  const known = held.get(run);
  if (known !== undefined) return Object.values(known);
  const path = pathOf(run);
  try {
    return path === null ? [] : Object.values(JSON.parse(readFileSync(path, "utf8")) as Urls);
  } catch {
    return [];
  }
}

export function forgetWebhooks(run: string): void {
  held.delete(run);
  const path = pathOf(run);
  if (path !== null) rmSync(path, { force: true });
}
