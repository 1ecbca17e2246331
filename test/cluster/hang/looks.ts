/** Looks at ranks for tests, as python/stacks.py would tell them. */

import type { Frame, Look, ProcessLook } from "../../../cluster/hang/look.ts";

const TORCH = "/venv/lib/python3.11/site-packages/torch";

/** "train.py:120:main" of the user, "dist:all_reduce" and its like of libraries; innermost first. */
export function frames(...names: readonly string[]): Frame[] {
  return names.map((name) => {
    const [file = "", line = "1", fn = ""] = name.split(":");
    const known: Record<string, string> = {
      dist: `${TORCH}/distributed/distributed_c10d.py`,
      wrap: `${TORCH}/distributed/c10d_logger.py`,
      data: `${TORCH}/utils/data/dataloader.py`,
      grad: `${TORCH}/autograd/graph.py`,
      cuda: `${TORCH}/cuda/__init__.py`,
      std: "/usr/lib/python3.11/threading.py",
    };
    const path = known[file];
    return path === undefined ? { file: `/home/u/code/${file}`, line: Number(line), fn } : { file: path, line: 10, fn: line };
  });
}

export const ALL_REDUCE = ["dist:all_reduce", "wrap:wrapper", "train.py:120:main"];
export const LOAD = ["load.py:88:load", "train.py:100:main"];

export const process = (names: readonly string[], more: Partial<ProcessLook> = {}): ProcessLook => ({
  pid: 100,
  command: "python train.py",
  state: "S",
  wchan: "",
  cpus: 0,
  switches: 7,
  threads: names.length === 0 ? [] : [{ isMain: true, name: "", frames: frames(...names) }],
  source: names.length === 0 ? null : "faulthandler",
  why: "",
  ...more,
});

export type RankWish = {
  readonly rank: number;
  readonly host: string;
  readonly main: ProcessLook | null;
  readonly others?: readonly ProcessLook[];
  readonly sequence?: number;
};

export const look = (wishes: readonly RankWish[], more: Partial<Look> = {}): Look => ({
  at: 0,
  until: 0,
  ranks: wishes.map(({ rank, host, main, others = [], sequence }) => ({
    rank,
    host,
    main,
    others: [...others],
    quietMs: null,
    collectives: sequence === undefined ? [] : [{ group: "0 default_pg", op: "all_reduce", sequence, state: "started" }],
  })),
  ras: [],
  ways: [],
  silent: [],
  ...more,
});

export const waiting = (rank: number, host = "a"): RankWish => ({ rank, host, main: process(ALL_REDUCE) });
