/** What a finding is: a problem that is known, with the texts it shows itself by, its cause and its remedy. */

import type { CauseKind } from "../run/cause.ts";

export type Family = "rendezvous" | "torchrun" | "torch-nccl" | "nccl" | "gloo" | "cuda" | "kernel" | "host" | "telemetry";

/**
 * root: names the fault itself. setup: something is configured wrongly. symptom: a rank noticed that another one is gone or late; looked at only when
 * nothing better is known. watch: seen in a run that goes on; no line shows it, telemetry or a comparison does. harmless: looks bad and is not.
 */
export type Role = "root" | "setup" | "symptom" | "watch" | "harmless";

export type Severity = "error" | "warning" | "info";

export type Finding = {
  readonly code: string;
  readonly family: Family;
  readonly title: string;
  readonly role: Role;
  readonly severity: Severity;
  /** Each on one line; named groups fill the remedy. */
  readonly patterns: readonly RegExp[];
  readonly cause: string;
  /** `{name}` stands for what the line said. */
  readonly remedy: string;
  /** Where one of these is found too, this one is its consequence and is not shown. */
  readonly dependsOn: readonly string[];
  /** Trying again, also elsewhere, cannot help. */
  readonly isFinal: boolean;
  /** What kind of cause it is when it is one. */
  readonly kind: CauseKind;
};

/** What is written down of one; the rest follows from its role and family. */
export type Entry = Pick<Finding, "code" | "title" | "role" | "patterns" | "cause" | "remedy"> &
  Partial<Pick<Finding, "severity" | "dependsOn" | "isFinal" | "kind">>;

const SEVERITY: Readonly<Record<Role, Severity>> = { root: "error", setup: "error", symptom: "warning", watch: "warning", harmless: "info" };

export const inFamily = (family: Family, kind: CauseKind, entries: readonly Entry[]): readonly Finding[] =>
  entries.map((entry) => ({ family, kind, severity: SEVERITY[entry.role], dependsOn: [], isFinal: false, ...entry }));
