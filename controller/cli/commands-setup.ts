/** Commands that set things up here: part of the command table. */

import type { CommandSpec } from "./command-spec.ts";

export const SETUPS: readonly CommandSpec[] = [
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
