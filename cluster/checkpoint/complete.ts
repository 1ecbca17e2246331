/** Whether all parts of a saved step are there, by the rules of what saved it. */

import type { Saved } from "./groups.ts";

export type Lack = {
  /** Parts that should be there and are on no host that was asked, or torn wherever they are. */
  readonly files: readonly string[];
  /** The save had ended, for its last file is there, or may have, where hosts do not answer. Else it was torn. */
  readonly wasSaved: boolean;
};

/** What is known of where a step was saved. */
export type Setting = {
  /** Ranks of the attempt that saved it. */
  readonly world: number;
  /** Some host of the run does not answer: what is nowhere else may be there. */
  readonly hasSilent: boolean;
};

/** null: it is complete. */
export function lackOf(saved: Saved, { world, hasSilent }: Setting): Lack | null {
  const torn = [...saved.parts].filter(([, part]) => !part.isWhole).map(([path]) => path);
  const wanted = new Set([...needs(saved), ...(hasSilent ? [] : absentStates(saved, world)), ...[...saved.promised.values()].flat()]);
  const absent = [...wanted].filter((path) => !saved.parts.has(path));
  const files = [...torn, ...absent].toSorted();
  return files.length === 0 ? null : { files, wasSaved: torn.length === 0 && saved.kind !== "file" && (hasSilent || isWhole(saved, LAST[saved.kind])) };
}

/** What each kind writes after all else. */
const LAST = { hf: "trainer_state.json", dcp: ".metadata" } as const;

function needs(saved: Saved): readonly string[] {
  if (saved.kind === "file") return [];
  const sharded = shardedDirectories(saved).flatMap((directory) => [
    `${directory}.metadata`,
    // Metadata that names no file in words that we know says nothing of what should be there.
    ...(saved.promised.get(`${directory}.metadata`)?.length === 0 ? [`${directory}__0_0.distcp`] : []),
  ]);
  return saved.kind === "dcp" ? sharded : [LAST.hf, ...sharded, ...trainerFiles(saved)];
}

/** With a trailing slash; "" is the checkpoint itself. */
function shardedDirectories({ parts }: Saved): readonly string[] {
  const found = [...parts.keys()].map((path) => /^(.*\/)?(?:__\d+_\d+\.distcp|\.metadata)$/.exec(path));
  return [...new Set(found.filter((match) => match !== null).map(([, directory = ""]) => directory))];
}

/** What the Trainer puts weights into; an index brings its shards by what it promises. */
const WEIGHTS =
  /^((model|adapter_model)\.safetensors(\.index\.json)?|(pytorch_model|adapter_model)\.bin(\.index\.json)?|pytorch_model_fsdp(\.bin|_\d+\/.*)|global_step\d+\/.*)$/;
/** The optimizer: of one process, of FSDP, of DeepSpeed. */
const OPTIMIZER = /^(optimizer\.(pt|bin)|optimizer_\d+\/.*|global_step\d+\/.*)$/;
/** Only weights are there with save_only_model. */
const BESIDE_WEIGHTS = /^(rng_state|optimizer|scheduler|scaler)/;

function trainerFiles({ parts }: Saved): readonly string[] {
  const paths = [...parts.keys()];
  const unless = (known: RegExp, otherwise: string): readonly string[] => (paths.some((path) => known.test(path)) ? [] : [otherwise]);
  const weights = unless(WEIGHTS, "model.safetensors");
  return paths.some((path) => BESIDE_WEIGHTS.test(path)) ? [...weights, ...unless(OPTIMIZER, "optimizer.pt")] : weights;
}

/**
 * The Trainer's random states, one by each rank, some written after its last file: where one lacks and every host answers, the save was cut. A host that is gone
 * took its ranks' along: the Trainer goes on without, those ranks draw other numbers, and no step is lost for that.
 */
export function absentStates({ kind, parts }: Saved, world: number): readonly string[] {
  if (kind !== "hf" || ![...parts.keys()].some((path) => BESIDE_WEIGHTS.test(path))) return [];
  const states = world <= 1 ? ["rng_state.pth"] : Array.from({ length: world }, (_, rank) => `rng_state_${rank}.pth`);
  return states.filter((path) => !parts.has(path));
}

const isWhole = ({ parts }: Saved, path: string): boolean => parts.get(path)?.isWhole === true;
