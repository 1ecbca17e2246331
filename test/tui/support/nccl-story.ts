/** What the ranks of two hosts write with NCCL_DEBUG=INFO: peer to peer inside, one network between, and a peer that went away. */

import type { LogLine, LogPage } from "../../../cluster/viewer.ts";
import type { Model } from "../../../tui/model.ts";
import { createNcclLog, type NcclLog } from "../../../tui/nccl-log.ts";
import { eventsUpTo, lineOf, modelOf, NOON, specOf } from "./tell.ts";

const SPEC = specOf(2);
const RANKS = 16;

/** `over`: what the network between the hosts is. */
export function ncclLines(over: "IB" | "Socket", isWarned = true): readonly LogLine[] {
  const hostOf = (rank: number): string => SPEC.hosts[Math.floor(rank / 8)]?.name ?? "";
  return Array.from({ length: RANKS }, (_, rank) => rank).flatMap((rank) => {
    const next = (rank + 1) % RANKS;
    const via = Math.floor(rank / 8) === Math.floor(next / 8) ? "P2P/CUMEM" : `[send] via NET/${over}/0${over === "IB" ? "/GDRDMA" : ""}`;
    const says = [
      "NCCL version 2.28.3+cuda12.9",
      over === "IB" ? "NET/IB : Using [0]mlx5_0:1/IB [RO]; OOB ib0:192.168.4.11<0>" : "NET/Socket : Using [0]eth0:10.0.0.11<0>",
      `Using network ${over}`,
      `ncclCommInitRank comm 0x55a0 rank ${rank} nranks ${RANKS} cudaDev ${rank % 8} nvmlDev ${rank % 8} busId 1000 commId 0x1 - Init START`,
      ...(rank === 0 ? [`Channel 00/02 : ${Array.from({ length: RANKS }, (_, k) => k).join(" ")}`] : []),
      ...["00", "01"].map((channel) => `Channel ${channel}/0 : ${rank}[${rank % 8}] -> ${next}[${next % 8}] ${via.startsWith("[") ? via : `via ${via}`}`),
      "16 coll channels, 16 collnet channels, 0 nvls channels, 16 p2p channels, 2 p2p channels per peer",
      `ncclCommInitRank comm 0x55a0 rank ${rank} nranks ${RANKS} cudaDev ${rank % 8} nvmlDev ${rank % 8} busId 1000 commId 0x1 - Init COMPLETE`,
    ].map((text) => `${hostOf(rank)}:${4000 + rank}:${5000 + rank} [${rank % 8}] NCCL INFO ${text}`);
    const warns =
      isWarned && rank >= 8 && rank < 11
        ? [`[2025-11-01 13:59:00] socket.cc:${480 + rank} NCCL WARN Net: Connect to 100.64.0.11<4${rank}> failed : Connection timed out`]
        : [];
    return [...says, ...warns].map((text, k) => lineOf(hostOf(rank), rank, NOON - 60_000 + k, text, { stream: "nccl" }));
  });
}

export const ncclModel = (): Model => modelOf({ spec: SPEC, events: eventsUpTo(SPEC, "running"), now: NOON });

const page = (lines: readonly LogLine[]): LogPage => ({ lines, from: null, to: null, isFirst: true, isLast: true });

/** The stored lines are there when it returns. */
export async function ncclLogOf(lines: readonly LogLine[], model: Model): Promise<NcclLog> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const log = createNcclLog(async () => page(lines), resolve);
  if (model.run !== null) log.told(model.run);
  await promise;
  return log;
}
