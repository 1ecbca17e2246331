/** Asks a host over its link for what NCCL could use there. Never rejects: what cannot be asked is not known. */

import { HARDWARE_LOOK, readHardware, UNKNOWN_HARDWARE } from "../../cluster/nccl/hardware.ts";
import type { Hardware } from "../../cluster/nccl/judge.ts";
import type { Linked } from "./keeper.ts";

/** A matrix of 16 GPUs has 3 KB. */
const MOST = 256 * 1024;

export async function askHardware(linked: Linked | null): Promise<Hardware> {
  if (linked === null) return UNKNOWN_HARDWARE;
  let out = "";
  const take = (fd: 1 | 2, data: Buffer): void => {
    if (fd === 1 && out.length < MOST) out += data.toString("latin1");
  };
  try {
    await linked.link.exec([...HARDWARE_LOOK], take, () => undefined);
  } catch {
    return UNKNOWN_HARDWARE;
  }
  return readHardware(out);
}
