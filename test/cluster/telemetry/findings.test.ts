/** Findings from samples and steps: each is told once when it lasts and once when it is over; what is unknown is no fault, a healthy run is silent. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { findingOf } from "../../../cluster/findings/catalogue.ts";
import { replay } from "../../../cluster/run/reduce.ts";
import type { RunState } from "../../../cluster/run/state.ts";
import type { Pace } from "../../../cluster/steps/pace.ts";
import type { RunFinding } from "../../../cluster/telemetry/condition.ts";
import { RULES, watchFindings } from "../../../cluster/telemetry/findings.ts";
import type { GpuSample, Sample } from "../../../cluster/telemetry/sample.ts";
import { requested } from "../run/model.ts";

const GIB = 2 ** 30;
const HEALTHY: GpuSample = {
  ...{ index: 0, name: "NVIDIA H100 80GB HBM3", use: 99, powerW: 640, powerLimitW: 700, smMHz: 1700, smMaxMHz: 1980, temperatureC: 66, reasons: 4 },
  ...{ memoryUsedMiB: 60_000, memoryTotalMiB: 81_559, eccCorrected: 3, eccUncorrected: 0, xids: { "43": 2 } },
};
const initial = replay([requested(2)]);
const running = (claims: Readonly<Record<string, readonly string[]>>): RunState => ({
  ...initial,
  phase: "running",
  attempt: 1,
  runningAt: 0,
  awakeSince: 0,
  members: Object.keys(claims),
  hosts: Object.fromEntries(Object.entries(initial.hosts).map(([name, host]) => [name, { ...host, claim: claims[name] ?? null }])),
  ranks: Object.fromEntries(
    Object.entries(claims)
      .flatMap(([host, gpus]) => gpus.map((_, local) => ({ host, local })))
      .map(({ host, local }, rank) => [rank, { rank, host, pid: 100 + local, startedAt: 0, exit: null }]),
  ),
});

type Made = { readonly gpus?: Readonly<Record<string, Partial<GpuSample>>> } & Partial<Omit<Sample, "gpus">>;
const sampleOf = ({ gpus = { U0: {} }, ...more }: Made): Sample => ({
  gpus: Object.fromEntries(Object.entries(gpus).map(([uuid, gpu]) => [uuid, { ...HEALTHY, ...gpu }])),
  processes: {},
  host: { memoryTotalBytes: 100 * GIB, memoryAvailableBytes: 50 * GIB },
  nets: { eth0: { rxErrors: 0, txErrors: 0, speedMbps: 10_000, isUp: 1 }, lo: { rxErrors: 0 } },
  disks: { "/": { totalBytes: 1000 * GIB, freeBytes: 500 * GIB } },
  ...more,
});

const pace = (at: number, more: Partial<Pace> = {}): Pace => ({
  ...{ rank: 0, step: 5, total: 100, isInEpoch: false, epoch: null, loss: 1, isLossFinite: true, stepMs: 1000, rate: null, leftMs: null, at },
  ...more,
});

/** A sample each second, from ten minutes into the run on; `made` says what the host looks like then. */
function watch(
  seconds: number,
  made: (s: number) => Made | Readonly<Record<string, Made>>,
  more: { state?: RunState; pace?: (at: number) => Pace | null; busy?: ReadonlyMap<number, number>; stepMs?: ReadonlyMap<number, number> } = {},
) {
  const { state = running({ a: ["U0"] }), pace: steps = (at) => pace(at), busy = new Map<number, number>(), stepMs = new Map<number, number>() } = more;
  const it = watchFindings();
  const told: (RunFinding & { readonly s: number })[] = [];
  for (let s = 0; s < seconds; s += 1) {
    const at = 600_000 + s * 1000;
    const all = made(s);
    const hosts = "a" in all || "b" in all ? (all as Readonly<Record<string, Made>>) : { a: all as Made };
    for (const [host, one] of Object.entries(hosts)) {
      for (const finding of it.sample(host, sampleOf(one), at, { state, pace: steps(at), now: at }, () => ({ busyMs: busy, stepMs })))
        told.push({ ...finding, s });
    }
  }
  return told;
}
const brief = (told: ReturnType<typeof watch>): (string | number)[][] => told.map(({ code, s, until }) => [code, s, until === null ? "begins" : "ends"]);

test("a healthy run is silent, at its power limit too", () => {
  assert.deepEqual(
    watch(2000, () => ({})),
    [],
  );
});

test("nothing is judged of a run that is not running, or of a host that has left it", () => {
  const hot = (): Made => ({ gpus: { U0: { reasons: 0x40 } } });
  assert.deepEqual(watch(300, hot, { state: { ...running({ a: ["U0"] }), phase: "draining" } }), []);
  assert.deepEqual(watch(300, hot, { state: running({ b: ["U0"] }) }), []);
});

test("heat: told once when it lasts, and once that it is over; a moment of it is nothing", () => {
  const told = watch(600, (s) => ({ gpus: { U0: { reasons: s >= 100 && s < 300 ? 0x44 : 4, temperatureC: 91, smMHz: 1200 } } }));
  assert.deepEqual(brief(told), [
    ["GPU_TOO_HOT", 130, "begins"],
    ["GPU_TOO_HOT", 420, "ends"],
  ]);
  assert.equal(told[0]?.text, "GPU 0 of a (rank 0) is slowed down at 91 °C: at the power limit, too hot for the hardware, 1200 of 1980 MHz");
  assert.deepEqual([told[0]?.rank, told[0]?.gpu, told[0]?.since], [0, "U0", 700_000]);
  assert.deepEqual(
    watch(600, (s) => ({ gpus: { U0: { reasons: s % 60 < 20 ? 0x40 : 0 } } })),
    [],
  );
});

test("power brake, memory close to full, a GPU that is lost", () => {
  assert.deepEqual(brief(watch(60, () => ({ gpus: { U0: { reasons: 0x80 } } }))), [["GPU_POWER_BRAKE", 15, "begins"]]);
  const full = watch(300, (s) => ({ gpus: { U0: { memoryUsedMiB: s % 2 === 0 ? 81_000 : 79_000 } } }));
  assert.deepEqual(full, [], "between the thresholds is neither");
  assert.deepEqual(brief(watch(70, () => ({ gpus: { U0: { memoryUsedMiB: 81_000 } } }))), [["GPU_MEMORY_FULL", 60, "begins"]]);
  const gone = watch(20, () => ({ gpus: { U0: { down: "lost" } } }));
  assert.deepEqual([brief(gone), gone[0]?.text], [[["GPU_GONE", 10, "begins"]], "GPU 0 of a (rank 0) is lost"]);
});

test("idle: one finding a host, however many GPUs; not while the run warms up", () => {
  const state = running({ a: ["U0", "U1"] });
  const told = watch(400, () => ({ gpus: { U0: { use: 0 }, U1: { use: 1, index: 1 } } }), { state });
  assert.deepEqual([brief(told), told[0]?.text], [[["GPU_IDLE", 180, "begins"]], "GPUs 0, 1 of a: nothing runs on them"]);
  assert.deepEqual(
    watch(110, () => ({ gpus: { U0: { use: 0 } } }), { state: { ...running({ a: ["U0"] }), runningAt: 600_000 } }),
    [],
  );
});

test("100 % at low power is the sign of a hang only while no step comes", () => {
  const spin = (): Made => ({ gpus: { U0: { use: 100, powerW: 130 } } });
  assert.deepEqual(watch(600, spin), []);
  const still = watch(600, spin, { pace: () => pace(600_000) });
  assert.deepEqual(brief(still), [["GPU_SPINS", 181, "begins"]]);
  assert.match(still[0]?.text ?? "", /^GPU 0 of a: 100 % in use at 130 W, as one that waits; no step came meanwhile$/);
  assert.deepEqual(brief(watch(600, spin, { pace: () => null })), [["GPU_SPINS", 120, "begins"]]);
});

test("errors of memory and Xid count from when the run began, and stay", () => {
  const ecc = watch(900, (s) => ({ gpus: { U0: { eccUncorrected: s < 50 || s > 200 ? 0 : 2 } } }));
  assert.deepEqual([brief(ecc), ecc[0]?.text], [[["GPU_ECC_GROWS", 50, "begins"]], "GPU 0 of a (rank 0) made 2 uncorrected memory errors since the run began"]);
  const old = watch(100, () => ({ gpus: { U0: { eccUncorrected: 7, xids: { "79": 1 } } } }));
  assert.deepEqual(old, []);
  const late = watch(100, (s) => ({
    gpus: { U0: s < 50 ? { eccUncorrected: undefined, eccCorrected: undefined } : { eccUncorrected: 7, eccCorrected: 900 } },
  }));
  assert.deepEqual(late, [], "counters that are first known later begin there");
  const xid = watch(100, (s) => ({ gpus: { U0: { xids: { "43": s < 10 ? 2 : 3, ...(s < 20 ? {} : { "79": 1 }) } } } }));
  assert.deepEqual(brief(xid), [["GPU_XID", 20, "begins"]]);
  assert.match(xid[0]?.text ?? "", /^GPU 0 of a \(rank 0\) reported Xid 79, the GPU has fallen off the bus: /);
});

test("somebody else's process on a GPU of the run is named; on another GPU it is nobody's business", () => {
  const process = (gpu: string) => ({ [`${gpu}/77`]: { gpu, pid: 77, name: "python", user: "eve", memoryMiB: 9000, owner: "foreign" as const } });
  const told = watch(60, (s) => ({ processes: s < 40 ? process("U0") : {} }));
  assert.deepEqual([brief(told), told[0]?.text], [[["GPU_TAKEN", 10, "begins"]], "GPU 0 of a (rank 0) is also used by process 77 (python) of eve, 9000 MiB"]);
  assert.deepEqual(
    watch(60, () => ({ processes: process("U9") })),
    [],
  );
});

test("straggler: by what ranks say they work; else by the clock beside GPUs of its kind", () => {
  const state = running({ a: ["U0", "U1"], b: ["V0", "V1"] });
  const healthy = (): Readonly<Record<string, Made>> => ({ a: { gpus: { U0: {}, U1: { index: 1 } } }, b: { gpus: { V0: {}, V1: { index: 1 } } } });
  const busy = new Map([
    [0, 100],
    [1, 105],
    [2, 98],
    [3, 180],
  ]);
  const told = watch(100, healthy, { state, busy });
  assert.deepEqual([brief(told), told[0]?.rank, told[0]?.host], [[["STRAGGLER", 60, "begins"]], 3, "b"]);
  assert.match(told[0]?.text ?? "", /^rank 3 on b works 1\.8 times as long in a step as the others \(180 ms, median 100 ms\)$/);
  // Of two, the one that works longer is who the other waits for.
  const two = watch(100, () => ({ a: {}, b: { gpus: { V0: {} } } }), {
    state: running({ a: ["U0"], b: ["V0"] }),
    busy: new Map([
      [0, 250],
      [1, 100],
    ]),
  });
  assert.deepEqual(
    two.map(({ text }) => text),
    ["rank 0 on a works 2.5 times as long in a step as the others (250 ms, median 100 ms)"],
  );
  const apart = watch(100, healthy, {
    state,
    stepMs: new Map([
      [0, 100],
      [1, 101],
      [2, 99],
      [3, 200],
    ]),
  });
  assert.deepEqual(
    apart.map(({ text }) => text),
    ["rank 3 on b needs 2.0 times as long for a step as the others, which do not wait for it (200 ms, median 100 ms)"],
  );
  const slow = watch(100, () => ({ ...healthy(), b: { gpus: { V0: {}, V1: { index: 1, smMHz: 900, reasons: 0x80 } } } }), { state });
  const [first] = slow.filter(({ code }) => code === "STRAGGLER");
  assert.match(first?.text ?? "", /^GPU 1 of b \(rank 3\) runs at 900 MHz, its kind at 1700 MHz: the power supply brakes it$/);
  assert.deepEqual(
    watch(100, healthy, {
      state,
      busy: new Map([
        [0, 100],
        [1, 105],
        [2, 98],
        [3, 120],
      ]),
    }),
    [],
  );
  // Two alone: nobody knows which of them is the usual one.
  assert.deepEqual(
    watch(100, () => ({ a: { gpus: { U0: { smMHz: 900 } } }, b: { gpus: { V0: {} } } }), { state: running({ a: ["U0"], b: ["V0"] }) }),
    [],
  );
});

test("memory of the host, errors and speed of a network interface", () => {
  const low = watch(60, () => ({ host: { memoryTotalBytes: 100 * GIB, memoryAvailableBytes: 2 * GIB } }));
  assert.deepEqual([brief(low), low[0]?.text], [[["HOST_MEMORY_LOW", 20, "begins"]], "a: 2.0 GiB of 100 GiB memory are left"]);
  const errors = watch(300, (s) => ({ nets: { eth0: { rxErrors: 5 + (s < 100 ? 0 : Math.min(50, s - 100)), speedMbps: 10_000, isUp: 1 } } }));
  assert.deepEqual(brief(errors), [
    ["NIC_ERRORS", 110, "begins"],
    ["NIC_ERRORS", 270, "ends"],
  ]);
  assert.deepEqual(
    watch(300, (s) => ({ nets: { lo: { rxErrors: s * 9 }, docker0: { rxErrors: s * 9 }, eth0: { rxErrors: 4000 } } })),
    [],
  );
  const slower = watch(60, (s) => ({ nets: { eth0: { speedMbps: s < 20 ? 10_000 : 1000, isUp: 1 } } }));
  assert.deepEqual([brief(slower), slower[0]?.text], [[["NIC_SLOWER", 30, "begins"]], "a: eth0 fell from 10 Gbit/s to 1 Gbit/s"]);
});

test("a disk that is full before the run ends, by its pace and the run's own", () => {
  const filling = (s: number): Made => ({ disks: { "/data": { totalBytes: 100 * GIB, freeBytes: 50 * GIB - s * 20 * 1024 * 1024 } } });
  const told = watch(900, filling, { pace: (at) => pace(at, { leftMs: 3600_000 }) });
  assert.deepEqual(brief(told), [["DISK_FILLS", 360, "begins"]]);
  assert.match(told[0]?.text ?? "", /^a: \/data is full in 36 min .*at this pace \(43 GiB of 100 GiB free\), the run's last step in 1 h/);
  assert.deepEqual(watch(900, filling, { pace: (at) => pace(at, { leftMs: 600_000 }) }), []);
  assert.deepEqual(
    watch(900, () => ({ disks: { "/": { freeBytes: 10 } } })),
    [],
    "a disk that is full and does not fill is no news",
  );
});

test("a full disk is told at once when the run writes there, and its end; another one is nobody's trouble", () => {
  const state = running({ a: ["U0"] });
  const a = state.hosts.a ?? assert.fail();
  const dirs = { bundle: "/b", state: "/data/home/.local/state/nexadist", runtime: "/run/n" };
  const own: RunState = { ...state, hosts: { ...state.hosts, a: { ...a, dirs } } };
  const full =
    (mount: string) =>
    (s: number): Made => ({
      disks: { "/": { freeBytes: 500 * GIB }, "/data": { freeBytes: 500 * GIB }, [mount]: { freeBytes: s >= 5 && s < 50 ? 0 : 5 * GIB } },
    });
  const told = watch(200, full("/data"), { state: own });
  assert.deepEqual(brief(told), [
    ["HOST_DISK_FULL", 5, "begins"],
    ["HOST_DISK_FULL", 80, "ends"],
  ]);
  assert.match(told[0]?.text ?? "", /^a: \/data is full: saves fail there/);
  for (const elsewhere of ["/boot/efi", "/dat", "/data/home/.local/state/nexadist2"])
    assert.deepEqual(watch(60, full(elsewhere), { state: own }), [], elsewhere);
});

test("every code is known to explain, and has a rule", () => {
  for (const code of Object.keys(RULES)) assert.equal(findingOf(code)?.role, "watch", code);
});
