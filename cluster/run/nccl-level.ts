/** The levels of NCCL's own log that a person may ask for, the quietest first. */

export const NCCL_LEVELS = ["WARN", "INFO", "TRACE"] as const;
export type NcclLevel = (typeof NCCL_LEVELS)[number];
