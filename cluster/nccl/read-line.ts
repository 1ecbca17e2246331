/** One line of NCCL's log as a fact. Shapes of NCCL 2.4 to 2.30; what says nothing that we use is null. */

export type NcclFact =
  | { readonly is: "version"; readonly version: string }
  | { readonly is: "set"; readonly name: string; readonly value: string }
  /** Devices that a network could use: mlx5_0:1/IB, eth0:10.0.0.1. */
  | { readonly is: "devices"; readonly network: "IB" | "Socket"; readonly devices: readonly string[] }
  /** What it took: Socket, IB, or the name of a plugin. */
  | { readonly is: "network"; readonly network: string }
  | { readonly is: "begins" | "ready"; readonly communicator: string; readonly rank: number; readonly ranks: number; readonly gpu: number | null }
  | { readonly is: "hosts"; readonly ranks: number; readonly hosts: number }
  /** How this rank reaches another: P2P/CUMEM, SHM/direct/direct, NET/Socket/0, NET/IB/3/GDRDMA. Ranks are those of the communicator. */
  | { readonly is: "link"; readonly from: number; readonly to: number; readonly via: string }
  | { readonly is: "ring"; readonly channel: number; readonly channels: number; readonly ranks: readonly number[] }
  | { readonly is: "channels"; readonly count: number }
  /** NCCL found a way between two GPUs of a host, and may not take it. */
  | { readonly is: "p2p-disabled"; readonly gpus: readonly [number, number] }
  | { readonly is: "no-gdr"; readonly text: string }
  | { readonly is: "warning"; readonly text: string };

/** Before it stand host, pid, device, time and place in the source, as releases and launchers have it. */
const LINE = /(?:^|[\s:])NCCL (INFO|WARN) (.*)$/;
const MAX = 1200;

export function readNcclLine(line: string): NcclFact | null {
  const text = line.slice(0, MAX);
  const bare = /^[NR]CCL version[: ]{1,3}(\S{1,80})/.exec(text)?.[1];
  if (bare !== undefined) return { is: "version", version: bare };
  const [, level, said = ""] = LINE.exec(text) ?? [];
  if (level === "WARN") return { is: "warning", text: said.trim() };
  return level === undefined ? null : readInfo(said.replace(/^\[Rank \d+\] /, "").trim());
}

function readInfo(said: string): NcclFact | null {
  let match = /^[NR]CCL version[: ]{1,3}(\S{1,80})/.exec(said);
  if (match !== null) return { is: "version", version: match[1] ?? "" };
  match = /^(NCCL_\w{1,80}) set (?:by environment )?to (.*?)\.?$/.exec(said);
  if (match !== null) return { is: "set", name: match[1] ?? "", value: match[2] ?? "" };
  match = /^NET\/(IB|Socket) ?: (?:Using (.*)|No device found)/.exec(said);
  if (match !== null) return { is: "devices", network: match[1] === "IB" ? "IB" : "Socket", devices: devicesIn(match[2] ?? "") };
  match = /^Using network (.{1,80})$/.exec(said);
  if (match !== null) return { is: "network", network: match[1] ?? "" };
  match = /^(?:\w{1,60} )?comm (0x[0-9a-f]+) rank (\d+) nranks (\d+) cudaDev \d+(?: nvmlDev (\d+))?.*- Init (START|COMPLETE)/.exec(said);
  if (match !== null)
    return {
      is: match[5] === "START" ? "begins" : "ready",
      communicator: match[1] ?? "",
      rank: Number(match[2]),
      ranks: Number(match[3]),
      gpu: match[4] === undefined ? null : Number(match[4]),
    };
  match = /^comm 0x[0-9a-f]+ rank \d+ nRanks (\d+) nNodes (\d+)/.exec(said);
  if (match !== null) return { is: "hosts", ranks: Number(match[1]), hosts: Number(match[2]) };
  match = /^(?:Channel|Ring) \d+(?:\/\d+)? ?: (\d+)(?:\[\w+\])? -> (\d+)(?:\[\w+\])? (?:\[(?:send|receive)\] )?via (.{1,80})$/.exec(said);
  if (match !== null) return { is: "link", from: Number(match[1]), to: Number(match[2]), via: (match[3] ?? "").replace("direct shared memory", "SHM").trim() };
  match = /^Channel (\d+)\/(\d+) :((?: +\d+)+)$/.exec(said);
  if (match !== null) return { is: "ring", channel: Number(match[1]), channels: Number(match[2]), ranks: (match[3] ?? "").trim().split(/ +/).map(Number) };
  match = /^(\d+) coll channels/.exec(said);
  if (match !== null) return { is: "channels", count: Number(match[1]) };
  match = /^P2P is disabled between connected GPUs (\d+) and (\d+)/.exec(said);
  if (match !== null) return { is: "p2p-disabled", gpus: [Number(match[1]), Number(match[2])] };
  return /^NET\/IB ?: GPU Direct RDMA Disabled/.test(said) ? { is: "no-gdr", text: said } : null;
}

const devicesIn = (said: string): readonly string[] => [...said.matchAll(/\[\d+\](\S+)/g)].map(([, device = ""]) => device.replace(/<\d+>$/, ""));
