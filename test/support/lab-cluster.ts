/** Hosts of a lab as entries of a cluster file: by name, with the address that peers use, one CPU rank each. */

import type { Lab } from "./lab.ts";

export const entries = (lab: Lab, names: readonly string[], users: Readonly<Record<string, string>> = {}): string =>
  names
    .map((name) => `  - {host: ${name}, address: ${lab.host(name).address}, gpus: 0, slots: 1${users[name] === undefined ? "" : `, user: ${users[name]}`}}\n`)
    .join("");
