/** Runs python/probe.py on a host over a transport: needs no agent, no Node, and leaves nothing there. Measures the host's clock on the way. */

import { createInterface } from "node:readline";
import * as z from "zod";
import type { HostProbe, Section, Tier } from "../../cluster/diag/check.ts";
import { isTorch } from "../../cluster/diag/ranks.ts";
import { fail } from "../../cluster/errors.ts";
import { hostFactsSchema } from "../../cluster/host-facts.ts";
import { PROBE_PARTS } from "../../cluster/host-program.ts";
import type { HostFacts, HostSpec, RunSpec } from "../../cluster/spec.ts";
import { openOnHost } from "../reach/helper.ts";
import type { Transport } from "../reach/transport.ts";
import { type Clock, nearest } from "./clock.ts";
import { pathsOf, writesOf } from "./probe-paths.ts";

/** Beyond what the host itself allows its programs: 15 s, 60 s, and 620 s. */
const ANSWER_MS: Readonly<Record<Tier, number>> = { quick: 19_000, full: 70_000, deep: 630_000 };
const PINGS = 7;

const word = z.string().max(2_000_000);
const section = z.object({ code: z.int().nullable(), out: word, err: word, ms: z.number(), why: z.string().max(2000).optional() });
const answer = z.object({ sections: z.record(z.string().max(200), section) });
const tick = z.object({ came: z.number(), sent: z.number() });

/** `facts`: known already, and not looked for again. `isAboutToLaunch`: ranks themselves are about to run `setup` and to import torch; a launch does not wait for it twice. */
export type ProbeOptions = { readonly tier: Tier; readonly connectMs: number; readonly facts?: HostFacts; readonly isAboutToLaunch?: boolean };

/** Errors: those of a helper (NO_PYTHON, HELPER_SILENT, HELPER_TIMEOUT) and of the link. */
export async function probeHost(
  transport: Transport,
  host: HostSpec,
  spec: RunSpec,
  { tier, connectMs, facts, isAboutToLaunch = false }: ProbeOptions,
): Promise<HostProbe> {
  const { name } = host;
  const late = (): Error => fail("HELPER_TIMEOUT", { host: name, seconds: ANSWER_MS[tier] / 1000 });
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ANSWER_MS[tier]);
  const request = {
    op: "probe",
    tier,
    paths: pathsOf(spec, host),
    writes: writesOf(spec),
    ...(host.python === undefined ? {} : { python: host.python }),
    ...(spec.code.kind === "in-place" ? { code: spec.code.dir } : {}),
    ...(spec.job.kind === "script" ? { script: spec.job.script } : {}),
    ...(host.setup === undefined || isAboutToLaunch ? {} : { setup: host.setup }),
    variables: { ...spec.env, ...host.env },
    known: [...(facts === undefined ? [] : ["facts"]), ...(isAboutToLaunch || !isTorch(spec) ? ["torch_import"] : [])],
  };
  const opening = openOnHost(transport, name, request, PROBE_PARTS);
  const ask = async (): Promise<HostProbe> => {
    const { child, noise } = await opening;
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => {
      const { value, done } = await lines.next();
      if (done === true) throw fail("LINK_LOST", { host: name, why: "what looked at the host ended early" });
      return JSON.parse(value);
    };
    const clocks: Clock[] = [];
    let last: unknown = null;
    for (let k = 0; k < PINGS && last === null; k += 1) {
      const left = Date.now();
      const begun = performance.now();
      child.stdin.write("t");
      const said = await next();
      const parsed = tick.safeParse(said);
      if (parsed.success) clocks.push({ left, tookMs: performance.now() - begun, came: parsed.data.came / 1e6, sent: parsed.data.sent / 1e6 });
      else last = said;
    }
    while (last === null) {
      const said = await next();
      if (!tick.safeParse(said).success) last = said;
    }
    const { sections } = answer.parse(last);
    const found = facts ?? factsIn(name, sections);
    const reach = { code: 0, out: JSON.stringify({ driver: transport.driver, connectMs, noise: noise.slice(0, 4000) }), err: "", ms: Math.round(connectMs) };
    return { host: name, facts: found, sections: { ...plain(sections), reach }, clock: nearest(clocks) };
  };
  try {
    return await Promise.race([ask(), tooLate]);
  } finally {
    clearTimeout(timer);
    opening.then(
      ({ child }) => {
        child.stdin.end();
        child.stdout.resume(); // an SSH session counts as open until its output was read to the end
        child.kill();
      },
      () => undefined,
    );
  }
}

/** Without `why: undefined`. */
const plain = (sections: z.infer<typeof answer>["sections"]): Record<string, Section> =>
  Object.fromEntries(Object.entries(sections).map(([name, { why, ...rest }]) => [name, why === undefined ? rest : { ...rest, why }]));

function factsIn(host: string, sections: z.infer<typeof answer>["sections"]): HostFacts {
  const { facts } = sections;
  if (facts === undefined || facts.code !== 0) throw fail("HELPER_REFUSED", { host, code: "FACTS", text: facts?.why ?? facts?.err ?? "no facts came" });
  return hostFactsSchema.parse(JSON.parse(facts.out));
}
