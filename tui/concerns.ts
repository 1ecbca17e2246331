/** What is the matter with a run just now, the culprit first: its end, its trouble, hosts that are lost or silent, findings. */

import { findingOf } from "../cluster/findings/catalogue.ts";
import { presentFindings } from "../cluster/run/findings.ts";
import { hostsOf, isOver, membersOf, type RunState } from "../cluster/run/state.ts";
import { firstLine } from "../cluster/view/paragraph.ts";
import { whyUnseen } from "../cluster/view/unseen.ts";

export type Concern = {
  readonly severity: "error" | "warning";
  /** Of the catalogue, for `nexadist explain`; null: it has none. */
  readonly code: string | null;
  readonly text: string;
  readonly host: string | null;
  readonly rank: number | null;
  readonly gpu: string | null;
  readonly since: number;
  /** What backs it, a line each. */
  readonly evidence: readonly string[];
};

const NONE = { code: null, host: null, rank: null, gpu: null, evidence: [] } as const;

export function concernsOf(state: RunState): readonly Concern[] {
  const end = ofEnd(state);
  // A host whose loss ended the attempt is told once.
  const hosts = ofHosts(state).filter(({ host }) => end.every((one) => one.host !== host));
  return [...end, ...(isOver(state) ? [] : [...ofHang(state), ...hosts, ...ofFindings(state)])];
}

function ofEnd({ failure, trouble, cause }: RunState): readonly Concern[] {
  const first = failure ?? trouble;
  if (first === null) return [];
  const { host, rank, at } = first;
  const text = cause?.text ?? first.text;
  return [
    {
      ...NONE,
      severity: "error",
      code: cause?.code ?? null,
      text: firstLine(text),
      host: cause?.host ?? host,
      rank: cause?.rank ?? rank,
      since: at,
      evidence: cause?.evidence ?? [],
    },
  ];
}

const ofHang = ({ hang, phaseAt }: RunState): readonly Concern[] =>
  hang === null
    ? []
    : [{ ...NONE, severity: "error", text: `nothing moves any more: ${hang.text}`, host: hang.host, rank: hang.rank, since: phaseAt, evidence: hang.evidence }];

function ofHosts(state: RunState): readonly Concern[] {
  const lost = hostsOf(state).flatMap((host): Concern[] =>
    host.lost === null
      ? []
      : [{ ...NONE, severity: "error", text: `${host.name} is lost: ${firstLine(host.lost)}`, host: host.name, since: host.unseenAt ?? state.phaseAt }],
  );
  const silent = (state.phase === "connecting" ? [] : membersOf(state)).flatMap((host): Concern[] =>
    host.seen || host.lost !== null
      ? []
      : [{ ...NONE, severity: "warning", text: `${host.name}: ${whyUnseen(host)}`, host: host.name, since: host.unseenAt ?? state.phaseAt }],
  );
  return [...lost, ...silent];
}

function ofFindings(state: RunState): readonly Concern[] {
  const found = presentFindings(state).map(({ code, text, host, rank, gpu, since }): Concern => {
    const severity = findingOf(code)?.severity === "error" ? "error" : "warning";
    return { severity, code, text, host, rank, gpu, since, evidence: [] };
  });
  return [...found].sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error") || a.since - b.since);
}
