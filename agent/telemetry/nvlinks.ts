/** The state of NVLink, every half minute: how many links work, how many do not, what they counted. A host without is asked once. */

import { readNvlink } from "../../cluster/nvidia/nvlink.ts";
import type { GpuSample } from "../../cluster/telemetry/sample.ts";
import { askProgram } from "./child.ts";
import { repeat } from "./repeat.ts";

const ASK_MS = 10_000;

type Links = Pick<GpuSample, "nvlinks" | "nvlinksDown" | "nvlinkErrors">;
export type NvlinkWatch = { readonly now: () => Readonly<Record<string, Links>>; readonly close: () => void };

/** `program` null: nobody is asked now. */
export function watchNvlinks(program: () => string | null, everyMs: number, log: (text: string) => void): NvlinkWatch {
  const closing = new AbortController();
  const { signal } = closing;
  let found: Record<string, Links> = {};
  let foundAt = Number.NEGATIVE_INFINITY;

  /** Whether to go on. */
  const look = async (at: string): Promise<boolean> => {
    const state = await askProgram(at, ["nvlink", "-s"], ASK_MS, signal);
    if (state.cut !== null) await state.gone;
    const gpus = readNvlink(state.out);
    if (gpus.length === 0) return state.cut !== null;
    if (gpus.every((gpu) => gpu.state === "none")) return false;
    const counted = await askProgram(at, ["nvlink", "-e"], ASK_MS, signal);
    if (counted.cut !== null) await counted.gone;
    const errors = new Map(readNvlink(counted.out).map((gpu) => [gpu.uuid, gpu.errors]));
    found = Object.fromEntries(
      gpus.flatMap(({ uuid, state: is, speeds }): [string, Links][] => {
        if (is === "dead") return [[uuid, { nvlinks: 0 }]];
        if (is !== "links" || speeds.length === 0) return [];
        const sums = Object.values(errors.get(uuid) ?? {});
        const up = speeds.filter((speed) => speed !== null).length;
        return [
          [uuid, { nvlinks: up, nvlinksDown: speeds.length - up, ...(sums.length === 0 ? {} : { nvlinkErrors: sums.reduce((sum, one) => sum + one, 0) }) }],
        ];
      }),
    );
    foundAt = performance.now();
    return true;
  };
  const lookWhenAnswering = async (): Promise<number | null> => {
    const at = program();
    if (at === null) return 1000;
    return (await look(at)) ? everyMs : null;
  };
  repeat(lookWhenAnswering, everyMs, signal, log);
  return { now: () => (performance.now() - foundAt < 3 * everyMs + ASK_MS ? found : {}), close: () => closing.abort() };
}
