/** `nvidia-smi topo -m` and `topo -p2p`: how GPUs reach each other. Heads are underlined by escape codes, in a pipe too. */

export type Topology = {
  readonly gpus: readonly string[];
  /** Row by column, of GPUs only: X, NV18, PIX, PXB, PHB, NODE, SYS. */
  readonly links: readonly (readonly string[])[];
  readonly nics: readonly string[];
  /** How each GPU reaches each NIC. */
  readonly nicLinks: readonly (readonly string[])[];
  /** CPU Affinity of each GPU: 0-47,96-143; "": not told. */
  readonly cpus: readonly string[];
};

const LINK = /^(?:X|NV\d{1,3}|PIX|PXB|PHB|NODE|SYS|SOC|N\/A)$/;
const P2P = /^(?:X|OK|CNS|GNS|TNS|NS|DR|U|CNE|N\/A)$/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes that underline
const ESCAPES = /\x1b\[[0-9;]{0,10}m/g;

/** Why it cannot be read, instead of half of it. `isFault`: the driver itself lacks a GPU, and not this reader a word. */
export type Unreadable = { readonly problem: string; readonly isFault: boolean };

type Matrix = { readonly heads: readonly string[]; readonly rows: ReadonlyMap<string, readonly string[]> };

function readMatrix(out: string): Matrix | null {
  const lines = out.replace(ESCAPES, "").split(/\r?\n/);
  const at = lines.findIndex((line) => /^\s*GPU\d{1,3}\s+(?:GPU\d|NIC\d|CPU Affinity|[a-z]+\d*_)|^\s+GPU\d{1,3}\s*$/.test(line));
  if (at < 0) return null;
  // NICs are NIC0, or by their own names in older drivers: mlx5_0, mlx5_bond_0, hfi1_0.
  const heads = (lines[at] ?? "")
    .replace(/(?:CPU|NUMA) Affinity.*|GPU NUMA ID.*/, "")
    .trim()
    .split(/\s+/);
  const rows = new Map<string, readonly string[]>();
  for (const line of lines.slice(at + 1)) {
    const words = line.trim().split(/\s+/);
    const [name = "", ...cells] = words;
    if (!heads.includes(name)) break;
    rows.set(name, cells);
  }
  return { heads, rows };
}

export function readTopology(out: string): Topology | Unreadable {
  const matrix = readMatrix(out);
  if (matrix === null) return { problem: "no matrix of GPUs", isFault: false };
  const { heads, rows } = matrix;
  const isGpu = (name: string): boolean => name.startsWith("GPU");
  const gpus = heads.filter(isGpu);
  const links: string[][] = [];
  const nicLinks: string[][] = [];
  const cpus: string[] = [];
  for (const gpu of gpus) {
    const cells = rows.get(gpu);
    if (cells === undefined) return { problem: `the row of ${gpu} is missing`, isFault: true };
    const own = cells.slice(0, heads.length);
    const odd = own.find((cell) => !LINK.test(cell));
    if (own.length < heads.length || odd !== undefined) return { problem: `the row of ${gpu} is not understood`, isFault: false };
    if (own[heads.indexOf(gpu)] !== "X" || own.filter((cell) => cell === "X").length > 1)
      return { problem: `the row of ${gpu} has X in a wrong place`, isFault: true };
    links.push(own.filter((_, at) => isGpu(heads[at] ?? "")));
    nicLinks.push(own.filter((_, at) => !isGpu(heads[at] ?? "")));
    const affinity = cells[heads.length] ?? "";
    cpus.push(/^\d[\d,-]*$/.test(affinity) ? affinity : "");
  }
  return { gpus, links, nics: heads.filter((name) => !isGpu(name)), nicLinks, cpus };
}

export type PeerAccess = { readonly gpus: readonly string[]; readonly status: readonly (readonly string[])[] };

export function readPeerAccess(out: string): PeerAccess | Unreadable {
  const matrix = readMatrix(out);
  if (matrix === null) return { problem: "no matrix of GPUs", isFault: false };
  const status: (readonly string[])[] = [];
  for (const gpu of matrix.heads) {
    const cells = matrix.rows.get(gpu);
    if (cells === undefined || cells.length !== matrix.heads.length || cells.some((cell) => !P2P.test(cell)))
      return { problem: `the row of ${gpu} is not understood`, isFault: false };
    status.push(cells);
  }
  return { gpus: matrix.heads, status };
}
