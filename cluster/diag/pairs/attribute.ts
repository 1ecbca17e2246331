/** Whose fault it is that ways between hosts are bad: a host's, when nothing gets through to it (or from it), one link's, or the plan's, when all are. */

export type Way = { readonly from: string; readonly to: string; readonly isBad: boolean };

export type Blame =
  /** `direction` in: nobody gets to it; out: it gets to nobody; both. */
  | { readonly kind: "host"; readonly host: string; readonly direction: "in" | "out" | "both" }
  | { readonly kind: "link"; readonly a: string; readonly b: string; readonly direction: "both" | "a-to-b" }
  | { readonly kind: "plan" };

/**
 * `ways`: those that were measured. With two hosts nobody can tell which one it is: that is a link.
 * A host is blamed when two others or more fail with it and none gets through, and these others have a good way elsewhere: that is the second pass,
 * the failed one against hosts that are known to be good.
 */
export function attribute(ways: readonly Way[]): readonly Blame[] {
  const bad = ways.filter((way) => way.isBad);
  if (bad.length === 0) return [];
  if (bad.length === ways.length && new Set(ways.flatMap(({ from, to }) => [from, to])).size > 2) return [{ kind: "plan" }];
  const hosts = [...new Set(bad.flatMap(({ from, to }) => [from, to]))];
  const blamed = hosts.flatMap((host): Blame[] => {
    const isIn = isAllBad(ways, host, "to");
    const isOut = isAllBad(ways, host, "from");
    return isIn || isOut ? [{ kind: "host", host, direction: isIn && isOut ? "both" : isIn ? "in" : "out" }] : [];
  });
  const explained = (way: Way): boolean =>
    blamed.some((one) => one.kind === "host" && ((one.direction !== "out" && one.host === way.to) || (one.direction !== "in" && one.host === way.from)));
  return [...blamed, ...linksOf(bad.filter((way) => !explained(way)))];
}

function isAllBad(ways: readonly Way[], host: string, end: "from" | "to"): boolean {
  const other = end === "to" ? "from" : "to";
  const own = ways.filter((way) => way[end] === host);
  if (own.length < 2 || own.some((way) => !way.isBad)) return false;
  // Of those at the other end, all must be good with somebody else, or one of them may be the cause.
  return own.every((way) => ways.some((each) => !each.isBad && each[other] === way[other] && each[end] !== host));
}

function linksOf(bad: readonly Way[]): readonly Blame[] {
  const seen = new Set<string>();
  return bad.flatMap(({ from, to }): Blame[] => {
    if (seen.has(`${from}\n${to}`)) return [];
    const isBoth = bad.some((way) => way.from === to && way.to === from);
    seen.add(`${from}\n${to}`).add(isBoth ? `${to}\n${from}` : "");
    return [{ kind: "link", a: from, b: to, direction: isBoth ? "both" : "a-to-b" }];
  });
}
