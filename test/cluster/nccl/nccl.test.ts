/** NCCL's log: every shape of line, the summary over ranks, and what is slower than the hardware; what is unknown accuses nobody. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { findingOf } from "../../../cluster/findings/catalogue.ts";
import { type Hardware, judgeNccl } from "../../../cluster/nccl/judge.ts";
import { readNcclLine } from "../../../cluster/nccl/read-line.ts";
import { type NcclSummary, readNccl } from "../../../cluster/nccl/summary.ts";
import { ncclLines } from "../../../cluster/nccl/words.ts";
import { readTopology, type Topology } from "../../../cluster/nvidia/topology.ts";

const sample = (name: string): string => readFileSync(fileURLToPath(new URL(`../../samples/${name}`, import.meta.url)), "utf8");

/** Every process is a rank, in the order in which they write. */
function read(name: string): NcclSummary {
  const reader = readNccl();
  const ranks = new Map<string, number>();
  let last = { host: "x", rank: 0 };
  for (const line of sample(`nccl/${name}`).split("\n")) {
    const [, host, pid] = /(?:^|\] )([\w-]+):(\d+):\d+ /.exec(line) ?? [];
    if (host !== undefined) {
      const key = `${host} ${pid}`;
      ranks.set(key, ranks.get(key) ?? ranks.size);
      last = { host, rank: ranks.get(key) ?? 0 };
    }
    const fact = readNcclLine(line);
    if (fact !== null) reader.push(last.host, last.rank, fact);
  }
  return reader.summary();
}

const NVLINK: Topology = {
  gpus: ["GPU0", "GPU1"],
  links: [
    ["X", "NV18"],
    ["NV18", "X"],
  ],
  nics: [],
  nicLinks: [[], []],
  cpus: ["", ""],
};
const PCIE: Topology = {
  ...NVLINK,
  links: [
    ["X", "PHB"],
    ["PHB", "X"],
  ],
};
const has = (hosts: Readonly<Record<string, Hardware>>): ReadonlyMap<string, Hardware> => new Map(Object.entries(hosts));
const codes = (summary: NcclSummary, hosts: Readonly<Record<string, Hardware>> = {}): string[] => judgeNccl(summary, has(hosts)).map(({ code }) => code);

test("RDMA and NVLink: which way each pair goes, and no complaint", () => {
  const summary = read("h20-rdma.txt");
  assert.deepEqual([summary.world, summary.channels, summary.ring], [4, 8, [0, 1, 3, 2]]);
  assert.deepEqual(
    summary.pairs.map(({ from, to, via, way, channels }) => [from, to, via, way, channels]),
    [
      [0, 2, "NET/IB/GDRDMA", "rdma", 1],
      [1, 0, "P2P/CUMEM", "p2p", 2],
      [1, 3, "NET/IB/GDRDMA", "rdma", 2],
      [2, 0, "NET/IB/GDRDMA", "rdma", 1],
      [3, 1, "NET/IB/GDRDMA", "rdma", 1],
      [3, 2, "P2P/CUMEM", "p2p", 1],
    ],
  );
  const [first] = summary.ranks;
  assert.deepEqual([first?.version, first?.network, first?.gpu, first?.begun, first?.ready], ["2.21.5+cuda12.4", "IB", 0, 1, 1]);
  assert.deepEqual(first?.devices, { IB: ["mlx5_0:1/IB", "mlx5_1:1/IB", "mlx5_2:1/IB", "mlx5_3:1/IB"], Socket: null });
  assert.deepEqual(first?.set, { NCCL_PXN_DISABLE: "1" });
  const all = { topology: NVLINK, rdma: ["mlx5_0"] };
  assert.deepEqual(codes(summary, { "node-a": all, "node-b": all }), []);
  assert.deepEqual(codes(summary), []);
});

test("through the host's memory: a fault with NVLink, a remark where NCCL says they are connected, nothing where it is not known", () => {
  const summary = read("rtx4090-shm.txt");
  assert.deepEqual(codes(summary, { node031: { topology: NVLINK, rdma: [] } }), ["NCCL_NVLINK_UNUSED"]);
  assert.deepEqual(codes(summary, { node031: { topology: PCIE, rdma: [] } }), ["NCCL_P2P_OFF"]);
  assert.deepEqual(codes(summary), ["NCCL_P2P_OFF"]);
  const quiet = { ...summary, ranks: summary.ranks.map((rank) => ({ ...rank, p2pDisabled: [] })) };
  assert.deepEqual(codes(quiet), []);
  assert.deepEqual(codes(quiet, { node031: { topology: PCIE, rdma: [] } }), []);
  const [found] = judgeNccl(
    { ...summary, ranks: summary.ranks.map((rank) => ({ ...rank, set: { NCCL_P2P_DISABLE: "1" } })) },
    has({ node031: { topology: NVLINK, rdma: null } }),
  );
  assert.match(found?.text ?? "", /^node031: ranks 0-1 \(NV18, but SHM\/direct\/direct\) do not use the NVLink .*NCCL_P2P_DISABLE=1 is set$/);
});

test("TCP between hosts: a fault only beside RDMA", () => {
  const summary = read("a100-socket.txt");
  assert.equal(summary.pairs.filter(({ way }) => way === "socket").length, 2);
  assert.deepEqual(codes(summary), []);
  assert.deepEqual(codes(summary, { "node-a": { topology: null, rdma: [] } }), []);
  const found = judgeNccl(summary, has({ "node-a": { topology: NVLINK, rdma: ["mlx5_0"] }, "node-b": { topology: null, rdma: null } }));
  assert.deepEqual(
    found.map(({ code, text }) => [code, text]),
    [["NCCL_RDMA_UNUSED", "node-a: NCCL goes over TCP, though there is RDMA (mlx5_0): NCCL_IB_DISABLE=1 is set"]],
  );
});

test("ranks that began and are not ready; a warning is kept with its rank", () => {
  const summary = read("gh200-two-hosts.txt");
  const found = judgeNccl(summary, new Map());
  assert.deepEqual(
    found.map(({ text }) => text),
    ["ranks 0-1 began to connect and are not ready"],
  );
  assert.deepEqual(
    summary.ranks.map(({ host, warnings }) => [host, warnings]),
    [
      ["gh1", []],
      ["gh2", ["socketStartConnect: Connect to 10.0.0.1<46000> failed : Connection timed out"]],
    ],
  );
});

test("shapes of old releases, and lines without host and pid", () => {
  const old = read("nccl-2.4-ring.txt");
  assert.equal(old.ranks[0]?.version, "2.4.7+cuda10.0");
  assert.deepEqual(
    old.pairs.map(({ from, to, way }) => [from, to, way]),
    [
      [3, 1, "p2p"],
      [6, 2, "rdma"],
    ],
  );
  assert.equal(old.ranks[1]?.hasGdr, false);
  const bare = read("rtx2080-no-prefix.txt");
  assert.deepEqual([bare.world, bare.ring, bare.channels, bare.pairs[0]?.way], [2, [0, 1], 2, "shm"]);
  assert.deepEqual(bare.ranks[0]?.warnings, ["Failed to open libibverbs.so[.1]"]);
});

test("whatever stands before it, a line of NCCL is read", () => {
  for (const prefix of ["", "[1,2]<stdout>:", "[0] ", "[rank0]: ", "2026-11-24T10:00:00.123 ", "[default0]:", "[2026-05-05 06:16:47] "]) {
    for (const place of ["a:1:2 [0] ", "a:1:2 [0] 12.5 ", "", "<cluster_name>:919:1150 [0] "]) {
      assert.deepEqual(readNcclLine(`${prefix}${place}NCCL INFO Using network Socket`), { is: "network", network: "Socket" }, prefix + place);
    }
  }
  assert.deepEqual(readNcclLine("a:1:2 [3] include/socket.h 398 NCCL WARN Call to recv failed : Connection reset by peer."), {
    is: "warning",
    text: "Call to recv failed : Connection reset by peer.",
  });
  assert.deepEqual(readNcclLine("RCCL version : 2.22.3-HEAD:9a7b"), { is: "version", version: "2.22.3-HEAD:9a7b" });
  assert.equal(readNcclLine("ncclInternalError: NCCL is unhappy"), null);
});

test("versions that differ are told, with the hosts", () => {
  const summary = read("h20-rdma.txt");
  const ranks = summary.ranks.map((rank) => ({ ...rank, version: rank.host === "node-a" ? "2.27.3" : "2.27.5" }));
  assert.match(judgeNccl({ ...summary, ranks }, new Map())[0]?.text ?? "", /2\.27\.3 on node-a; 2\.27\.5 on node-b/);
});

test("a group smaller than the run accuses nobody: its ranks are numbered anew", () => {
  const summary = { ...read("rtx4090-shm.txt"), world: 1 };
  assert.deepEqual(codes(summary, { node031: { topology: NVLINK, rdma: [] } }), []);
});

test("every finding is explained, and words name what was seen", () => {
  for (const name of ["h20-rdma.txt", "rtx4090-shm.txt", "a100-socket.txt", "gh200-two-hosts.txt", "nccl-2.4-ring.txt"]) {
    const summary = read(name);
    const found = judgeNccl(summary, has({ node031: { topology: NVLINK, rdma: [] }, "node-a": { topology: null, rdma: ["mlx5_0"] } }));
    for (const { code } of found) assert.ok(findingOf(code) !== null, code);
    const lines = ncclLines(summary, found, new Map(summary.ranks.map(({ rank, host }) => [rank, host])));
    assert.doesNotMatch(lines.join("\n"), /undefined|NaN|null/);
  }
  const lines = ncclLines(
    read("h20-rdma.txt"),
    [],
    new Map([
      [0, "node-a"],
      [1, "node-a"],
      [2, "node-b"],
      [3, "node-b"],
    ]),
  );
  assert.equal(lines[0], "NCCL 2.21.5+cuda12.4, 4 ranks, network IB, 8 channels");
  assert.ok(
    lines.some((line) => /NET\/IB\/GDRDMA +0-2 1-3 +node-a -> node-b/.test(line)),
    lines.join("\n"),
  );
});

test("any line is read, and none takes long", () => {
  const bits = [
    "NCCL INFO ",
    "Channel 00/0 : ",
    "0[0] -> 1[1] ",
    "via ",
    "NET/IB/0",
    "a:1:1 ",
    "[0] ",
    "comm 0x1 ",
    "rank 0 ",
    "(",
    ")",
    "[",
    "]",
    ":",
    " ",
    "NCCL WARN ",
  ];
  fc.assert(fc.property(fc.array(fc.oneof(fc.constantFrom(...bits), fc.string())), (parts) => void readNcclLine(parts.join(""))));
  for (const bit of bits) readNcclLine(bit.repeat(10_000));
  const real = readTopology(sample("nvidia/topo-m-8xH100.txt"));
  if ("problem" in real) assert.fail(real.problem);
});
