/** Twelve ways to end a run, with ranks that are hard to end: afterwards the hosts' own /proc has nothing of it, and everyone else is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunPhase, RunState } from "../../cluster/run/state.ts";
import { type Cli, controllerPid, isRunning, openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { bystander, isAgent, isBystander, isShim, ofRuns, processesOf, type Seen } from "../support/lab-processes.ts";
import { UNRULY } from "../support/unruly.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const NAMES = { [A]: "gpu-a", [B]: "gpu-b" } as const;
const HOSTS = [A, B] as const;
const FILE = `cluster: [{host: ${A}}, {host: ${B}}]
defaults: {gpus: 0, slots: 1}
launcher: direct
restart: {max: 0, on_host_loss: fail}
timeouts: {stop_grace: 1s}
`;

type Life = {
  readonly run: string;
  readonly up: Cli | null;
  readonly pids: Readonly<Record<string, Readonly<Record<string, number>>>>;
};
type Way = {
  readonly name: string;
  readonly launcher?: "torchrun" | "direct";
  /** Somebody watches the `up` that started it. */
  readonly isWatched?: true;
  readonly end: (life: Life) => Promise<void>;
  readonly phase: RunPhase;
  /** Nobody of before can be there. */
  readonly isRebooted?: true;
  readonly hasNoAgent?: true;
};

test("twelve ways to end a run", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", FILE);
  seat.write("unruly.py", UNRULY);

  const kill = async (pid: number | undefined): Promise<void> => {
    assert.equal((await lab.host("gpu-b").run(["kill", "-9", `${pid}`])).exitCode, 0);
  };
  const onB = async (is: (seen: Seen) => boolean): Promise<number | undefined> => (await processesOf(lab, "gpu-b")).find(is)?.pid;
  const killAgent = async (): Promise<void> => kill(await onB(isAgent));
  const killShim = async (): Promise<void> => kill(await onB(isShim));
  const leave = async (code: number): Promise<void> => {
    for (const host of HOSTS) await lab.host(NAMES[host]).run(["sh", "-c", `echo ${code} > /tmp/leave`]);
  };
  const stop = async (...words: string[]): Promise<void> => {
    const { code, out, err } = await seat.cli(["stop", ...words]);
    assert.equal(code, 0, out + err);
    for (const host of HOSTS) assert.match(out, new RegExp(`^${host.replaceAll(".", "\\.")}: 0 left alive`, "m"));
  };
  /** Starts it and waits until every rank has all its children, and those that it left to us are on record. */
  const begin = async ({ launcher = "direct", isWatched }: Way): Promise<Life> => {
    const words = ["c.yaml", "--set", `launcher=${launcher}`, "--", "unruly.py"];
    const up = isWatched === true ? seat.start(["up", ...words]) : null;
    await up?.says(/r1 \| \{/);
    const run = up === null ? await seat.up(words) : seat.latest();
    const pids: Record<string, Record<string, number>> = {};
    for (const [rank, host] of HOSTS.entries()) {
      const said = await until(`rank ${rank} has all`, () => /^\{.*\}$/m.exec(seat.log(run, host, `rank${rank}.out`))?.[0]);
      pids[host] = Object.fromEntries(Object.entries(JSON.parse(said) as Record<string, string>).map(([kind, pid]) => [kind, Number(pid)]));
      const find = `grep -l '"pid":${pids[host]?.daemon},' /root/.local/state/nexadist/agents/*/runs/${run}/a1/pids.jsonl`;
      await until("its daemon on record", async () => (await lab.host(NAMES[host]).run(["sh", "-c", find])).exitCode === 0);
    }
    return { run, up, pids };
  };

  const ways: readonly Way[] = [
    { name: "stop", end: ({ run }) => stop(run), phase: "stopped" },
    { name: "stop --now", end: ({ run }) => stop("--now", run), phase: "stopped" },
    {
      name: "Ctrl-C twice",
      isWatched: true,
      end: async ({ up }) => {
        process.kill(up?.pid ?? 0, "SIGINT");
        await up?.says(/once more leaves it/);
        process.kill(up?.pid ?? 0, "SIGINT");
        await up?.done;
      },
      phase: "stopped",
    },
    { name: "the trainer exits", end: () => leave(0), phase: "succeeded" },
    { name: "the trainer fails", end: () => leave(3), phase: "failed" },
    { name: "torchrun killed", launcher: "torchrun", end: async () => kill(await onB((each) => /torch\.distributed\.run/.test(each.argv))), phase: "failed" },
    { name: "shim killed", end: killShim, phase: "failed" },
    {
      name: "agent killed, which ends nothing, then stop",
      end: async ({ run, pids }) => {
        const before = await onB(isAgent);
        await killAgent();
        await until("another agent", async () => ![before, undefined].includes(await onB(isAgent)));
        const there = new Set((await processesOf(lab, "gpu-b")).map((each) => each.pid));
        for (const kind of ["rank", "renamed", "bare", "hydra"]) assert.ok(there.has(pids[B]?.[kind] ?? 0), `${kind} ended with the agent`);
        await stop(run);
      },
      phase: "stopped",
    },
    {
      name: "agent and shim killed",
      end: async () => {
        await killAgent();
        await killShim();
      },
      phase: "failed",
    },
    {
      name: "controller killed, then stop",
      end: async ({ run }) => {
        const controller = (await controllerPid(seat.stateDir)) ?? 0;
        process.kill(controller, "SIGKILL");
        await until("the controller's end", () => !isRunning(controller));
        await stop(run);
      },
      phase: "stopped",
    },
    {
      name: "host started again",
      end: async () => {
        await lab.host("gpu-b").kill();
        await lab.host("gpu-b").boot();
      },
      phase: "failed",
      isRebooted: true,
    },
    {
      name: "uninstall",
      end: async () => {
        const { code, out, err } = await seat.cli(["agent", "uninstall", "-c", "c.yaml", "--force", "--purge", "-y"]);
        assert.equal(code, 0, out + err);
      },
      phase: "stopped",
      hasNoAgent: true,
    },
  ];

  const check = async ({ run, pids }: Life, way: Way, before: Readonly<Record<string, readonly Seen[]>>, ended: RunState): Promise<void> => {
    assert.equal(ended.phase, way.phase, ended.failure?.text);
    for (const host of HOSTS) {
      const receipt = ended.hosts[host]?.receipt;
      assert.ok(receipt !== null && typeof receipt === "object" && receipt.left === 0, `${host}: ${JSON.stringify(receipt)}`);
      const now = await processesOf(lab, NAMES[host]);
      assert.deepEqual(ofRuns(now, run), []);
      if (way.isRebooted === true && host === B) continue;
      const known = new Set(before[host]?.map((each) => `${each.pid} ${each.start}`));
      const fresh = (seen: readonly Seen[]): readonly Seen[] => seen.filter((each) => !known.has(`${each.pid} ${each.start}`) && each.exe !== "/usr/sbin/sshd");
      const listed = new Set(Object.values(pids[host] ?? {}));
      assert.deepEqual(
        fresh(now).filter((each) => listed.has(each.pid)),
        [],
        "of what the ranks said they had started",
      );
      // What SSH runs for a moment comes and goes; what stays would be ours.
      let left: readonly Seen[] = [];
      const isClean = async (): Promise<boolean> => {
        left = fresh(await processesOf(lab, NAMES[host])).filter((each) => !isAgent(each) || way.hasNoAgent === true);
        return left.length === 0;
      };
      await until("nothing new on the host but an agent", isClean, 10_000).catch(() => assert.deepEqual(left, []));
    }
  };

  for (const way of ways) {
    await t.test(way.name, async (t) => {
      const before = { [A]: await processesOf(lab, "gpu-a"), [B]: await processesOf(lab, "gpu-b") };
      let isOver = false;
      t.after(async () => {
        if (!isOver) await seat.cli(["stop", "--now", seat.latest()]);
        for (const host of HOSTS) await lab.host(NAMES[host]).run(["rm", "-f", "/tmp/leave"]);
      });
      const life = await begin(way);
      const near = await bystander(t, lab, "gpu-b", { argv: ["unruly.py"], env: ["NEXADIST_MARK=somebody/else/1/x"] });
      await kill(life.pids[B]?.daemon);
      const heir = await bystander(t, lab, "gpu-b", { pid: life.pids[B]?.daemon ?? 0, argv: ["unruly.py"] });
      before[B] = [...before[B], ...(await processesOf(lab, "gpu-b")).filter(isBystander)];
      await way.end(life);
      const ended = await seat.ended(life.run);
      isOver = true;
      await check(life, way, before, ended);
      if (way.isRebooted === true) return;
      for (const each of [near, heir]) assert.ok(await each.isThere(), "a bystander was ended");
    });
  }
});
