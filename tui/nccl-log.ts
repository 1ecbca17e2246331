/** What NCCL has written in the present attempt: the stored lines page by page from the first on, then those that come. */

import { readNcclLine } from "../cluster/nccl/read-line.ts";
import { type NcclSummary, readNccl } from "../cluster/nccl/summary.ts";
import type { LogLine, LogPage, LogPlace } from "../cluster/viewer.ts";
import type { RunModel } from "./model.ts";
import type { Source } from "./source.ts";

export type NcclTold = {
  readonly summary: NcclSummary;
  /** Stored lines are still being read. */
  readonly isReading: boolean;
  /** Why stored lines could not be read; "": they could. */
  readonly problem: string;
};

export type NcclLog = { readonly told: (run: RunModel) => NcclTold };

const PAGE = 5000;
/** NCCL_DEBUG=TRACE writes without end: what it did when it connected is in the first of them. */
const PAGES = 40;

/** `changed`: draw again. */
export function createNcclLog(ask: Source["ask"], changed: () => void): NcclLog {
  let current = begin("", 0);

  const take = (reading: Reading, line: LogLine): void => {
    if (line.rank === null || line.attempt !== reading.attempt || !line.text.includes("NCCL")) return;
    const fact = readNcclLine(line.text);
    if (fact === null) return;
    reading.reader.push(line.host, line.rank, fact);
    reading.summary = null;
  };

  const readStored = async (reading: Reading): Promise<void> => {
    let after: LogPlace | null = null;
    for (let page = 0; page < PAGES; page += 1) {
      const want = {
        hosts: null,
        ranks: null,
        streams: ["nccl"],
        attempt: reading.attempt,
        since: null,
        last: null,
        follow: false,
        page: { count: PAGE, after },
      } as const;
      const answer = (await ask({ ask: "logs", run: reading.run, want })) as LogPage | null;
      for (const line of answer?.lines ?? []) {
        take(reading, line);
        reading.upTo = Math.max(reading.upTo, line.at);
      }
      after = answer?.to ?? null;
      if (answer === null || answer.isLast || after === null) return;
    }
  };

  const readNew = (reading: Reading, { log }: RunModel): void => {
    const end = log.endBlock();
    for (let number = Math.max(reading.block, log.firstBlock()); number < end; number += 1) {
      const lines = log.block(number);
      const from = number === reading.block ? reading.line : 0;
      for (const line of lines.slice(from)) if (line.at > reading.upTo) take(reading, line);
      reading.block = number;
      reading.line = lines.length;
    }
  };

  return {
    told: (run) => {
      const { attempt } = run.state;
      if (current.run !== run.id || current.attempt !== attempt) {
        const reading = begin(run.id, attempt);
        current = reading;
        if (attempt > 0)
          readStored(reading)
            .catch((error: unknown) => {
              reading.problem = error instanceof Error ? error.message : String(error);
            })
            .finally(() => {
              reading.isReading = false;
              changed();
            });
        else reading.isReading = false;
      }
      if (!current.isReading) readNew(current, run);
      current.summary ??= current.reader.summary();
      return { summary: current.summary, isReading: current.isReading, problem: current.problem };
    },
  };
}

type Reading = {
  readonly run: string;
  readonly attempt: number;
  readonly reader: ReturnType<typeof readNccl>;
  summary: NcclSummary | null;
  isReading: boolean;
  problem: string;
  /** The last stored line that was read. */
  upTo: number;
  block: number;
  line: number;
};

const begin = (run: string, attempt: number): Reading => ({
  ...{ run, attempt, reader: readNccl(), summary: null, isReading: true, problem: "" },
  ...{ upTo: Number.NEGATIVE_INFINITY, block: 0, line: 0 },
});
