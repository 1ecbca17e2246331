/** The version of this program: written in by the build, read from package.json in a checkout. */

import { readFileSync } from "node:fs";

/** A constant in a build; the name stands in scripts/build.ts. */
const built = process.env.NEXADIST_VERSION;

export function version(): string {
  if (built !== undefined) return built;
  const { version: found } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  return found;
}
