/** How GPUs reach the host and each other: NVLink, PCIe, topology, what stands between them. */

import { textOf as cellText, numberOf } from "../../nvidia/gpu-row.ts";
import { readGpuEvents } from "../../nvidia/kernel-log.ts";
import { type NvlinkGpu, readNvlink } from "../../nvidia/nvlink.ts";
import { readQueryText } from "../../nvidia/query-text.ts";
import { readPeerAccess, readTopology } from "../../nvidia/topology.ts";
import type { HostCheck, HostProbe, Judgement } from "../check.ts";
import { on, steps } from "../cure.ts";
import { cannotSay, ended, failed, kernelLog, notLooked, pass, skip, textOf, warn } from "../read.ts";
import { eachGpu, gpusOf, identityOf, known, valueOr } from "./gpu-read.ts";

const base = { group: "gpu", tier: "quick", scope: "host", needs: ["gpu.driver"], who: "root", isBlocking: false } as const;

function nvlinkOf(probe: HostProbe, name: string): readonly NvlinkGpu[] {
  const gpus = readNvlink(textOf(probe, name));
  const odd = gpus.find(({ state }) => state === "unreadable");
  if (gpus.length === 0 || odd !== undefined)
    throw cannotSay(`what nvidia-smi nvlink says${odd === undefined ? "" : ` of GPU ${odd.index}`} is not understood`);
  const all = gpusOf(probe).rows.filter(({ down }) => down === null).length;
  if (gpus.length < all) throw cannotSay(`nvidia-smi nvlink tells of ${gpus.length} of ${all} GPUs`);
  if (gpus.every(({ state }) => state === "none")) throw notLooked("these GPUs have no NVLink");
  if (gpus.every(({ state }) => state === "none" || state === "mig")) throw notLooked("NVLink cannot be asked with MIG on");
  return gpus;
}

function judgeNvlink(probe: HostProbe): readonly Judgement[] {
  const gpus = nvlinkOf(probe, "smi_nvlink").filter(({ state }) => state === "links" || state === "dead");
  const counts = gpus.map(({ speeds }) => speeds.filter((speed) => speed !== null).length);
  const most = Math.max(...counts);
  const bad = gpus.flatMap(({ index, uuid, state, speeds }, at): readonly Judgement[] => {
    if (state === "dead") return [failed(`GPU ${index}: none of its NVLinks is active`, { gpu: uuid })];
    const dead = speeds.flatMap((speed, link) => (speed === null ? [link] : []));
    if (dead.length > 0)
      return [failed(`GPU ${index}: NVLink ${dead.slice(0, 8).join(", ")} inactive, ${counts[at]} of ${speeds.length} active`, { gpu: uuid })];
    return (counts[at] ?? 0) < most ? [failed(`GPU ${index} has ${counts[at]} NVLinks, others have ${most}`, { gpu: uuid })] : [];
  });
  return bad.length > 0 ? bad : [pass(`${gpus.length} GPUs with ${most} links each`)];
}

function judgeNvlinkErrors(probe: HostProbe): readonly Judgement[] {
  const bad = nvlinkOf(probe, "smi_nvlink_errors").flatMap(({ index, uuid, errors }): readonly Judgement[] => {
    const counted = Object.entries(errors).filter(([, count]) => count > 0);
    if (counted.length === 0) return [];
    const observed = `GPU ${index}: ${counted.map(([name, count]) => `${name} ${count}`).join(", ")}`;
    return [counted.some(([name]) => /replay|recovery/i.test(name)) ? failed(observed, { gpu: uuid }) : warn(observed, { gpu: uuid })];
  });
  return bad.length > 0 ? bad : [pass("no error counted")];
}

function judgeTopology(probe: HostProbe): Judgement {
  const topology = readTopology(textOf(probe, "smi_topo"));
  if ("problem" in topology && !topology.isFault) throw cannotSay(`nvidia-smi topo -m: ${topology.problem}`);
  if ("problem" in topology) return failed(`nvidia-smi topo -m: ${topology.problem}`, { expected: "a row for each GPU" });
  const pairs = topology.links.flatMap((row, at) => row.slice(at + 1));
  const all = gpusOf(probe).rows.length;
  if (topology.gpus.length < all) return failed(`nvidia-smi topo -m has ${topology.gpus.length} of ${all} GPUs`);
  if (pairs.length === 0) return pass("one GPU");
  const kinds = [...new Set(pairs)].join(", ");
  return pairs.every((link) => link === "SYS") ? warn(`GPUs reach each other across the sockets only (${kinds})`) : pass(kinds);
}

function judgePeers(probe: HostProbe): Judgement {
  const peers = readPeerAccess(textOf(probe, "smi_p2p"));
  if ("problem" in peers) throw cannotSay(`nvidia-smi topo -p2p: ${peers.problem}`);
  if (peers.gpus.length < 2) return pass("one GPU");
  const states = [...new Set(peers.status.flat().filter((state) => state !== "X"))];
  if (states.every((state) => state === "OK")) return pass(`all ${peers.gpus.length} GPUs`);
  const WORDS: Readonly<Record<string, string>> = {
    CNS: "the chipset has none",
    GNS: "the GPU has none",
    TNS: "not with this topology",
    NS: "not supported",
    U: "unknown",
    DR: "switched off in the driver",
  };
  const observed = states.map((state) => (state === "OK" ? "some OK" : `${state}: ${WORDS[state] ?? state}`)).join("; ");
  // Cards of one kind without it work through the host's memory: slower, and no fault. Some with and some without is one.
  return states.includes("OK") ? warn(observed) : pass(observed);
}

function judgePcie(probe: HostProbe): readonly Judgement[] {
  const { rows } = gpusOf(probe);
  const widths = rows.map((row) => valueOr(numberOf(row, "pcie.link.width.current"), 0));
  const isSameForAll = rows.length > 1 && new Set(widths).size === 1;
  return eachGpu(probe, (row) => {
    const width = known(numberOf(row, "pcie.link.width.current"), "the width of its link");
    const most = known(numberOf(row, "pcie.link.width.max"), "the width that its link may have");
    const isAtWork = valueOr(numberOf(row, "utilization.gpu"), 0) >= 50;
    const generation = known(numberOf(row, "pcie.link.gen.gpucurrent"), "the speed of its link");
    const fastest = known(numberOf(row, "pcie.link.gen.max"), "the speed that its link may have");
    const observed = `PCIe ${generation} x${width}`;
    const expected = `PCIe ${fastest} x${most}`;
    if (width < most) return isSameForAll || !isAtWork ? warn(observed, { expected }) : failed(observed, { expected });
    // At rest a link slows down to save power.
    return isAtWork && generation < fastest ? failed(`${observed} under load`, { expected }) : pass(isAtWork ? observed : `x${width}`);
  });
}

function judgeSlot(probe: HostProbe): readonly Judgement[] {
  const slow = readGpuEvents(kernelLog(probe)).filter(({ kind }) => kind === "link");
  const gpus = gpusOf(probe).rows.map((row) => identityOf(row));
  const own = slow.filter(({ busId }) => gpus.some((gpu) => gpu.busId.slice(-12).toLowerCase() === busId.toLowerCase()));
  if (own.length === 0) return [pass("the kernel names no slot that is too slow")];
  return own.map(({ busId, text }) => warn(`the GPU at ${busId} is in a slot slower than itself`, { evidence: [text] }));
}

function judgeReplays(probe: HostProbe): readonly Judgement[] {
  const gpus = readQueryText(textOf(probe, "smi_pci")).map(({ busId, values }) => ({ busId, count: values["PCI/Replays Since Reset"] ?? "" }));
  const all = gpusOf(probe).rows.filter(({ down }) => down === null).length;
  if (gpus.length < all) throw cannotSay(`nvidia-smi -q -d PCI names ${gpus.length} of ${all} GPUs`);
  const counted = gpus.filter(({ count }) => /^\d{1,12}$/.test(count));
  if (counted.length === 0) throw notLooked("these GPUs count no replays");
  const bad = counted.filter(({ count }) => Number(count) >= 100);
  return bad.length === 0
    ? [pass(`at most ${Math.max(...counted.map(({ count }) => Number(count)))} replays`)]
    : bad.map(({ busId, count }) => warn(`the GPU at ${busId} repeated ${count} packets on PCIe`, { expected: "few" }));
}

function judgeFabric(probe: HostProbe): readonly Judgement[] {
  const states = eachGpu(probe, (row) => {
    const state = known(cellText(row, "fabric.state"), "the NVLink fabric");
    const status = valueOr(cellText(row, "fabric.status"), "");
    if (/^completed$/i.test(state) && /^(?:success|)$/i.test(status)) return pass("joined");
    return /progress/i.test(state)
      ? warn("still joins the NVLink fabric")
      : failed(`NVLink fabric: ${state}${status === "" ? "" : `, ${status}`}`, { expected: "Completed, Success" });
  });
  const service = probe.sections["fabricmanager"];
  if (service?.code === null || service === undefined)
    return states.some(({ status }) => status === "fail" || status === "warn" || status === "pass") ? states : [skip("no NVLink switch there")];
  const word = ended(probe, "fabricmanager").out.trim();
  return word === "active"
    ? states.every(({ status }) => status === "skip")
      ? [pass("its service is active")]
      : states
    : [failed(`the fabric manager is ${word || "not installed"}: CUDA will say error 802`, { expected: "active" })];
}

export const GPU_LINKS: readonly HostCheck[] = [
  {
    ...base,
    id: "gpu.nvlink",
    title: "NVLinks",
    why: "what goes between these GPUs takes the slow way, or fails",
    fix: on("systemctl status nvidia-fabricmanager", "of the driver's version; then: sudo reboot; a bridge between cards: reseat it"),
    verify: on("nvidia-smi nvlink -s"),
    proof: "unproven",
    judge: judgeNvlink,
  },
  {
    ...base,
    id: "gpu.nvlink_err",
    tier: "full",
    title: "errors of NVLinks",
    why: "a link that repeats itself is slow, and fails later",
    fix: on("sudo nvidia-smi nvlink -re", "then run and look again; errors that come back: bridge or board"),
    verify: on("nvidia-smi nvlink -e"),
    proof: "unproven",
    judge: judgeNvlinkErrors,
  },
  {
    ...base,
    id: "gpu.topo",
    title: "the topology of GPUs",
    why: "NCCL goes the way that the driver tells",
    fix: on("nvidia-smi topo -m", "put the cards under one CPU where the board allows it; a row is missing: sudo reboot"),
    verify: on("nvidia-smi topo -m"),
    proof: "sample",
    judge: judgeTopology,
  },
  {
    ...base,
    id: "gpu.p2p",
    tier: "full",
    title: "peer access between GPUs",
    why: "a pair without it takes the way through the host's memory",
    fix: steps(on("lspci -tv", "compare slots and cards"), '# meanwhile in the file: env: { NCCL_P2P_DISABLE: "1"} makes all pairs alike'),
    verify: on("nvidia-smi topo -p2p r"),
    proof: "sample",
    judge: judgePeers,
  },
  {
    ...base,
    id: "gpu.pcie",
    tier: "full",
    title: "the PCIe width of GPUs",
    why: "data and gradients pass through it",
    fix: on(
      "sudo lspci -vv -d 10de: | grep -E 'LnkCap:|LnkSta:'",
      "reseat the card, change the riser, look for bifurcation and a fixed generation in the firmware",
    ),
    verify: on("nvidia-smi -q -d PCI"),
    proof: "sample",
    judge: judgePcie,
  },
  {
    ...base,
    id: "gpu.slot",
    tier: "full",
    title: "slots slower than their GPU",
    why: "the kernel saw at boot that the slot or a bridge holds it back",
    fix: on("sudo lspci -vv -d 10de: | grep -E 'LnkCap:|LnkSta:'", "move the card to a faster slot, or change the riser"),
    verify: on("journalctl -k -b -q | grep 'available PCIe bandwidth'"),
    needs: ["gpu.driver", "sys.klog"],
    proof: "sample",
    judge: judgeSlot,
  },
  {
    ...base,
    id: "gpu.pcie_replay",
    tier: "full",
    title: "repeats on PCIe",
    why: "a bad connection slows the GPU down and loses it in the end",
    fix: on("nvidia-smi -q -d PCI | grep -i replay", "counts it; reseat the card, change the riser, or set the slot one generation lower in the firmware"),
    verify: on("nvidia-smi -q -d PCI | grep Replays"),
    proof: "unproven",
    judge: judgeReplays,
  },
  {
    ...base,
    id: "gpu.fabricmanager",
    title: "the NVLink fabric",
    why: "before that CUDA does not start there",
    fix: on("sudo systemctl enable --now nvidia-fabricmanager", "its version must be the driver's"),
    verify: on("systemctl is-active nvidia-fabricmanager"),
    proof: "unproven",
    judge: judgeFabric,
  },
];
