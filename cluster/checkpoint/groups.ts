/** The parts of checkpoints on all hosts, put together by what belongs together: one step as one attempt saved it. */

import type { Candidate, FileFact, HostScan } from "./scan.ts";

export type Part = {
  readonly size: number;
  readonly isWhole: boolean;
  /** Hosts that have it whole, or torn where nobody has it whole. */
  readonly hosts: readonly string[];
};

export type Saved = {
  /** From the directory of checkpoints. */
  readonly name: string;
  readonly step: number;
  readonly kind: Candidate["kind"];
  readonly attempt: number;
  readonly parts: ReadonlyMap<string, Part>;
  /** What its index files name. */
  readonly promised: ReadonlyMap<string, readonly string[]>;
};

/**
 * Parts that different attempts wrote are never one checkpoint: a host that comes back may hold its shard of a step that others have trained anew since.
 * What was there before the run (attempt 0) is not this run's to go on from.
 */
export function savedBy(scans: readonly HostScan[]): readonly Saved[] {
  const attempts = sharedAttempts(scans);
  const groups = new Map<string, { one: Candidate; attempt: number; parts: Map<string, Part>; promised: Map<string, readonly string[]> }>();
  for (const { host, candidates } of scans) {
    for (const one of candidates) {
      for (const file of one.files) {
        const attempt = attempts.get(identityOf(one, file)) ?? file.attempt;
        if (attempt < 1) continue;
        const key = `${attempt}\0${one.name}`;
        const group = groups.get(key) ?? { one, attempt, parts: new Map(), promised: new Map() };
        groups.set(key, one.kind === "dcp" ? { ...group, one } : group);
        group.parts.set(file.path, withHolder(group.parts.get(file.path), host, file));
        const names = one.promised[file.path];
        if (names !== undefined) group.promised.set(file.path, [...(group.promised.get(file.path) ?? []), ...names]);
      }
    }
  }
  return [...groups.values()]
    .map(({ one, ...rest }) => ({ name: one.name, step: one.step, kind: one.kind, ...rest }))
    .toSorted((a, b) => b.step - a.step || b.attempt - a.attempt || (a.name < b.name ? -1 : 1));
}

const identityOf = (one: Candidate, file: FileFact): string => `${one.name}\0${file.path}\0${file.id}`;

/** A file that hosts share: one that has taken part longer knows better when it was written. */
function sharedAttempts(scans: readonly HostScan[]): ReadonlyMap<string, number> {
  const attempts = new Map<string, number>();
  for (const { candidates } of scans) {
    for (const one of candidates) {
      for (const file of one.files) {
        const key = identityOf(one, file);
        attempts.set(key, Math.max(attempts.get(key) ?? 0, file.attempt));
      }
    }
  }
  return attempts;
}

function withHolder(part: Part | undefined, host: string, { size, isWhole }: FileFact): Part {
  if (part === undefined || (isWhole && !part.isWhole)) return { size, isWhole, hosts: [host] };
  return part.isWhole === isWhole ? { ...part, hosts: [...part.hosts, host] } : part;
}
