/** What of the host stands between GPUs, and between them and the CPUs: IOMMU, ACS, nodes of memory. */

import * as z from "zod";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { notLooked, pass, warn } from "../read.ts";
import { pciShape } from "./gpu.ts";
import { gpusOf, told } from "./gpu-read.ts";

const base = { group: "gpu", tier: "full", scope: "host", needs: ["gpu.driver"], who: "root", isBlocking: false } as const;

const iommuShape = z.object({ words: z.array(z.string()), units: z.number(), types: z.array(z.string()), isVirtual: z.boolean() });
const acsShape = z.object({ devices: z.number(), controls: z.number(), on: z.number() });

function iommuOf(probe: HostProbe): z.infer<typeof iommuShape> {
  if (gpusOf(probe).rows.length < 2) throw notLooked("one GPU: nothing goes between GPUs");
  return told(probe, "iommu", iommuShape);
}

function judgeIommu(probe: HostProbe): Judgement {
  const { words, units, types, isVirtual } = iommuOf(probe);
  if (isVirtual) throw notLooked("a virtual machine: its host decides");
  if (units === 0) return pass("none");
  const isThrough = words.some((word) => /iommu=pt$/.test(word)) || (types.length > 0 && types.every((type) => type === "identity"));
  return isThrough
    ? pass("passes through (iommu=pt)")
    : warn(`the IOMMU translates${words.length > 0 ? ` (${words.join(" ")})` : ""}`, { expected: "iommu=pt, or off" });
}

function judgeAcs(probe: HostProbe): Judgement {
  if (iommuOf(probe).isVirtual) throw notLooked("a virtual machine: ACS must stay on there");
  const { devices, controls, on } = told(probe, "acs", acsShape);
  if (devices === 0) throw notLooked("lspci shows no device");
  if (controls === 0) return pass("no bridge has it");
  return on === 0 ? pass("off") : warn(`on for ${on} bridge${on === 1 ? "" : "s"}`, { expected: "off on bare metal" });
}

function judgeNuma(probe: HostProbe): Judgement {
  const { gpus, nodes } = told(probe, "gpu_pci", pciShape);
  if (gpus.length === 0) throw notLooked("the bus cannot be seen from there");
  if (nodes < 2) return pass("one node");
  const unknown = gpus.filter(({ numa_node }) => !/^\d+$/.test(numa_node));
  return unknown.length === 0
    ? pass(`known for ${gpus.length} GPUs`)
    : warn(`of ${unknown.length} of ${gpus.length} GPUs the firmware does not say which CPUs are near`);
}

export const GPU_HOST: readonly HostCheck[] = [
  {
    ...base,
    id: "sys.iommu",
    title: "the IOMMU",
    why: "with it GPUs reach each other slowly, or hang",
    fix: on("sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&iommu=pt /' /etc/default/grub && sudo update-grub", "then reboot it"),
    verify: on("cat /proc/cmdline"),
    proof: "unproven",
    judge: judgeIommu,
  },
  {
    ...base,
    id: "sys.acs",
    title: "access control (ACS) of PCIe bridges",
    why: "with ACS on, what GPUs send each other goes up to the CPU; all-reduce may hang",
    fix: steps(
      on(
        "sudo lspci -vvv | grep -B40 'ACSCtl.*SrcValid+' | grep -E 'bridge'",
        "the bridges; for each, until the next boot: sudo setpci -s BRIDGE ECAP_ACS+6.w=0000",
      ),
      '# for good: off in the firmware of {host}; meanwhile in the file: NCCL_P2P_DISABLE: "1" under env:',
    ),
    verify: on("sudo lspci -vvv | grep -c 'ACSCtl.*SrcValid+'"),
    proof: "unproven",
    judge: judgeAcs,
  },
  {
    ...base,
    id: "numa.affinity",
    title: "the CPUs near each GPU",
    why: "ranks on far CPUs are slower",
    fix: on("nvidia-smi topo -m", "update the firmware of {host}; meanwhile bind ranks yourself: numactl --cpunodebind=N"),
    verify: on("nvidia-smi topo -m"),
    proof: "unproven",
    judge: judgeNuma,
  },
];
