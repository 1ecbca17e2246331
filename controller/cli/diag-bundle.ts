/** What a bug report needs in one file: the diagnosis and the raw text that it was made from, without secrets. */

import { writeFileSync } from "node:fs";
import { arch, platform, release } from "node:os";
import { resolve } from "node:path";
import { redact } from "../../cluster/diag/redact.ts";
import { fail } from "../../cluster/errors.ts";
import type { SecretValues } from "../../cluster/spec.ts";
import type { Diagnosis } from "../diag/run-diag.ts";
import { type Entry, tar } from "../diag/tar.ts";
import type { Context } from "./context.ts";
import { baselineOf } from "./diag-baseline.ts";
import { diagnosisJson, diagnosisLines } from "./diag-tell.ts";
import { version } from "./version.ts";
import { whyNot } from "./why-not.ts";

/** Of a host or section, safe in a path of tar. */
const safe = (name: string): string => name.replace(/[^\w.-]+/g, "_").slice(0, 40);

export function bundleEntries(found: Diagnosis, secrets: SecretValues): readonly Entry[] {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
  const about = { nexadist: version(), node: process.version, platform: platform(), release: release(), arch: arch(), at: new Date(found.at).toISOString() };
  const hosts = found.looks.flatMap((look, k): readonly Entry[] => {
    const place = `hosts/${k}-${safe(look.host.name)}`;
    if (!("probe" in look)) return [{ path: `${place}/not-reached.json`, text: json(look.problem) }];
    const sections = Object.entries(look.probe.sections)
      .filter(([name]) => name !== "facts")
      .map(([name, section]) => ({ path: `${place}/${safe(name)}.json`, text: json(section) }));
    return [{ path: `${place}/facts.json`, text: json({ ...look.probe.facts, clock: look.probe.clock }) }, ...sections];
  });
  const all: readonly Entry[] = [
    { path: "about.json", text: json(about) },
    { path: "report.txt", text: `${diagnosisLines(found, true).join("\n")}\n` },
    { path: "diag.json", text: json(diagnosisJson(found)) },
    { path: "run.json", text: json(found.spec) },
    { path: "baseline.json", text: json(baselineOf(found)) },
    ...hosts,
  ];
  return all.map(({ path, text }) => ({ path: `nexadist-diag/${path}`, text: redact(text, secrets) }));
}

export function writeBundle(context: Context, name: string, found: Diagnosis, secrets: SecretValues): void {
  const path = resolve(context.cwd, name);
  try {
    writeFileSync(path, tar(bundleEntries(found, secrets), found.at), { mode: 0o600 });
  } catch (error) {
    throw fail("USAGE", { what: `${name} cannot be written: ${whyNot(error)}`, fix: "name another file: nexadist diag --bundle FILE.tar" }, error);
  }
  context.say(`wrote ${name}: values known as secrets and what looks like one are removed; look it through before you send it (tar xf ${name})`);
}
