/** Commands that bring what a run has to another place: part of the command table. */

import { accept, type CommandSpec, run, screenOptions } from "./command-spec.ts";

export const RECORDS: readonly CommandSpec[] = [
  {
    name: "forward",
    about: "A port of the host that a rank runs on, on this machine's loopback, through SSH: tensorboard and the like. A broken link is made again.",
    args: [
      ["<run>", "id, unique beginning of it, name, or latest"],
      ["<port>", "PORT there, or HERE:PORT"],
    ],
    options: [["--rank <rank>", "the host of this rank (default 0)"], ["--host <host>", "this host of the run"], accept],
    examples: ["nexadist forward latest 6006", "nexadist forward train_20251101_143200 16006:6006 --rank 8"],
    takesRest: false,
    load: async () => (await import("./forward.ts")).forward,
  },
  {
    name: "record",
    about: "Write a run into one file: journal, logs and telemetry, without secrets and within bounds; says what was left out.",
    args: [run],
    options: [["-o, --output <file>", "the file (default: RUN.nexarec here)"], accept],
    examples: ["nexadist record", "nexadist record train_20251101_143200 -o hang.nexarec"],
    takesRest: false,
    load: async () => (await import("./record.ts")).record,
  },
  {
    name: "replay",
    about: "Play a recording in the screen of a live run; as plain lines where there is no terminal. Needs no controller and no host.",
    args: [["<file>", "what nexadist record wrote"]],
    options: [
      ["--speed <n>", "so many times as fast as it was (default 1; as lines: all at once)"],
      ...screenOptions.filter(([flag]) => flag !== "--readonly"),
    ],
    examples: ["nexadist replay hang.nexarec --speed 10", "nexadist replay hang.nexarec | less"],
    takesRest: false,
    load: async () => (await import("./replay.ts")).replay,
  },
];
