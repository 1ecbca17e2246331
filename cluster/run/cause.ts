/** Why an attempt ended that should not have: the first failure, told apart from its victims. Made by the root cause, read by the restart policy and by people. */

export type CauseKind =
  | "exception" // a Python exception that reached the top
  | "exit" // a rank's own exit status, nothing else known
  | "signal"
  | "oom" // the kernel's or the container's
  | "gpu" // Xid, CUDA error, out of GPU memory
  | "network" // a link between hosts
  | "launcher" // torchrun or accelerate itself
  | "shim"
  | "host-lost"
  | "host-rebooted"
  | "hang"
  | "start" // not all ranks started in time
  | "asked" // by a person, who wants another attempt
  | "unknown";

export type Cause = {
  readonly kind: CauseKind;
  /** Of the catalogue of findings; null: none fits. */
  readonly code: string | null;
  /** One sentence. */
  readonly text: string;
  readonly host: string | null;
  readonly rank: number | null;
  /** Where it happened, without what changes from attempt to attempt: the same place twice without progress is not tried a third time. */
  readonly place: string | null;
  readonly exitCode: number | null;
  /** The lines that prove it, each with where it is from; at most 12. */
  readonly evidence: readonly string[];
  /** Trying again cannot help: a module that is not there, a wrong argument, a syntax error. */
  readonly isFinal: boolean;
};

/** A checkpoint of which every part is there. */
export type Checkpoint = { readonly step: number; readonly path: string };
