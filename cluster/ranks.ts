/** Who is which rank: hosts in the order of the cluster file, their processes one after the other. */

export type RankAssignment = {
  readonly host: string;
  readonly groupRank: number;
  readonly firstRank: number;
  readonly nproc: number;
  readonly worldSize: number;
};

export function assignRanks(hosts: readonly { readonly name: string; readonly nproc: number }[]): RankAssignment[] {
  const worldSize = hosts.reduce((sum, host) => sum + host.nproc, 0);
  let firstRank = 0;
  return hosts.map(({ name, nproc }, groupRank) => {
    const assignment = { host: name, groupRank, firstRank, nproc, worldSize };
    firstRank += nproc;
    return assignment;
  });
}

/** The global and local ranks of one host. */
export const ranksOf = (at: RankAssignment): { readonly rank: number; readonly localRank: number }[] =>
  Array.from({ length: at.nproc }, (_, localRank) => ({ rank: at.firstRank + localRank, localRank }));
