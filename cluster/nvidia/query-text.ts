/** `nvidia-smi -q [-d …]`: a tree by indentation; values by path, such as "PCI/Replays Since Reset". */

export type QueriedGpu = { readonly busId: string; readonly values: Readonly<Record<string, string>> };

export function readQueryText(out: string): readonly QueriedGpu[] {
  const gpus: { busId: string; values: Record<string, string> }[] = [];
  let path: { readonly indent: number; readonly name: string }[] = [];
  for (const line of out.split(/\r?\n/)) {
    const busId = /^GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])\s*$/.exec(line)?.[1];
    if (busId !== undefined) {
      gpus.push({ busId, values: Object.create(null) as Record<string, string> });
      path = [];
      continue;
    }
    const indent = /^ */.exec(line)?.[0].length ?? 0;
    // A part that was cut out of an answer names no GPU.
    if (gpus.length === 0 && indent > 0 && line.includes(" : ")) gpus.push({ busId: "", values: Object.create(null) as Record<string, string> });
    const gpu = gpus.at(-1);
    if (gpu === undefined || indent === 0 || line.trim() === "") continue;
    const [, key = "", value] = /^\s+(.*?)(?:\s+: ?(.*))?$/.exec(line) ?? [];
    path = path.filter((part) => part.indent < indent);
    if (value === undefined) path = [...path, { indent, name: key.trim() }];
    else gpu.values[[...path.map((part) => part.name), key.trim()].join("/")] ??= value.trim();
  }
  return gpus;
}
