/** Commands that take a run elsewhere and look at it there: part of the command table. */

import { accept, type CommandSpec, run, screenOptions } from "./command-spec.ts";

export const RECORDS: readonly CommandSpec[] = [
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
