/** The checkpoints that a run can go on from, best first, and what members need of them that they have not. */

import { type Lack, lackOf } from "./complete.ts";
import { type Saved, savedBy } from "./groups.ts";
import type { HostScan } from "./scan.ts";

export type Incomplete = Lack & { readonly name: string; readonly step: number };
export type Standing = {
  /** Complete ones, the furthest first. */
  readonly complete: readonly Saved[];
  /** Of this run, further than the best complete one. */
  readonly passedOver: readonly Incomplete[];
};

/** `worldOf`: ranks of an attempt. `hasSilent`: some host of the run was not asked or did not answer. */
export function standing(scans: readonly HostScan[], worldOf: (attempt: number) => number, hasSilent = false): Standing {
  const judged = savedBy(scans).map((saved) => ({ saved, lack: lackOf(saved, { world: worldOf(saved.attempt), hasSilent }) }));
  const complete = judged.flatMap(({ saved, lack }) => (lack === null ? [saved] : []));
  const best = complete[0]?.step ?? -1;
  const passedOver = judged.flatMap(({ saved, lack }) => (lack !== null && saved.step > best ? [{ ...lack, name: saved.name, step: saved.step }] : []));
  return { complete, passedOver };
}

export type Shipment = { readonly path: string; readonly size: number; readonly from: string; readonly to: readonly string[] };

/** Each file that some member lacks, the one that ends the save last, so that a half-done delivery does not look like a checkpoint. */
export function shipments(saved: Saved, members: readonly string[]): readonly Shipment[] {
  const sent = [...saved.parts].flatMap(([path, part]) => {
    const to = members.filter((member) => !part.hosts.includes(member));
    // A member first: it is the one most surely near the others.
    const from = part.hosts.find((host) => members.includes(host)) ?? part.hosts[0];
    return from === undefined || to.length === 0 ? [] : [{ path, size: part.size, from, to }];
  });
  const isLast = (path: string): boolean => /(^|\/)(\.metadata|trainer_state\.json)$/.test(path);
  return sent.toSorted((a, b) => Number(isLast(a.path)) - Number(isLast(b.path)) || (a.path < b.path ? -1 : 1));
}
