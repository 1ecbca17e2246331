/** GPUs of one run beside each other: drivers, models, power. */

import { numberOf, textOf } from "../../nvidia/gpu-row.ts";
import type { ClusterCheck, HostProbe, Judgement } from "../check.ts";
import { compare, names, type Value } from "../compare.ts";
import { on } from "../cure.ts";
import { CannotSay, failed, pass, skip, warn } from "../read.ts";
import { gpusOf, identityOf, valueOr } from "./gpu-read.ts";

type Said = Judgement & { readonly host: string };
const base = { scope: "cluster", tier: "quick", needs: ["gpu.driver"], isBlocking: false } as const;

/** What each host has; a host that cannot tell is a skip of its own. */
function valuesOf(
  probes: readonly HostProbe[],
  read: (probe: HostProbe) => string | null,
): { readonly values: readonly Value[]; readonly untold: readonly Said[] } {
  const values: Value[] = [];
  const untold: Said[] = [];
  for (const probe of probes) {
    try {
      const value = read(probe);
      if (value === null) untold.push({ host: probe.host, ...skip("its driver does not tell") });
      else values.push({ host: probe.host, value });
    } catch (thrown) {
      if (!(thrown instanceof CannotSay)) throw thrown;
      untold.push({ host: probe.host, status: thrown.status, observed: thrown.message });
    }
  }
  return { values, untold };
}

function judgeDriver(probes: readonly HostProbe[]): readonly Said[] {
  const { values, untold } = valuesOf(probes, (probe) => {
    const [row] = gpusOf(probe).rows;
    const versions = row === undefined ? [] : (["driver_version", "kmd_version"] as const).map((field) => valueOr(textOf(row, field), ""));
    return versions.find((version) => /^\d+\.\d/.test(version)) ?? null;
  });
  const compared = compare(values);
  const odd = (compared?.odd ?? []).map(({ host, value }): Said => {
    const usual = compared?.usual ?? "";
    const isOtherBranch = value.split(".")[0] !== usual.split(".")[0];
    const expected = `${usual}, as on ${names(values.filter((each) => each.value === usual).map((each) => each.host))}`;
    return { host, ...(isOtherBranch ? failed : warn)(`driver ${value}`, { expected, words: { usual, branch: usual.split(".")[0] ?? "" } }) };
  });
  return [...untold, ...odd];
}

function modelsOf(probe: HostProbe): string | null {
  const counts = new Map<string, number>();
  for (const row of gpusOf(probe).rows.filter(({ down }) => down === null)) {
    const memory = numberOf(row, "memory.total");
    const gib = "v" in memory ? ` ${Math.round(memory.v / 1024)} GiB` : "";
    const model = `${valueOr(textOf(row, "name"), "unknown").replace(/^NVIDIA /, "")}${gib}`;
    counts.set(model, (counts.get(model) ?? 0) + 1);
  }
  return counts.size === 0 ? null : [...counts.keys()].sort().join(" and ");
}

function judgeModel(probes: readonly HostProbe[]): readonly Said[] {
  const { values, untold } = valuesOf(probes, modelsOf);
  const compared = compare(values);
  if (compared === null) return untold;
  const expected = `${compared.usual}, as on ${names(values.filter(({ value }) => value === compared.usual).map(({ host }) => host))}`;
  const odd = compared.odd.map(({ host, value }): Said => ({ host, ...warn(value, { expected }) }));
  const mixed = values.filter(({ value, host }) => value.includes(" and ") && !odd.some((each) => each.host === host));
  return [...untold, ...odd, ...mixed.map(({ host, value }): Said => ({ host, ...warn(`different GPUs in one host: ${value}`) }))];
}

type Power = {
  readonly host: string;
  readonly index: string;
  readonly gpu: string;
  readonly model: string;
  readonly enforced: number;
  readonly usual: number | null;
};

function powersOf(probe: HostProbe): readonly Power[] {
  return gpusOf(probe).rows.flatMap((row) => {
    const [enforced, usual] = [numberOf(row, "enforced.power.limit"), numberOf(row, "power.default_limit")];
    const { index, uuid } = identityOf(row);
    if (!("v" in enforced) || enforced.v <= 0) return [];
    return [
      {
        host: probe.host,
        index,
        gpu: uuid,
        model: valueOr(textOf(row, "name"), ""),
        enforced: enforced.v,
        usual: "v" in usual && usual.v > 0 ? usual.v : null,
      },
    ];
  });
}

function judgePower(probes: readonly HostProbe[]): readonly Said[] {
  const { untold } = valuesOf(probes, (probe) => (powersOf(probe).length > 0 ? "told" : null));
  const all = probes.filter(({ host }) => !untold.some((each) => each.host === host)).flatMap(powersOf);
  const found = all.flatMap(({ host, index, gpu, model, enforced, usual }): readonly Said[] => {
    const alike = all.filter((each) => each.model === model).map((each) => ({ host: each.host, value: String(each.enforced) }));
    const most = Number(compare(alike)?.usual ?? enforced);
    const target = usual ?? most;
    const more = { gpu, expected: `${target} W`, words: { index, watts: String(Math.round(target)) } };
    if (usual !== null && enforced < 0.6 * usual) return [{ host, ...failed(`GPU ${index} is limited to ${enforced} W of ${usual} W`, more) }];
    if (usual !== null && enforced < 0.9 * usual) return [{ host, ...warn(`GPU ${index} is limited to ${enforced} W of ${usual} W`, more) }];
    return Math.abs(enforced - most) > 0.05 * most
      ? [
          {
            host,
            ...warn(`GPU ${index} may draw ${enforced} W, most of its model ${most} W`, {
              ...more,
              expected: `${most} W`,
              words: { index, watts: String(Math.round(most)) },
            }),
          },
        ]
      : [];
  });
  const well = probes.filter(({ host }) => ![...untold, ...found].some((each) => each.host === host));
  return [...untold, ...found, ...well.map(({ host }): Said => ({ host, ...pass("as built") }))];
}

export const GPU_CLUSTER: readonly ClusterCheck[] = [
  {
    ...base,
    id: "ver.driver",
    group: "versions",
    title: "the NVIDIA driver version across hosts",
    why: "different branches bring different NCCL paths and bugs",
    fix: on("sudo apt install nvidia-driver-{branch}-server && sudo apt-mark hold 'nvidia-*' 'libnvidia-*'", "the branch of the others; then reboot"),
    who: "root",
    verify: on("nvidia-smi --query-gpu=driver_version --format=csv"),
    proof: "sample",
    judge: judgeDriver,
  },
  {
    ...base,
    id: "gpu.model",
    group: "gpu",
    title: "the model of GPUs across hosts",
    why: "the slowest sets the pace, the smallest the batch",
    fix: "leave {host} out of this run, or give its ranks a smaller batch",
    who: "you",
    verify: "nexadist exec -- nvidia-smi -L",
    proof: "sample",
    judge: judgeModel,
  },
  {
    ...base,
    id: "gpu.power_limit",
    group: "gpu",
    title: "the power limit of equal GPUs",
    why: "a GPU with less power is the straggler that all wait for",
    fix: on("sudo nvidia-smi -i {index} -pl {watts}"),
    who: "root",
    verify: on("nvidia-smi --query-gpu=index,enforced.power.limit,power.default_limit --format=csv"),
    proof: "sample",
    judge: judgePower,
  },
];
