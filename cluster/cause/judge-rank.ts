/** How one rank ended, and whether that may be why the attempt did. */

import type { Finding } from "../findings/finding.ts";
import { type Found, findIn, matchLine, withoutConsequences } from "../findings/match.ts";
import type { Evidence, RankExit } from "./evidence.ts";
import { gpuOf, type KernelOom, oomOf, tellMemory } from "./kernel-words.ts";
import { type Suspect, suspect, type Tier } from "./suspect.ts";
import { crashFrame, type Exception, exceptionOf, lastException, placeOf, tellException, tellFrame } from "./traceback.ts";

const NEVER_BETTER = new Set(["ModuleNotFoundError", "ImportError", "SyntaxError", "IndentationError", "TabError"]);
/** Another's end as this rank's Python sees it, where no finding is nearer. */
const NOTICED =
  /\bDist(?:Network|Store|Backend)?Error\b|^(?:BrokenPipe|ConnectionReset|ConnectionAborted|ConnectionRefused|EOF)Error\b|[Cc]onnection (?:reset|closed|refused)|Broken pipe|\bgloo\b|\bNCCL\b/;
/** What programs raise when they are asked to end. */
const ASKING = /SIGTERM|[Ss]ignal|[Tt]erminat|[Ii]nterrupt|[Pp]reempt|[Ss]hut ?down/;
/** Native crashes, of which faulthandler tells. */
const CRASHES = new Set(["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"]);
/** Sent by people and launchers rather than by faults. */
const ASKED = new Set(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);
const NAMES: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

/** Between the kernel's word on a kill and the end of the rank; other containers of the host are heard in the same log. */
const KERNEL_NEAR_MS = 30_000;

/** Whatever is known of the rank besides its exit. */
type About = { readonly exit: RankExit; readonly at: number; readonly text: string; readonly said: (line: string) => string; readonly evidence: Evidence };

const cut = (text: string): string => text.slice(0, 300);
const tierOf = (finding: Pick<Finding, "role" | "kind">): Tier => {
  if (finding.role === "symptom" || finding.role === "harmless") return 6;
  return finding.kind === "hang" ? 5 : finding.kind === "network" || finding.kind === "launcher" || finding.kind === "start" ? 3 : 1;
};

export function judgeRank(given: RankExit, at: number, evidence: Evidence): Suspect | null {
  const exit = withKnownStatus(given, evidence);
  const errorFile = evidence.errorFiles.find((file) => file.host === exit.host && file.rank === exit.rank);
  if (exit.code === 0) return null;
  const own = evidence.tails.filter((tail) => tail.host === exit.host && tail.rank === exit.rank && !tail.stream.endsWith(".nccl"));
  // The err stream first: what a program prints about itself is there.
  const tail = [...own].sort((a, b) => Number(b.stream.endsWith(".err")) - Number(a.stream.endsWith(".err"))).find(({ text }) => text.trim() !== "");
  const said = (line: string): string => `${exit.host} rank${exit.rank}.${tail?.stream.endsWith(".out") ? "out" : "err"}: ${line}`;
  const about: About = { exit, at, text: tail?.text ?? "", said, evidence };
  const oom = memoryKill(about);
  if (oom !== null) return oom;
  const exception = exceptionOfRank(about, errorFile === undefined ? null : exceptionOf(errorFile.message, errorFile.callstack));
  if (exception !== null) return byException(about, exception);
  if (exit.isStopped) return ended(about, 6);
  return exit.signal === null ? byStatus(about) : bySignal(about, exit.signal);
}

/**
 * What reached the top. Python's own status is then 1; but torch may crash while it tears down, and a rank that takes its time over that is ended with the others.
 * A signal without torch's mark on the traceback may as well have come long after one that the program logged and got over.
 */
function exceptionOfRank({ exit, text }: About, raised: Exception | null): Exception | null {
  const inText = lastException(text);
  if (exit.signal === null && exit.code === 1) return inText ?? raised;
  if (raised !== null) return raised;
  return inText !== null && (inText.isUncaught || (exit.signal === null && exit.code === null) || exit.signal === "SIGABRT") ? inText : null;
}

/** torchrun says what it saw where the shim could not; a shell's 128 + n is a signal. */
function withKnownStatus(exit: RankExit, { tails }: Evidence): RankExit {
  if (exit.code !== null && exit.code > 128) {
    const signal = NAMES[exit.code - 128];
    return signal === undefined ? exit : { ...exit, signal };
  }
  if (exit.code !== null || exit.signal !== null) return exit;
  for (const { text } of tails.filter((tail) => tail.rank === null && tail.host === exit.host)) {
    const match = new RegExp(`failed \\(exitcode: (-?\\d{1,5})\\) local_rank: \\d{1,5} \\(pid: ${Math.trunc(exit.pid)}\\)`).exec(text);
    const status = match === null ? 0 : Number(match[1]);
    if (status > 0) return { ...exit, code: status };
    if (status < 0) return { ...exit, signal: NAMES[-status] ?? `signal ${-status}` };
  }
  return exit;
}

const base = ({ exit, at }: About): Pick<Suspect, "at" | "who" | "host" | "rank" | "exitCode"> => ({
  at,
  who: `rank ${exit.rank} on ${exit.host}`,
  host: exit.host,
  rank: exit.rank,
  exitCode: exit.code,
});

const ending = (about: About): string => `${about.exit.host} rank${about.exit.rank}: ${tellEnd(about.exit)}`;
const tellEnd = ({ code, signal }: RankExit): string =>
  signal !== null ? `ended by ${signal}` : code !== null ? `exited with code ${code}` : "ended, its status is not known";

function memoryKill(about: About): Suspect | null {
  const { exit, evidence } = about;
  const isNear = (at: number | null): boolean => at === null || Math.abs(at - exit.seenAt) <= KERNEL_NEAR_MS; // the same clock
  const all = evidence.kernel.filter((line) => line.host === exit.host && isNear(line.at));
  const killed = all.map(oomOf).filter((oom): oom is KernelOom => oom !== null);
  const mine = killed.filter(({ pid }) => pid !== null && pid === exit.pid);
  const isOther = (pid: number | null): boolean => pid !== null && evidence.ranks.some((rank) => rank.host === exit.host && rank.pid === pid);
  const wasKilled = exit.signal === "SIGKILL" && !exit.isStopped;
  const lostChild = /DataLoader worker .{0,100}killed by signal: Killed/.test(about.text);
  const counted = evidence.ooms.some(({ host, kills }) => host === exit.host && kills > 0);
  const near = wasKilled || lostChild ? killed.filter(({ pid }) => !isOther(pid)) : [];
  const proofs = (mine.length > 0 ? mine : near).map(({ line }) => `${exit.host} kernel: ${line.text}`);
  if (proofs.length === 0 && !(counted && (wasKilled || lostChild))) return null;
  const rss = (mine.length > 0 ? mine : near).map(({ rssGib }) => rssGib).find((gib) => gib !== null);
  const size = rss === undefined || rss === null ? "" : `, anon-rss ${tellMemory(rss)}`;
  const what =
    lostChild && !wasKilled
      ? `lost a data loader worker: the kernel killed it for want of memory (oom-kill${size})`
      : `was killed by the kernel for want of memory (oom-kill${size})`;
  const words = counted ? [`${exit.host} memory.events: a process was killed for want of memory (oom_kill)`] : [];
  return suspect({ ...base(about), tier: 1, kind: "oom", code: "KERNEL_OOM", what, place: "oom", proofs: [ending(about), ...proofs.slice(0, 4), ...words] });
}

function byException(about: About, exception: Exception): Suspect {
  const { type, lines, message } = exception;
  const found = withoutConsequences(findIn(lines.join("\n")));
  const match = found.find(({ finding }) => finding.role === "root" || finding.role === "setup") ?? found[0];
  const isNoticed = match === undefined && (NOTICED.test(`${type}: ${message}`) || (about.exit.isStopped && ASKING.test(`${type}: ${message}`)));
  const own: Tier = match !== undefined ? tierOf(match.finding) : isNoticed ? 6 : type === "KeyboardInterrupt" ? 4 : 1;
  // Ended with the others, or asked to end by its launcher, while it was tearing down: those whose end is known at once go first.
  const isLate = about.exit.isStopped || ASKED.has(about.exit.signal ?? "");
  const tier: Tier = !isLate ? own : own === 1 ? 2 : 6;
  const frame = exception.frame === null ? [] : [about.said(`File "${exception.frame.file}", line ${exception.frame.line}, in ${exception.frame.name}`)];
  const xid = about.evidence.kernel
    .filter((line) => line.host === about.exit.host && gpuOf(line)?.pid === about.exit.pid)
    .map((line) => `${line.host} kernel: ${line.text}`);
  return suspect({
    ...base(about),
    tier,
    kind: match === undefined ? (isNoticed ? "network" : "exception") : match.finding.kind === "exit" ? "exception" : match.finding.kind,
    code: match?.finding.code ?? null,
    what: cut(tellException(exception)),
    place: placeOf(exception),
    isFinal: NEVER_BETTER.has(type) || match?.finding.isFinal === true,
    proofs: [
      ...frame,
      ...lines
        .slice(0, 3)
        .filter((line) => line.trim() !== "")
        .map(about.said),
      ...xid.slice(0, 3),
    ],
  });
}

/** The text of a rank that ended without a traceback of its own. */
const inLog = (about: About): readonly Found[] => withoutConsequences(findIn(about.text)).filter(({ finding }) => finding.role !== "harmless");

function bySignal(about: About, signal: string): Suspect {
  const found = inLog(about);
  const match = found.at(-1);
  const proofs = [ending(about), ...found.slice(-3).map(({ line }) => about.said(line))];
  const what = `was ended by ${signal}${CRASHES.has(signal) ? tellFrame(crashFrame(about.text)) : ""}`;
  const common = { ...base(about), place: `signal:${signal}`, proofs, code: match?.finding.code ?? null };
  if (ASKED.has(signal)) return suspect({ ...common, tier: match?.finding.role === "symptom" ? 6 : 4, kind: "signal", what });
  if (signal !== "SIGABRT") return suspect({ ...common, tier: 1, kind: match?.finding.kind === "gpu" ? "gpu" : "signal", what });
  // torch's watchdog ends a process so: what it said before is the reason.
  if (match === undefined) return suspect({ ...common, tier: 4, kind: "signal", what });
  return suspect({ ...common, tier: tierOf(match.finding), kind: match.finding.kind, what: `aborted: ${match.finding.title}`, isFinal: match.finding.isFinal });
}

function byStatus(about: About): Suspect {
  const { exit, text, said } = about;
  const common = { ...base(about), place: exit.code === null ? null : `exit:${exit.code}` };
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const last = lines.at(-1) ?? "";
  const refusal = /^usage: /m.test(text) || /can't open file |: No module named /.test(last);
  if ((exit.code === 2 && refusal) || /: No module named /.test(last))
    return suspect({
      ...common,
      tier: 1,
      kind: "exit",
      what: `was started wrongly (exit ${exit.code}): ${cut(last)}`,
      isFinal: true,
      proofs: lines.slice(-3).map(said),
    });
  if (exit.code === 126 || exit.code === 127)
    return suspect({
      ...common,
      tier: 1,
      kind: "exit",
      what: `could not be started (exit ${exit.code})${last === "" ? "" : `: ${cut(last)}`}`,
      isFinal: true,
      proofs: lines.slice(-3).map(said),
    });
  const found = inLog(about);
  const match = found.at(-1);
  const last3 = found.length > 0 ? found.slice(-3).map(({ line }) => line) : lines.slice(-3).filter((line) => matchLine(line)?.finding.role !== "harmless");
  const proofs = [ending(about), ...last3.map(said)];
  if (match === undefined) return ended(about, exit.code === null ? 4 : 1, proofs);
  const { finding } = match;
  return suspect({
    ...common,
    tier: tierOf(finding),
    kind: finding.kind,
    code: finding.code,
    what: `${tellEnd(exit)}: ${finding.title}`,
    isFinal: finding.isFinal,
    proofs,
  });
}

function ended(about: About, tier: Tier, proofs: readonly string[] = [ending(about)]): Suspect {
  const { code, signal } = about.exit;
  const place = signal !== null ? `signal:${signal}` : code !== null ? `exit:${code}` : null;
  return suspect({
    ...base(about),
    tier,
    kind: signal !== null ? "signal" : code === null ? "unknown" : "exit",
    what: tellEnd(about.exit).replace(/^ended by/, "was ended by"),
    place,
    proofs,
  });
}
