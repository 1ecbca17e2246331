/** What a person may do to a live run besides stopping it: the acts, what each would do now, and why one cannot be done now. Pure. */

import type { NcclLevel } from "./nccl-level.ts";

export type Act =
  /** The attempt is ended as by a stop and another one begins at once; it costs no budget. */
  | { readonly do: "restart" }
  /** The run goes on without this host, for good: with a spare in its place, or smaller. */
  | { readonly do: "exclude"; readonly host: string }
  /** The same, and only with a spare. */
  | { readonly do: "take-spare"; readonly host: string }
  /** Of the attempts to come; null: what the file says. */
  | { readonly do: "nccl-debug"; readonly level: NcclLevel | null };
