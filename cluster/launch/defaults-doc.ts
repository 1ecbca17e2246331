/** The table of environment defaults for the documentation. */

import { type DefaultsContext, ENV_DEFAULTS } from "./defaults.ts";

/** One host on which every default has a value, but for one of two names of the same. */
const EXAMPLE: DefaultsContext = {
  usesGpus: true,
  nproc: 2,
  cpus: 32,
  interface: { name: "tailscale0", family: "AF_INET", why: "holds 100.64.0.7, which the peers use" },
  gpuNames: ["NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"],
  torch: "2.13.0",
};

const OLD: DefaultsContext = { ...EXAMPLE, torch: null };

export function defaultsMarkdown(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = ENV_DEFAULTS.map(({ name, when, value, reason, aliases }) => {
    const unless = aliases === undefined ? "" : `, none of ${aliases.map((alias) => `\`${alias}\``).join(", ")} is set`;
    return `| \`${name}\` | \`${cell(value(EXAMPLE) ?? value(OLD) ?? "")}\` | ${cell(when)}${unless} | ${cell(reason(EXAMPLE))} |`;
  });
  return ["| variable | for example | when | why |", "| --- | --- | --- | --- |", ...rows, ""].join("\n");
}
