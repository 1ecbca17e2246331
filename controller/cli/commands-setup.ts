/** Commands that set things up here: part of the command table. */

import type { CommandSpec } from "./command-spec.ts";

export const SETUPS: readonly CommandSpec[] = [
  {
    name: "init",
    about: "Write a first cluster file with comments: from ssh's configuration, a hostfile, or what it asks.",
    args: [["[file]", "the file to write (default: cluster.yaml)"]],
    options: [
      ["--from-ssh-config", "all hosts of ~/.ssh/config, with what it includes"],
      ["--from-hostfile <file>", "a hostfile of DeepSpeed or MPI: host slots=8"],
      ["--force", "write over a file that is there"],
    ],
    examples: ["nexadist init", "nexadist init --from-ssh-config", "nexadist init --from-hostfile hostfile cluster.yaml"],
    takesRest: false,
    load: async () => (await import("./init.ts")).init,
  },
  {
    name: "completion",
    about: "Print the script with which a shell completes commands, options, runs, hosts, ranks and files.",
    args: [["<shell>", "bash, zsh or fish"]],
    options: [],
    examples: [
      "nexadist completion bash > ~/.local/share/bash-completion/completions/nexadist",
      "nexadist completion fish > ~/.config/fish/completions/nexadist.fish",
      "nexadist completion zsh > ~/.zfunc/_nexadist",
    ],
    takesRest: false,
    load: async () => (await import("./completion.ts")).completion,
  },
];
