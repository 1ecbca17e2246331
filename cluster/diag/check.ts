/** What `diag` looks at: a check is data and a pure judge over what probes brought; nothing that could not be looked at ever passes. */

import type { HostFacts, HostSpec, RunSpec } from "../spec.ts";

/** quick: 20 s at most for any number of hosts, before each launch. full: 3 min at most, loads links and GPUs. deep: minutes and more, with dcgm. */
export type Tier = "quick" | "full" | "deep";

export type Group = "access" | "versions" | "gpu" | "network" | "disk" | "time" | "system" | "distributed";

/** skip: not looked at, and why. error: looking failed. Neither is green. */
export type Status = "pass" | "warn" | "fail" | "skip" | "error";

/** Who may run the cure: the user, root on the host, or who administers the network or the site. */
export type Who = "you" | "root" | "admin";

/** What the check was proven on: the thing broken for real by a test, a captured sample of a real tool, or nothing yet. */
export type Proof = "broken" | "sample" | "unproven";

/** What one program or file on a host said. `code` null: it did not end in time, or was never started (then `why` says so). */
export type Section = { readonly code: number | null; readonly out: string; readonly err: string; readonly ms: number; readonly why?: string };

/** What python/probe.py brought from a host: section name → what it said. A section that is missing was not asked. */
export type HostProbe = {
  readonly host: string;
  readonly facts: HostFacts;
  readonly sections: Readonly<Record<string, Section>>;
  /** The host's clock less the controller's, ms, and how far that may be off; null: not measured. */
  readonly clock: { readonly offsetMs: number; readonly errorMs: number } | null;
};

/** The values of the run that is to start, and of who looks. */
export type DiagContext = {
  readonly spec: RunSpec;
  readonly tier: Tier;
  readonly now: number;
  /** Host → numeric addresses that its `address` means to the controller, where that is a name. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  /** Trial all-reduces, where they were made. */
  readonly trials?: readonly Trial[];
};

/** One run of python/all_reduce_probe.py, and what came of it. */
export type Trial = {
  readonly hosts: readonly string[];
  readonly backend: "gloo" | "nccl";
  /** Variables that it was tried with, beyond those of every run. */
  readonly env: Readonly<Record<string, string>>;
  readonly ranks: number;
  /** All ranks that the file gives these hosts; else one on each. */
  readonly isWhole: boolean;
  /** The run that it was. */
  readonly run: string;
  /** What went wrong, in words, and on which host; null: the sum was right on every rank. */
  readonly failure: { readonly code: string; readonly text: string; readonly host: string | null } | null;
  /** From the start of the run to the first rank that had met all others, ms. */
  readonly metMs: number | null;
  /** Of the largest tensor. */
  readonly allReduce: { readonly bytes: number; readonly ms: number } | null;
};

/** What a judge says. `words` fill `{name}` in the check's fix and verify. `gpu`: the UUID of the one GPU that it speaks of. */
export type Judgement = {
  readonly status: Status;
  /** What was seen, in words, with the value. */
  readonly observed: string;
  readonly expected?: string;
  readonly evidence?: readonly string[];
  readonly words?: Readonly<Record<string, string>>;
  readonly gpu?: string;
};

type Said = {
  /** gpu.xid */
  readonly id: string;
  readonly group: Group;
  readonly tier: Tier;
  /** What is looked at, a few words. */
  readonly title: string;
  /** Why it matters, one clause. */
  readonly why: string;
  /** The command that mends it; `{name}` is filled from the judgement's words, `{host}` always. */
  readonly fix: string;
  readonly who: Who;
  /** The command that shows that it is mended. */
  readonly verify: string;
  /** Checks that must not have failed or been skipped on the same host: else this one is skipped. */
  readonly needs: readonly string[];
  /** Checks whose failure there explains what this one would find: it is skipped then, and not where they were skipped. */
  readonly unlessFailed?: readonly string[];
  /** A failure of it keeps a launch back. */
  readonly isBlocking: boolean;
  readonly proof: Proof;
  /** Done by `diag --fix` on the host, in sh: only what is the user's own and can be undone. */
  readonly mend?: { readonly what: string; readonly script: string; readonly undo: string };
};

export type HostCheck = Said & {
  readonly scope: "host";
  /** One judgement for the host, or one for each GPU. */
  readonly judge: (probe: HostProbe, host: HostSpec, context: DiagContext) => Judgement | readonly Judgement[];
};

/** Compares the hosts: names the minority. Hosts that it does not speak of pass. */
export type ClusterCheck = Said & {
  readonly scope: "cluster";
  readonly judge: (probes: readonly HostProbe[], context: DiagContext) => readonly (Judgement & { readonly host: string })[];
};

/**
 * One way between two hosts; what python/probe_peer.py measured from `from` to `to`. null: not measured, `why` says so.
 * `from` and `to` the same: what the host said of its own ports when it was to listen on them.
 */
export type PairProbe = {
  readonly from: string;
  readonly to: string;
  readonly why?: string;
  /** What `to` was called. */
  readonly address?: string;
  /** Whether anything of `to` answered at all: a port of ours, or its SSH, be it by a refusal. */
  readonly isAnswering?: boolean;
  /** Ports of `to` that were tried from `from`, each with what came of it. */
  readonly ports: readonly {
    readonly port: number;
    readonly kind: "rdzv" | "ephemeral";
    readonly outcome: "open" | "refused" | "timeout" | "unreachable" | "busy" | "other";
    readonly ms: number;
    /** Who holds a busy port; what else came back. */
    readonly detail?: string;
  }[];
  readonly latencyMs: { readonly p50: number; readonly max: number; readonly lost: number } | null;
  /** Bit/s. */
  readonly bandwidth: number | null;
  /** The largest IP packet that went through whole, bytes, beside the MTU of the interface that it left by. */
  readonly mtu: { readonly path: number; readonly interface: number } | null;
  /** What came of writing more than a packet holds over TCP, when small messages had gone through. */
  readonly bigWrites?: "through" | "stalled" | null;
  /** What `tailscale ping` said, where the address is of a tailnet and there is such a program. */
  readonly tailscalePing?: string;
  /** The interface that the route to the other takes; `wanted`: the one that the ranks of `from` will be told, where it can be chosen. */
  readonly route: { readonly interface: string; readonly source: string; readonly wanted?: string } | null;
};

export type PairCheck = Said & {
  readonly scope: "pair";
  /** `host` null: of all of them. */
  readonly judge: (pairs: readonly PairProbe[], context: DiagContext) => readonly (Judgement & { readonly host: string | null; readonly peer?: string })[];
};

export type Check = HostCheck | ClusterCheck | PairCheck;

/** One line of the answer. */
export type Result = Judgement & { readonly id: string; readonly host: string | null; readonly peer?: string; readonly tookMs?: number };
