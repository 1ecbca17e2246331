/** A trainer of coupled ranks that notes on its host when it took its first step, and who reads that: the same for whoever launches it. */

import type { LabHost } from "../../../test/support/lab.ts";
import type { Stage } from "./stage.ts";

/** argv: a word of the launch. Appends "word time pid" to ~/first. */
export const COUPLED = `import os, sys, time
import torch, torch.distributed as dist
dist.init_process_group("gloo")
dist.all_reduce(torch.ones(1))
with open(os.path.expanduser("~/first"), "a") as file: file.write(f"{sys.argv[1]} {time.time():.3f} {os.getpid()}\\n")
while True:
    dist.all_reduce(torch.ones(1))
    time.sleep(0.1)
`;

export type First = { readonly at: number; readonly pid: number };
const WAIT_MS = 120_000;

async function firstsOn(host: LabHost, word: string): Promise<First[]> {
  const { stdout } = await host.run(["sh", "-c", "cat /root/first 2>/dev/null; true"]);
  const lines = stdout.split("\n").map((line) => line.split(" "));
  return lines.filter(([of]) => of === word).map(([, at, pid]) => ({ at: Number(at) * 1000, pid: Number(pid) }));
}

/** The `nth` (1: first) time that each of these hosts began to step; one rank a host. */
export async function nthSteps(hosts: readonly LabHost[], word: string, nth: number): Promise<readonly First[]> {
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const all = await Promise.all(hosts.map((host) => firstsOn(host, word)));
    const found = all.map((firsts) => firsts[nth - 1]);
    if (found.every((first) => first !== undefined)) return found;
  }
  throw new Error(`${word}: not all ranks took a step for the ${nth}. time`);
}

export const stopRun = async (stage: Stage, run: string): Promise<void> => void (await stage.run([stage.nexadist, "stop", "--now", run]));

export async function upDetached(stage: Stage, args: readonly string[]): Promise<string> {
  const { code, text } = await stage.run([stage.nexadist, "up", "-d", ...args]);
  if (code !== 0) throw new Error(text);
  return stage.latest();
}
