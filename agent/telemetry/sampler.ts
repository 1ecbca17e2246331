/** Samples this host by the second while anybody wants it: a run that is alive here, or a controller that listens. Nothing here waits for a tool. */

import { NOTHING, type Sample, type SampleItem } from "../../cluster/telemetry/sample.ts";
import { withSharedMemory } from "../../cluster/telemetry/shared-memory.ts";
import { pollAmd } from "./amd-poll.ts";
import { findProgram } from "./child.ts";
import { watchDisks } from "./disks.ts";
import { type Owners, watchProcesses } from "./gpu-processes.ts";
import { keepReadings } from "./gpu-readings.ts";
import { readHost } from "./host-numbers.ts";
import { loopNvidia, PACES, type Paces } from "./nvidia-loop.ts";
import { watchNvlinks } from "./nvlinks.ts";
import { openSpool, type Spool } from "./spool.ts";
import { watchXids } from "./xids.ts";

export type SamplerDeps = {
  readonly dir: string;
  readonly owners: Owners;
  /** A run is alive here. */
  readonly isBusy: () => boolean;
  readonly log: (text: string) => void;
  readonly paces?: Paces;
};

export type Sampler = {
  /** Opened when first wanted: an idle agent writes nothing. */
  readonly spool: () => Spool;
  /** Told of each sample; returns how to leave. */
  readonly join: (listener: (item: SampleItem) => void) => () => void;
  readonly close: () => void;
};

const PROCESSES_MS = 5000;

const withLinks = (gpus: Sample["gpus"], links: Readonly<Record<string, object>>): Sample["gpus"] =>
  Object.fromEntries(Object.entries(gpus).map(([uuid, gpu]) => [uuid, gpu.down === undefined ? { ...gpu, ...links[uuid] } : gpu]));

export function openSampler({ dir, owners, isBusy, log, paces = PACES }: SamplerDeps): Sampler {
  const listeners = new Set<(item: SampleItem) => void>();
  let spool: Spool | null = null;
  let sources: ReturnType<typeof begin> | null = null;

  const begin = () => {
    const gpus = keepReadings();
    const program = (): string | null => findProgram("nvidia-smi");
    const smi = loopNvidia(program, { row: gpus.row, lost: gpus.lost, log }, paces);
    const amd = pollAmd(log);
    const xids = watchXids();
    const host = readHost();
    const disks = watchDisks(paces.slowMs, dir, log);
    const answering = (): string | null => (smi.tool().state === "ok" ? program() : null);
    const processes = watchProcesses(answering, owners, PROCESSES_MS, log);
    const links = watchNvlinks(answering, paces.slowMs, log);
    const now = (): Sample =>
      withSharedMemory({
        ...NOTHING,
        tool: smi.tool().state === "absent" ? (amd.tool() ?? smi.tool()) : smi.tool(),
        gpus: { ...withLinks(gpus.now(smi.tool().state === "ok", xids.of), links.now()), ...amd.now() },
        processes: smi.tool().state === "ok" ? processes.now() : {},
        host: host.now(),
        nets: host.nets(),
        disks: disks.now(),
      });
    const close = (): void => {
      for (const each of [smi, amd, xids, links, disks, processes]) each.close();
    };
    return { now, close };
  };
  const kept = (): Spool => {
    spool ??= openSpool(dir, log);
    return spool;
  };
  const stop = (): void => {
    sources?.close();
    sources = null;
  };
  const tick = (): void => {
    if (listeners.size === 0 && !isBusy()) return stop();
    try {
      sources ??= begin();
      const item = kept().push(Date.now(), sources.now());
      for (const tell of [...listeners]) tell(item);
    } catch (error) {
      log(`no sample: ${String(error)}`);
    }
  };
  const timer = setInterval(tick, paces.everyMs);
  return {
    spool: kept,
    join: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      clearInterval(timer);
      stop();
    },
  };
}
