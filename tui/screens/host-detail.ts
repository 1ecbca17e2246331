/** All that is known of one host, and the commands that a person would type to look further. */

import { quote } from "../../cluster/launch/quote.ts";
import { type HostState, isOver, type RunState } from "../../cluster/run/state.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";
import { formatDuration } from "../../cluster/view/duration.ts";
import { gpuLines, stateOf } from "../../cluster/view/gpu-table.ts";
import { hostStep } from "../../cluster/view/host-line.ts";
import { gib, gpusOf, type HostReading, isStale, numberWord } from "../../cluster/view/host-telemetry.ts";
import { unseenSince, whyUnseen } from "../../cluster/view/unseen.ts";
import { rankSpan } from "../format.ts";
import { type Line, line } from "../line.ts";
import type { Model, RunModel } from "../model.ts";
import type { View, Wish } from "../screen.ts";
import { finish } from "./parts/finish.ts";
import { labelled, nothing, sentence } from "./parts/words.ts";

export const hostDetail = (host: string): Wish => ({ do: "overlay", title: `host ${host}`, lines: (model, view) => hostDetailLines(host, model, view) });

export function hostDetailLines(host: string, { run, now }: Model, view: View): readonly Line[] {
  const spec = run?.state.spec.hosts.find(({ name }) => name === host);
  const state = run?.state.hosts[host];
  const all = { ...view, rows: Number.POSITIVE_INFINITY };
  if (run === null || spec === undefined || state === undefined) return finish(nothing(`This run has no host ${host}.`), all);
  const reading = run.readings.find((one) => one.host === host);
  const { columns } = view;
  return finish(
    [
      ...now_(run, state, now, columns),
      ...access(spec, state, columns),
      ...machine(state, columns),
      ...(reading === undefined ? [] : measured(run, reading, now, columns)),
      ...found(run.state, host, now, columns),
      ...commands(run.state, spec, columns),
    ],
    all,
  );
}

function now_(run: RunModel, host: HostState, now: number, columns: number): readonly Line[] {
  const { state, doing } = run;
  const ranks = Object.values(state.ranks).filter((rank) => rank.host === host.name);
  const isMember = state.members.includes(host.name);
  const busy = doing.get(host.name);
  const part = isMember
    ? "takes part"
    : state.spec.spares.includes(host.name)
      ? "a spare, not taken"
      : state.attempt === 0
        ? "takes part when the run begins"
        : "takes no part";
  return [
    ...labelled("doing", hostStep(state, host), columns, host.lost !== null || host.problem !== null ? "bad" : "title"),
    ...(busy === undefined || isOver(state) ? [] : labelled("", busy, columns, "accent")),
    ...labelled(
      "part",
      `${part}${ranks.length === 0 ? "" : `, ranks ${rankSpan(ranks.map(({ rank }) => rank))}`}${host.faults === 0 ? "" : `; ended ${host.faults} attempts`}`,
      columns,
    ),
    ...(host.seen || host.stage === "waiting" || host.stage === "refused" || isOver(state)
      ? []
      : labelled("out of sight", `${unseenSince(host, now)}: ${whyUnseen(host)}`, columns, "warn")),
    ...(host.problem === null ? [] : labelled("what to do", host.problem.hint, columns, "accent")),
    ...host.notes.flatMap((note) => labelled("note", note, columns)),
  ];
}

function access(spec: HostSpec, { dialled, driver, why, agent, dirs }: HostState, columns: number): readonly Line[] {
  const peers = spec.address === spec.name ? "" : `; peers use ${spec.address}`;
  const way =
    spec.transport === "local" ? "this machine itself" : `SSH${driver === "" ? "" : ` by ${driver}`}${dialled === null ? "" : `, dialled ${dialled}`}`;
  return [
    ...labelled("reached by", `${way}${why === "" ? "" : ` (${why})`}${peers}`, columns),
    ...(agent === null
      ? []
      : labelled("agent", `PID ${agent.pid}, bundle ${agent.bundle.slice(0, 12)}${dirs === null ? "" : `, state in ${dirs.state}`}`, columns)),
  ];
}

function machine({ facts, python, scratch, dir }: HostState, columns: number): readonly Line[] {
  if (facts === null) return labelled("machine", "it was not looked at yet", columns, "dim");
  const { os, arch, kernel, libc, user, hostname, cpus, memoryBytes, interfaces, gpuProblem, pythonProblem, helperPython } = facts;
  const job = facts.python;
  return [
    ...labelled("machine", `${user}@${hostname}, ${os} ${kernel} ${arch}, ${libc.kind} ${libc.version}`, columns),
    ...labelled(
      "has",
      `${cpus} CPUs, ${formatBytes(memoryBytes)} memory${facts.gpus === null ? `, no GPU known${gpuProblem === "" ? "" : ` (${gpuProblem})`}` : `, ${facts.gpus.length} GPUs`}`,
      columns,
    ),
    ...labelled(
      "python",
      job === null
        ? `none for the job${pythonProblem === "" ? "" : `: ${pythonProblem}`}; ours is ${helperPython.path} ${helperPython.version}`
        : `${python ?? job.path} ${job.version}, torch ${job.torch ?? "not there"}${job.accelerate === null ? "" : `, accelerate ${job.accelerate}`}`,
      columns,
    ),
    ...(dir === null ? [] : labelled("runs in", `${dir}${scratch === null ? "" : `, scratch ${scratch}`}`, columns)),
    ...interfaces.flatMap(({ name, mtu, up, addresses }) =>
      name === "lo"
        ? []
        : labelled("link", `${name} ${up ? "up" : "DOWN"}, mtu ${mtu}, ${addresses.join(" ") || "no address"}`, columns, up ? "plain" : "warn"),
    ),
  ];
}

/** Half of what lines take on their way is more than this. */
const CLOCK_MS = 2000;

function measured({ history }: RunModel, reading: HostReading, now: number, columns: number): readonly Line[] {
  const { host, sample, ageMs, rates = {} } = reading;
  const all = gpuLines([reading], now);
  const table = all.length === 0 ? [] : [[], ...(columns >= 100 ? all.map((text) => line(` ${text}`)) : narrow(reading, all, columns))];
  if (sample === null || isStale(reading)) return table;
  const { cpuUse, load1, memoryTotalBytes: total, memoryAvailableBytes: free } = sample.host;
  const last = history.get(host)?.at(-1);
  const offMs = last === undefined || ageMs === null ? null : last.at - (now - ageMs);
  return [
    ...labelled(
      "load",
      [
        cpuUse === undefined ? "" : `CPU ${cpuUse.toFixed(0)} %`,
        load1 === undefined ? "" : `load ${load1.toFixed(1)}`,
        total === undefined || free === undefined ? "" : `memory ${formatBytes(total - free)} of ${formatBytes(total)}`,
      ]
        .filter((part) => part !== "")
        .join(", ") || "not known",
      columns,
    ),
    ...Object.entries(rates).flatMap(([name, { rx, tx }]) =>
      name === "lo" ? [] : labelled("carries", `${name}: ${formatBytes(Math.round(rx))}/s in, ${formatBytes(Math.round(tx))}/s out`, columns),
    ),
    ...Object.entries(sample.disks).flatMap(([mount, { freeBytes, totalBytes }]) =>
      freeBytes === undefined || totalBytes === undefined
        ? []
        : labelled("disk", `${mount}: ${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`, columns),
    ),
    ...(offMs === null
      ? []
      : labelled(
          "clock",
          Math.abs(offMs) < CLOCK_MS
            ? "within 2 s of the controller's"
            : `about ${formatDuration(Math.abs(offMs))} ${offMs > 0 ? "ahead of" : "behind"} the controller's`,
          columns,
          Math.abs(offMs) < CLOCK_MS ? "plain" : "warn",
        )),
    ...table,
  ];
}

/** A row for each GPU, and what is told below the table. */
function narrow({ sample, ...reading }: HostReading, all: readonly string[], columns: number): readonly Line[] {
  const gpus = sample === null ? [] : gpusOf(sample);
  const rows = gpus.map(({ gpu }) => {
    const { index, use, memoryUsedMiB, powerW, temperatureC } = isStale({ ...reading, sample }) ? {} : gpu;
    const numbers = `${numberWord(use)} %  ${gib(memoryUsedMiB)} GiB  ${numberWord(powerW)} W  ${numberWord(temperatureC)} C`;
    return labelled(`GPU ${index ?? gpu.index ?? "?"}`, `${numbers}  ${stateOf(gpu)}`, columns);
  });
  return [...rows.flat(), ...all.slice(gpus.length === 0 ? 0 : gpus.length + 1).flatMap((text) => sentence(text, columns, "warn"))];
}

const FOUND = 5;

function found({ findings = [] }: RunState, host: string, now: number, columns: number): readonly Line[] {
  const own = findings.filter((one) => one.host === host).slice(-FOUND);
  if (own.length === 0) return [[], ...labelled("findings", "none of this host", columns, "dim")];
  return [
    [],
    ...own.flatMap(({ text, code, since, until }) =>
      labelled(
        "finding",
        `${text} (${code}), ${until === null ? `for ${formatDuration(now - since)}` : `over after ${formatDuration(until - since)}`}`,
        columns,
        until === null ? "warn" : "dim",
      ),
    ),
  ];
}

/** Of the person's own machine; the SSH of the file. */
export function sshCommand({ name, sshHost, user, port, identity }: HostSpec): string {
  const where = `${user === undefined ? "" : `${user}@`}${sshHost ?? name}`;
  return ["ssh", ...(port === undefined ? [] : ["-p", String(port)]), ...(identity === undefined ? [] : ["-i", identity]), where].map(quote).join(" ");
}

function commands({ spec }: RunState, host: HostSpec, columns: number): readonly Line[] {
  const file = spec.file === null ? "" : ` ${quote(spec.file)}`;
  const name = quote(host.name);
  return [
    [],
    line(" To look further:", "title"),
    ...[
      ...(host.transport === "local" ? [] : [sshCommand(host)]),
      `nexadist shell${spec.file === null ? "" : ` -c${file}`} ${name}`,
      `nexadist logs ${spec.run} --host ${name}`,
      `nexadist diag${file} --host ${name}`,
    ].flatMap((text) => sentence(text, columns, "accent", 3)),
  ];
}
