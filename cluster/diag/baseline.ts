/** What hosts were like when all was well, and what is different now. */

import * as z from "zod";
import type { HostProbe, Result, Status } from "./check.ts";
import type { Look } from "./judge.ts";

const values = z.record(z.string().max(200), z.string().max(2000));
export const baselineSchema = z.object({
  schema: z.literal(1),
  at: z.string(),
  hosts: z.record(z.string(), values),
  results: z.array(z.object({ id: z.string(), where: z.string(), status: z.enum(["pass", "warn", "fail", "skip", "error"]) })),
});
export type Baseline = z.infer<typeof baselineSchema>;

/** Text of a section that is JSON; anything else has no values. */
function read<T>(probe: HostProbe, name: string, shape: z.ZodType<T>): T | null {
  const section = probe.sections[name];
  if (section?.code !== 0) return null;
  try {
    return shape.safeParse(JSON.parse(section.out)).data ?? null;
  } catch {
    return null;
  }
}

const pythonShape = z.object({
  packages: z.record(z.string(), z.string().nullable()).nullable(),
  torch: z.object({ version: z.string().nullable(), cuda: z.string().nullable() }).nullable(),
});
const limitShape = z.object({ nofile: z.object({ soft: z.number().nullable() }), memlock: z.object({ soft: z.number().nullable() }) });

/** What stays the same from day to day, and makes a difference when it does not. */
function valuesOf(probe: HostProbe): Readonly<Record<string, string>> {
  const { facts } = probe;
  const python = read(probe, "python", pythonShape);
  const limits = read(probe, "limits", limitShape);
  const variables = read(probe, "environment", z.object({ variables: z.record(z.string(), z.string()) }))?.variables ?? {};
  const driver = /(?:DRIVER version|Driver Version)\s*:?\s*([\d.]+)/i.exec(probe.sections.smi_version?.out ?? "")?.[1];
  const found: Record<string, string> = {
    kernel: facts.kernel,
    libc: `${facts.libc.kind} ${facts.libc.version}`,
    "boot id": facts.bootId,
    user: facts.user,
    cpus: `${facts.cpus}`,
    memory: `${Math.round(facts.memoryBytes / 2 ** 30)} GiB`,
    python: facts.python === null ? "none" : `${facts.python.path} ${facts.python.version}`,
    torch: python?.torch === null || python === null ? "none" : `${python.torch.version} for CUDA ${python.torch.cuda ?? "none"}`,
    gpus: facts.gpus === null ? "none" : facts.gpus.map(({ name, uuid }) => `${name} ${uuid}`).join(", "),
  };
  if (driver !== undefined) found.driver = driver;
  if (limits !== null) found["open files"] = `${limits.nofile.soft ?? "unlimited"}`;
  for (const { name, mtu, up, addresses } of facts.interfaces) {
    if (name !== "lo" && !name.startsWith("veth"))
      found[`interface ${name}`] = `${up ? "up" : "down"}, mtu ${mtu}, ${addresses.filter((address) => !address.startsWith("fe80")).join(" ")}`;
  }
  for (const [name, version] of Object.entries(python?.packages ?? {})) found[`package ${name}`] = version ?? "none";
  for (const [name, value] of Object.entries(variables)) found[`variable ${name}`] = value;
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name.slice(0, 200), value.slice(0, 2000)]));
}

const whereOf = ({ host, peer, gpu }: Result): string =>
  [host ?? "all hosts", ...(peer === undefined ? [] : [`to ${peer}`]), ...(gpu === undefined ? [] : [gpu])].join(" ");

export function takeBaseline(looks: readonly Look[], results: readonly Result[], at: string): Baseline {
  const hosts = Object.fromEntries(looks.flatMap((look) => ("probe" in look ? [[look.host.name, valuesOf(look.probe)]] : [])));
  return { schema: 1, at, hosts, results: results.map((result) => ({ id: result.id, where: whereOf(result), status: result.status })) };
}

export type Change = { readonly where: string; readonly what: string; readonly was: string; readonly is: string };

const worst = (results: Baseline["results"]): ReadonlyMap<string, Status> => {
  const order: readonly Status[] = ["pass", "skip", "warn", "error", "fail"];
  const found = new Map<string, Status>();
  for (const { id, where, status } of results) {
    const key = `${where}\n${id}`;
    const before = found.get(key);
    if (before === undefined || order.indexOf(status) > order.indexOf(before)) found.set(key, status);
  }
  return found;
};

/** Checks whose status is another, then values; `boot id` only where nothing else of the host changed would hide a reboot. */
export function changesSince(before: Baseline, now: Baseline): readonly Change[] {
  const changes: Change[] = [];
  const [old, fresh] = [worst(before.results), worst(now.results)];
  for (const [key, is] of fresh) {
    const was = old.get(key);
    const [where = "", what = ""] = key.split("\n");
    if (was !== undefined && was !== is) changes.push({ where, what, was, is });
  }
  for (const [host, mine] of Object.entries(now.hosts)) {
    const then = before.hosts[host];
    if (then === undefined) {
      changes.push({ where: host, what: "host", was: "not looked at", is: "looked at" });
      continue;
    }
    for (const what of [...new Set([...Object.keys(then), ...Object.keys(mine)])].sort()) {
      const [was, is] = [then[what] ?? "none", mine[what] ?? "none"];
      if (was === is) continue;
      changes.push(what === "boot id" ? { where: host, what: "booted", was: "another time", is: "since then" } : { where: host, what, was, is });
    }
  }
  for (const host of Object.keys(before.hosts)) if (!(host in now.hosts)) changes.push({ where: host, what: "host", was: "looked at", is: "not looked at" });
  return changes;
}

/** The same change on several hosts is one line. */
export function changeLines(changes: readonly Change[], since: string): readonly string[] {
  if (changes.length === 0) return [`nothing changed since ${since}`];
  const groups = new Map<string, string[]>();
  for (const { where, what, was, is } of changes) {
    const key = `${what}: ${was} -> ${is}`;
    groups.set(key, [...(groups.get(key) ?? []), where]);
  }
  return [`changed since ${since}:`, ...[...groups].map(([text, hosts]) => `  ${hosts.join(", ")}  ${text}`)];
}
