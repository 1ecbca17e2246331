/** `nvidia-smi -L`: GPUs, and the MIG devices that they are cut into. It may still list a GPU that is lost. */

export type ListedGpu = {
  readonly index: number;
  readonly name: string;
  readonly uuid: string;
  readonly mig: readonly { readonly profile: string; readonly device: number; readonly uuid: string }[];
};

export type GpuListing = { readonly gpus: readonly ListedGpu[]; readonly texts: readonly string[] };

export function readListing(out: string): GpuListing {
  const gpus: (ListedGpu & { mig: ListedGpu["mig"][number][] })[] = [];
  const texts: string[] = [];
  for (const line of out.split("\n")) {
    const gpu = /^GPU (\d{1,3}): (.{1,200}?) \(UUID: (GPU-[0-9A-Za-z-]{1,80})\)\s*$/.exec(line);
    const mig = /^\s+MIG (\S{1,40})\s+Device\s+(\d{1,3}): \(UUID: (MIG-[0-9A-Za-z/-]{1,120})\)\s*$/.exec(line);
    const parent = gpus.at(-1);
    if (gpu?.[1] !== undefined && gpu[2] !== undefined && gpu[3] !== undefined) gpus.push({ index: Number(gpu[1]), name: gpu[2], uuid: gpu[3], mig: [] });
    else if (mig?.[1] !== undefined && mig[2] !== undefined && mig[3] !== undefined && parent !== undefined)
      parent.mig.push({ profile: mig[1], device: Number(mig[2]), uuid: mig[3] });
    else if (line.trim() !== "") texts.push(line.trim().slice(0, 500));
  }
  return { gpus, texts };
}
