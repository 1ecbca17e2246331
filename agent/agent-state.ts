/** What the parts of one agent share. */

import type { AgentConfig } from "./config.ts";
import type { Run } from "./run.ts";
import type { ShimLink } from "./shim-link.ts";

export type Agent = {
  readonly config: AgentConfig;
  readonly runs: Map<string, Run>;
  /** "run/attempt" → the live socket of its shim. */
  readonly shims: Map<string, ShimLink>;
  /** "run/attempt" being followed: one follower each. */
  readonly followed: Map<string, Promise<void>>;
  /** "run/attempt" that were told to stop, so that a launch on its way loses. */
  readonly stopped: Set<string>;
  /** Run → ends its `setup`, when one is under way. */
  readonly setups: Map<string, AbortController>;
  /** "run/controller" → when a link of it that has ended was last heard. */
  readonly heard: Map<string, number>;
  readonly log: (text: string) => void;
};

export const heardKey = (run: string, controller: string): string => `${run}/${controller}`;

export const shimKey = (run: Run, attempt: number): string => `${run.run}/${attempt}`;
