/** The text of a first cluster file: what is known, and what else there is as comments that only have to be uncommented. */

import type { HostLine } from "./hostfile.ts";

export type FirstFile = {
  readonly hosts: readonly HostLine[];
  /** Of those that do not say; null: whatever is free there. */
  readonly gpus: number | null;
  /** null: the bundled smoke test. */
  readonly script: string | null;
  /** "a hostfile", for the head. */
  readonly whence: string;
};

/** Text that YAML reads as this text, whatever is in it. */
const scalar = (text: string): string =>
  /^[A-Za-z][\w./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text);

export function firstFile({ hosts, gpus, script, whence }: FirstFile): string {
  const entries = hosts.flatMap(({ host, slots, user }, k) => [
    `  - host: ${scalar(host)}${k === 0 ? " # a name of your ssh_config or an address; this one has rank 0" : ""}`,
    ...(user === null ? [] : [`    user: ${scalar(user)}`]),
    ...(slots === null ? [] : [`    gpus: ${slots}`]),
  ]);
  return `${[
    `# Written by nexadist init from ${whence.replace(/[^\x20-\x7e]/g, "?")}. All keys: nexadist config schema`,
    "#",
    "#   nexadist diag             can these hosts train together? It changes nothing",
    "#   nexadist up               starts the job below; without one, a test in which all ranks talk to each other",
    "#   nexadist up -- train.py   your own script; the code of this directory travels by itself",
    "#",
    "cluster:",
    ...entries,
    "defaults: # of every host, unless it says otherwise",
    `  gpus: ${gpus ?? "auto"} # a number, a list of indices, or auto: those that are free; for ranks without a GPU: gpus 0 and slots`,
    "#  python: ~/venv # a python or an environment's directory there; without this line: python on PATH",
    "#  env: {NCCL_DEBUG: WARN}",
    "backend: torch.distributed # torchrun on every host; also accelerate, direct, command",
    script === null ? "#job: {script: train.py, args: [--lr, 3e-4]} # without a script after --" : `job: {script: ${scalar(script)}}`,
    "#paths: {checkpoints: ckpt} # looked at on every host before another attempt, which goes on from the last complete one",
    "#restart: {max: 3, on_host_loss: wait} # or spare, shrink, fail",
  ].join("\n")}\n`;
}
