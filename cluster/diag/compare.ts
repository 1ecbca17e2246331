/** What most hosts have, and who has something else. */

export type Value = { readonly host: string; readonly value: string };
export type Comparison = { readonly usual: string; readonly odd: readonly Value[]; readonly isTie: boolean };

/** The most frequent value; where two are as frequent, that of the host which comes first in the file, which is rank 0's. null: nothing to compare. */
export function compare(values: readonly Value[]): Comparison | null {
  const counts = new Map<string, number>();
  for (const { value } of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  const usual = values.find(({ value }) => counts.get(value) === most)?.value;
  if (usual === undefined) return null;
  return { usual, odd: values.filter(({ value }) => value !== usual), isTie: [...counts.values()].filter((count) => count === most).length > 1 };
}

/** "gpu-a, gpu-b and 6 more" */
export function names(hosts: readonly string[], most = 4): string {
  if (hosts.length <= most) return hosts.join(", ");
  return `${hosts.slice(0, most - 1).join(", ")} and ${hosts.length - most + 1} more`;
}
