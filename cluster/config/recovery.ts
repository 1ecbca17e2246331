/** What acts for recovery when the file says nothing. */

import type { RestartSpec, RunSpec, Timeouts } from "../spec.ts";

export const DETECTION = { suspectMs: 6000, lostMs: 10_000, hangMs: null, firstStepMs: null } as const satisfies Partial<Timeouts>;

/** Trainers are tried again; any other program may do something at each start that must not be done twice. */
export const RESTART: RestartSpec = { max: 3, backoffMs: 2000, onHostLoss: "wait", onHang: "report", stopCodes: [], retryCodes: [] };
export const RESTART_OF_COMMANDS: RestartSpec = { ...RESTART, max: 0 };

/** All of it, for a run that asks for none of it. */
export const RECOVERY = { spares: [], restart: RESTART, resumeArgs: [], seat: null } as const satisfies Partial<RunSpec>;
