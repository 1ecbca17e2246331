/** What happened to hosts and launchers, and whether that may be why the attempt ended. */

import { findIn, withoutConsequences } from "../findings/match.ts";
import type { Evidence, HostTrouble, LauncherExit } from "./evidence.ts";
import { gpuOf } from "./kernel-words.ts";
import { type Suspect, suspect } from "./suspect.ts";
import { lastException, placeOf, tellException } from "./traceback.ts";

/** A GPU's event that long before a rank ended has to do with it. */
const NEAR_MS = 120_000;
/** How launchers say that a worker of theirs failed. */
const WORKERS_OWN = /ChildFailedError$|CalledProcessError$|SignalException$/;

const TROUBLE: Readonly<Record<HostTrouble["kind"], { readonly kind: Suspect["kind"]; readonly what: string }>> = {
  lost: { kind: "host-lost", what: "is lost" },
  rebooted: { kind: "host-rebooted", what: "was started again, so its ranks are gone" },
  "shim-lost": { kind: "shim", what: "lost the process that watches its ranks (the shim), and they were ended with it" },
};

export const judgeTrouble = ({ host, kind, why, since }: HostTrouble): Suspect =>
  suspect({
    tier: 1,
    at: since,
    who: host,
    host,
    kind: TROUBLE[kind].kind,
    what: `${TROUBLE[kind].what}${why === "" ? "" : `: ${why}`}`,
    proofs: [`${host}: ${why === "" ? TROUBLE[kind].what : why}`],
  });

export function judgeLauncher(exit: LauncherExit, { tails, launcher, exits }: Evidence): Suspect | null {
  const { host, code, signal, heardAt: at } = exit;
  if (code === 0) return null;
  const text = tails.find((tail) => tail.host === host && tail.stream === "launcher.err")?.text ?? "";
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const said = (line: string): string => `${host} launcher.err: ${line}`;
  const common = { at, who: `${launcher} on ${host}`, host, kind: "launcher" as const, exitCode: code };
  const end = signal !== null ? `was ended by ${signal}` : code !== null ? `exited with code ${code}` : "ended, its status is not known";
  const last = lines.at(-1) ?? "";
  if (exit.isStopped) return suspect({ ...common, tier: 6, what: end });
  if (signal !== null)
    return suspect({
      ...common,
      tier: signal === "SIGTERM" || signal === "SIGINT" ? 4 : 1,
      what: end,
      place: `launcher:${signal}`,
      proofs: [`${host}: ${launcher} ${end}`],
    });
  if (code === 126 || code === 127 || (code === 2 && /^usage: /m.test(text)) || /: No module named /.test(last))
    return suspect({
      ...common,
      tier: 1,
      what: `was started wrongly (exit ${code}): ${last.slice(0, 300)}`,
      place: `launcher:exit:${code}`,
      isFinal: true,
      proofs: lines.slice(-3).map(said),
    });
  const exception = lastException(text);
  const found = withoutConsequences(findIn(text)).filter(({ finding }) => finding.role !== "harmless" && finding.code !== "WORKER_FAILED");
  const match = found.at(-1);
  const isWorkers = exception !== null && WORKERS_OWN.test(exception.type) && exits.some((rank) => rank.host === host && rank.code !== 0);
  if (isWorkers || (exception === null && match === undefined))
    return suspect({ ...common, tier: isWorkers ? 6 : 4, what: end, place: `launcher:exit:${code}`, proofs: lines.slice(-2).map(said) });
  return suspect({
    ...common,
    tier: match?.finding.role === "symptom" ? 6 : 3,
    code: match?.finding.code ?? null,
    what: exception === null ? `${end}: ${match?.finding.title ?? ""}` : tellException(exception).slice(0, 300),
    place: exception === null ? `launcher:exit:${code}` : placeOf(exception),
    isFinal: match?.finding.isFinal === true,
    proofs: [...found.slice(-3).map(({ line }) => said(line)), ...(exception?.lines.slice(0, 1).map(said) ?? [])],
  });
}

/** GPUs that failed under ranks which do not say so themselves. `at`: when each host's first rank ended, the controller's clock. */
export function judgeGpus({ kernel, ranks, clockOffsetMs }: Evidence, firstEnds: ReadonlyMap<string, number>): Suspect[] {
  return kernel.flatMap((line) => {
    const event = gpuOf(line);
    const end = firstEnds.get(line.host);
    if (event === null || !event.isGrave || end === undefined) return [];
    const at = line.at === null ? end : line.at - (clockOffsetMs[line.host] ?? 0);
    if (at > end + NEAR_MS || at < end - NEAR_MS) return [];
    const rank = ranks.find(({ host, pid }) => host === line.host && pid === event.pid)?.rank ?? null;
    const device = /PCI:([0-9a-fA-F:.]{1,20})/.exec(line.text)?.[1];
    const what = `has a GPU that failed${device === undefined ? "" : ` (${device})`}: ${event.title}`;
    return [
      suspect({
        tier: 1,
        at,
        who: line.host,
        host: line.host,
        rank,
        kind: "gpu",
        code: event.code,
        what,
        place: event.code,
        proofs: [`${line.host} kernel: ${line.text}`],
      }),
    ];
  });
}
