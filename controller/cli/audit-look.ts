/** What an audit of a host says, and which of it is left over. */

import * as z from "zod";
import type { HostSpec } from "../../cluster/spec.ts";
import { callHelper } from "../reach/helper.ts";
import type { Transport } from "../reach/transport.ts";

/** Ending waits for shims, one after the other. */
const END_MS = 5 * 60_000;

const word = z.string().max(4096);
const process = z.object({ pid: z.int(), start: z.int(), comm: word });
const audit = z.object({
  agents: z.array(z.object({ pid: z.int(), start: z.int(), key: word, isLeft: z.boolean() })),
  attempts: z.array(
    z.object({
      run: word,
      attempt: z.int(),
      shim: z.int().nullable(),
      processes: z.array(process),
      count: z.int(),
      verdict: z.enum(["alive", "over", "superseded", "shim-gone", "unknown"]),
      why: word,
    }),
  ),
  strays: z.array(process.extend({ mark: word })),
  files: z.array(z.object({ path: word, why: word })),
});
export type Audit = z.infer<typeof audit>;
const ended = audit.extend({ ended: z.int() });
export type Ended = z.infer<typeof ended>;

/** One entry with transport local is asked about alone: entries share the machine. */
const about = (host: HostSpec, stateDir: string): object => ({ stateDir, ...(host.transport === "local" ? { localName: host.name } : {}) });

export const auditHost = async (transport: Transport, host: HostSpec, stateDir: string): Promise<Audit> =>
  audit.parse(await callHelper(transport, host.name, { op: "audit", ...about(host, stateDir) }));

/** The host looks again first, and ends only what of this is left over still. */
export const endLeft = async (transport: Transport, host: HostSpec, stateDir: string, found: Audit): Promise<Ended> => {
  const only = leftAttempts(found).map(({ run, attempt }) => ({ run, attempt }));
  return ended.parse(await callHelper(transport, host.name, { op: "end-left", only, ...about(host, stateDir) }, null, END_MS));
};

export const leftAttempts = ({ attempts }: Audit): Audit["attempts"] => attempts.filter((each) => each.verdict !== "alive");
export const leftAgents = ({ agents }: Audit): Audit["agents"] => agents.filter((each) => each.isLeft);

/** What `--end` would take; strays are not of it. */
export const isLeft = (found: Audit): boolean => leftAttempts(found).length + leftAgents(found).length + found.files.length > 0;
