/** Whether all parts of a saved step are there, by the rules of what saved it. */

import type { Saved } from "./groups.ts";

export type Lack = {
  /** Parts that should be there and are on no host that was asked, or torn wherever they are. */
  readonly files: readonly string[];
  /** The save had ended once: its last file is there, so what lacks is elsewhere. Else it was torn. */
  readonly hadEnded: boolean;
};

/** null: it is complete. `world`: ranks of the attempt that saved it. */
export function lackOf(saved: Saved, world: number): Lack | null {
  const torn = [...saved.parts].filter(([, part]) => !part.isWhole).map(([path]) => path);
  const wanted = new Set([...needs(saved, world), ...[...saved.promised.values()].flat()]);
  const absent = [...wanted].filter((path) => !saved.parts.has(path));
  const files = [...torn, ...absent].toSorted();
  return files.length === 0 ? null : { files, hadEnded: saved.kind !== "file" && isWhole(saved, LAST[saved.kind]) };
}

/** What each kind writes after all else. */
const LAST = { hf: "trainer_state.json", dcp: ".metadata" } as const;

function needs(saved: Saved, world: number): readonly string[] {
  if (saved.kind === "file") return [];
  const metadata = shardedDirectories(saved).map((directory) => `${directory}.metadata`);
  if (saved.kind === "dcp") return metadata;
  return [LAST.hf, ...metadata, ...(hasWeights(saved) ? [] : ["model.safetensors"]), ...randomStates(saved, world)];
}

/** With a trailing slash; "" is the checkpoint itself. */
function shardedDirectories({ parts }: Saved): readonly string[] {
  const found = [...parts.keys()].map((path) => /^(.*\/)?(?:__\d+_\d+\.distcp|\.metadata)$/.exec(path));
  return [...new Set(found.filter((match) => match !== null).map(([, directory = ""]) => directory))];
}

/** One of the files or directories that the Trainer puts weights into; an index brings its shards by what it promises. */
const hasWeights = ({ parts }: Saved): boolean =>
  [...parts.keys()].some((path) =>
    /^((model|adapter_model)\.safetensors(\.index\.json)?|(pytorch_model|adapter_model)\.bin(\.index\.json)?|pytorch_model_fsdp(\.bin|_\d+\/.*)|global_step\d+\/.*)$/.test(
      path,
    ),
  );

/** Written by every rank, some after the Trainer's last file; not at all with save_only_model. */
function randomStates({ parts }: Saved, world: number): readonly string[] {
  const savesMore = [...parts.keys()].some((path) => /^(rng_state|optimizer|scheduler|scaler)/.test(path));
  if (!savesMore) return [];
  return world <= 1 ? ["rng_state.pth"] : Array.from({ length: world }, (_, rank) => `rng_state_${rank}.pth`);
}

const isWhole = ({ parts }: Saved, path: string): boolean => parts.get(path)?.isWhole === true;
