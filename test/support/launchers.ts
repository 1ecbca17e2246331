/** A stand-in for torchrun below a real shim, as quick or as slow as a test needs. */

import type { Spawn } from "../../cluster/shim-contract.ts";
import { type AgentLink, type Lab, launch, PROLOGUE, PYTHON } from "./shims.ts";

/** Starts each program of argv[1:] as a rank behind the prologue, in a session of its own as torchrun does; `loop` then watches `ranks`. */
export const launcher = (lab: Lab, loop: string, programs: readonly string[], env: Record<string, string> = {}): Spawn => ({
  role: "launcher",
  rank: null,
  localRank: null,
  argv: [
    PYTHON,
    "-c",
    `
import os, signal, subprocess, sys, time
ranks = []
for i, code in enumerate(sys.argv[1:]):
    env = {**os.environ, "RANK": str(4 + i), "LOCAL_RANK": str(i), "WORLD_SIZE": "8", "MASTER_PORT": "1", "TORCHELASTIC_ERROR_FILE": f"{os.environ['NEXADIST_DIR']}/theirs{i}.json"}
    ranks.append(subprocess.Popen([sys.executable, "-I", "-S", ${JSON.stringify(PROLOGUE)}, "--", sys.executable, "-u", "-c", code], env=env, start_new_session=True))
print("started", flush=True)
${loop}`,
    ...programs,
  ],
  env: { PATH: process.env["PATH"] ?? "", NEXADIST_DIR: lab.arm.dir, NEXADIST_SOCKET: lab.arm.socket, ...env },
  cwd: "/",
});

/** As torchrun: reaps within 1 ms, says what it does, signals groups, and kills after 1 s instead of 30. */
export const QUICK_AND_HARD = `
while True:
    done = [r for r in ranks if r.poll() is not None]
    failed = [r for r in done if r.returncode]
    if failed:
        sys.stderr.write(f"failed (exitcode: {failed[0].returncode}) local_rank: 0 (pid: {failed[0].pid}) of binary: x\\n"); sys.stderr.flush()
        for r in ranks:
            if r.poll() is None:
                sys.stderr.write(f"Sending process {r.pid} closing signal SIGTERM\\n"); sys.stderr.flush()
                os.killpg(r.pid, signal.SIGTERM)
        time.sleep(1)
        for r in ranks:
            if r.poll() is None: os.killpg(r.pid, signal.SIGKILL)
        sys.exit(1)
    if len(done) == len(ranks): sys.exit(0)
    time.sleep(0.001)
`;
/** Never looks: every ended rank stays a zombie. */
export const BLIND = "time.sleep(600)";

export const WAIT = "import time\nwhile True: time.sleep(1)";
export const SAVE_3_S = `
import signal, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
print("ready", flush=True)
while not told: time.sleep(0.01)
end = time.monotonic() + 3
while time.monotonic() < end: time.sleep(0.01)
print("saved, told", len(told), flush=True)
`;

export async function startPair(lab: Lab, loop: string, programs: readonly [string, string], graceMs: number, lacking?: string): Promise<AgentLink> {
  await lab.startShim(lacking);
  const agent = await lab.connect();
  agent.send(launch([launcher(lab, loop, programs)], graceMs, 2));
  await agent.event("rank-started", (e) => e.rank === 4);
  await agent.event("rank-started", (e) => e.rank === 5);
  return agent;
}
