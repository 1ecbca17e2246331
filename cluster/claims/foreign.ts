/** A process that is not the run's on a GPU that the run has claimed: a finding when it appears later. Pure. */

/** As a sample tells it. `user` null: not shown from there. */
export type GpuProcess = {
  readonly uuid: string;
  readonly pid: number;
  readonly process: string;
  readonly user: string | null;
  readonly memoryMiB: number | null;
};

export type Foreign = { readonly code: "GPU_FOREIGN"; readonly host: string; readonly uuid: string; readonly pid: number; readonly text: string };

/** `own`: PIDs of the run's processes there. `index`: of each claimed GPU, as nvidia-smi numbers it. */
export function foreignOn(
  host: string,
  claimed: ReadonlyMap<string, number | null>,
  processes: readonly GpuProcess[],
  own: ReadonlySet<number>,
): readonly Foreign[] {
  return processes
    .filter(({ uuid, pid }) => claimed.has(uuid) && !own.has(pid))
    .map(({ uuid, pid, process, user, memoryMiB }) => {
      const gpu = claimed.get(uuid) ?? uuid;
      const about = [`pid ${pid}`, user === null ? "a user that is not shown there" : `user ${user}`, ...(memoryMiB === null ? [] : [`${memoryMiB} MiB`])];
      return { code: "GPU_FOREIGN", host, uuid, pid, text: `${host}: ${process} (${about.join(", ")}) uses GPU ${gpu}, which this run has claimed` };
    });
}
