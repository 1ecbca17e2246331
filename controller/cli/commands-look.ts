/** Commands that look at hosts and explain what is there: part of the command table. */

import { accept, type CommandSpec, exclude, file, host, set } from "./command-spec.ts";

export const LOOKS: readonly CommandSpec[] = [
  {
    name: "hosts",
    about: "Reach and inventory: OS, architecture, GPUs, Node, Python, torch, and how SSH goes there.",
    args: [file],
    options: [host, exclude, accept],
    examples: ["nexadist hosts", "nexadist hosts --json | jq .hosts[].facts.gpus"],
    takesRest: false,
    load: async () => (await import("./hosts.ts")).hosts,
  },
  {
    name: "audit",
    about: "Ask every host over SSH what of ours is alive there, of which run, and what is left over; offers to end that.",
    args: [file],
    options: [host, exclude, ["--end", "end what is left over without a question"], accept],
    examples: ["nexadist audit", "nexadist audit --host gpu-a --end", "nexadist audit --json"],
    takesRest: false,
    load: async () => (await import("./audit.ts")).audit,
  },
  {
    name: "drill",
    about: "Kill parts of a run of its own on the hosts, and measure how soon that is seen and how soon it trains again.",
    args: [file],
    options: [set, host, exclude, accept],
    examples: ["nexadist drill cluster.yaml", "nexadist drill --yes --json"],
    takesRest: false,
    load: async () => (await import("./drill.ts")).drill,
  },
  {
    name: "diag",
    about: "Can these hosts train together? If not: why, and which command mends it. In 20 s; changes nothing.",
    args: [file],
    options: [
      ["--full", "also what loads links and GPUs, up to 3 min; refuses where GPUs are busy"],
      ["--deep", "also what takes minutes, with dcgm"],
      ["--only <check>", "only this check or group, such as disk or time.skew (again for more)", "many"],
      ["--skip <check>", "without this check or group (again for more)", "many"],
      host,
      exclude,
      ["--strict", "exit 5 also for warnings and for what could not be looked at"],
      set,
      accept,
    ],
    examples: ["nexadist diag cluster.yaml", "nexadist diag --only network --json", "nexadist diag --full --host gpu[1-4]"],
    takesRest: false,
    load: async () => (await import("./diag.ts")).diag,
  },
  {
    name: "explain",
    about: "What a code of a finding or an error means and what to do; or the findings that a log shows. Needs no network.",
    args: [["[what]", "a code in any case, a file, or - for the standard input"]],
    options: [["--list", "all codes"]],
    examples: ["nexadist explain CUDA_OOM", "nexadist explain train.log", "nexadist explain --list"],
    takesRest: false,
    load: async () => (await import("./explain.ts")).explain,
  },
];
