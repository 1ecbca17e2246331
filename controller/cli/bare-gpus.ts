/** The GPUs of hosts that no run needs: nvidia-smi over SSH, once; nothing is left behind. */

import { readGpuTable } from "../../cluster/nvidia/gpu-row.ts";
import { smiTrouble } from "../../cluster/nvidia/problem.ts";
import { PROCESS_FIELDS, readProcesses } from "../../cluster/nvidia/processes.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import { readGpu, uuidOf } from "../../cluster/telemetry/read-gpu.ts";
import { type GpuProcess, type GpuTool, NOTHING, type Sample } from "../../cluster/telemetry/sample.ts";
import type { HostReading } from "../../cluster/view/host-telemetry.ts";
import type { Options } from "./commands.ts";
import type { Context } from "./context.ts";
import { onHosts, withHost } from "./reach-host.ts";
import { runScript } from "./remote-script.ts";

/** Names that every driver since 2018 knows. */
const FIELDS = "index,uuid,name,driver_version,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw,enforced.power.limit,clocks.sm";
const CSV = "--format=csv,noheader,nounits";
const SCRIPT = `PATH="$PATH:/usr/local/bin:/usr/lib/wsl/lib"; LC_ALL=C; export PATH LC_ALL
command -v nvidia-smi >/dev/null || { echo '@absent'; exit 0; }
echo '@gpus'; nvidia-smi --query-gpu=${FIELDS} ${CSV} 2>&1; echo "@code $?"
echo '@processes'; nvidia-smi --query-compute-apps=${PROCESS_FIELDS.join(",")} ${CSV} 2>/dev/null
echo '@users'; for p in $(nvidia-smi --query-compute-apps=pid ${CSV} 2>/dev/null); do echo "$p $(stat -c %U "/proc/$p" 2>/dev/null)"; done
`;
/** A driver that hangs is not waited for. */
const LIMIT_MS = 15_000;
const OUT_MAX = 1024 * 1024;

export async function readBare(context: Context, hosts: readonly HostSpec[], options: Options): Promise<readonly HostReading[]> {
  const found = await onHosts(hosts, (host) => withHost(host, context, options, (transport) => ask(transport, host)));
  return found.map((one): HostReading => {
    const base = { host: one.host.name, ageMs: 0, ranks: new Map<number, number>() };
    return one.ok ? { ...base, sample: one.value, why: "" } : { ...base, sample: null, why: one.problem.message };
  });
}

async function ask(transport: Parameters<typeof runScript>[0], host: HostSpec): Promise<Sample> {
  let out = "";
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      isLate = true;
      resolve();
    }, LIMIT_MS);
  });
  const asked = runScript(transport, host, SCRIPT, {
    onOut: (data) => {
      if (out.length < OUT_MAX) out += data.toString("utf8");
    },
    onErr: () => undefined,
  });
  await Promise.race([asked, late]).finally(() => clearTimeout(timer));
  if (isLate) void asked.catch(() => undefined); // closing the connection ends it
  return readAnswer(out, isLate);
}

export function readAnswer(out: string, isLate: boolean): Sample {
  if (out.startsWith("@absent")) return { ...NOTHING, tool: { name: "nvidia-smi", state: "absent" } };
  const part = (from: string, to: string): string => new RegExp(`^@${from}\\n([\\s\\S]*?)(?:^@${to}|(?![\\s\\S]))`, "m").exec(out)?.[1] ?? "";
  const rows = readGpuTable(part("gpus", "code"), FIELDS.split(",")).rows;
  const code = /^@code (\d+)$/m.exec(out)?.[1];
  const users = new Map([...part("users", "end").matchAll(/^(\d+) (\S+)$/gm)].map(([, pid, user]) => [Number(pid), user ?? ""]));
  const trouble = isLate ? { kind: "hung", says: "it does not answer" } : smiTrouble(part("gpus", "code"), "", code === undefined ? 1 : Number(code));
  const tool: GpuTool =
    rows.length > 0 || trouble === null ? { name: "nvidia-smi", state: "ok" } : { name: "nvidia-smi", state: isLate ? "hung" : "failed", text: trouble.says };
  const processes = readProcesses(part("processes", "users")).processes.map(({ gpu, pid, name, memory }): [string, GpuProcess] => {
    const user = users.get(pid);
    const more = {
      ...("v" in name ? { name: name.v.slice(-256) } : {}),
      ...("v" in memory ? { memoryMiB: memory.v } : {}),
      ...(user === undefined ? {} : { user }),
    };
    return [`${gpu}/${pid}`, { gpu, pid, owner: user === undefined ? "unknown" : "foreign", ...more }];
  });
  return {
    ...NOTHING,
    tool,
    gpus: Object.fromEntries(
      rows.flatMap((row) => [uuidOf(row)].flatMap((uuid) => (uuid === null ? [] : [[uuid, { ...readGpu("static", row), ...readGpu("hot", row) }]]))),
    ),
    processes: Object.fromEntries(processes),
  };
}
