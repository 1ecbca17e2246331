/** What runs in a lab's host, as the host's own /proc tells it: independent of every record and receipt of ours. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import type { Lab } from "./lab.ts";

export type Seen = { readonly pid: number; readonly start: number; readonly uid: number; readonly argv: string; readonly mark: string; readonly exe: string };

/** Everything but zombies, kernel threads and the look itself. */
const LOOK = `import json, os
found = []
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) == os.getpid(): continue
    try:
        with open(f"/proc/{name}/stat") as f: fields = f.read().rpartition(")")[2].split()
        with open(f"/proc/{name}/cmdline", "rb") as f: argv = f.read().replace(b"\\0", b" ").decode("utf-8", "replace").strip()
        with open(f"/proc/{name}/environ", "rb") as f: env = f.read().decode("utf-8", "replace").split("\\0")
        uid = os.stat(f"/proc/{name}").st_uid
        exe = os.readlink(f"/proc/{name}/exe")
    except OSError: continue
    if fields[0] in "ZX" or not argv: continue
    mark = next((e[14:] for e in env if e.startswith("NEXADIST_MARK=")), "")
    found.append({"pid": int(name), "start": int(fields[19]), "uid": uid, "argv": argv, "mark": mark, "exe": exe})
print(json.dumps(found))`;

export async function processesOf(lab: Lab, host: string): Promise<readonly Seen[]> {
  const { stdout, stderr } = await lab.host(host).run(["/usr/bin/python3", "-I", "-S", "-c", LOOK]);
  if (stdout === "") throw new Error(`no look at ${host}: ${stderr}`);
  return JSON.parse(stdout) as Seen[];
}

const isProgram = (name: string) => (seen: Seen) => new RegExp(`/bundles/[0-9a-f]{64}/${name.replace(".", "\\.")}( |$)`).test(seen.argv);
export const isAgent = isProgram("agent.mjs");
export const isShim = isProgram("shim.py");

/** Shims, and whatever began with the mark of the run, or of any run. */
export const ofRuns = (seen: readonly Seen[], run = ""): readonly Seen[] =>
  seen.filter((each) => (isShim(each) && each.argv.includes(`/runs/${run}`)) || (each.mark !== "" && each.mark.includes(`/${run}`)));

/** It or, where it wanted a number, its parent. */
export const isBystander = (seen: Seen): boolean => seen.argv.includes("ns_last_pid");

/** A process in a host that is none of ours, until the test's end. `pid`: the number that it shall have. */
export async function bystander(
  t: TestContext,
  lab: Lab,
  host: string,
  {
    argv = ["bystander"],
    env = [],
    pid = 0,
    user,
  }: { readonly argv?: readonly string[]; readonly env?: readonly string[]; readonly pid?: number; readonly user?: string } = {},
): Promise<{ readonly child: ChildProcess; readonly pid: number; readonly isThere: () => Promise<boolean> }> {
  const program = `import os, sys, time
want = int(sys.argv[1])
while want:
    with open("/proc/sys/kernel/ns_last_pid", "w") as f: f.write(str(want - 1))
    child = os.fork()
    if child == 0:
        if os.getpid() == want: break
        os._exit(0)
    if child == want: os.waitpid(child, 0); sys.exit(0)
    os.waitpid(child, 0)
print(os.getpid(), flush=True)
time.sleep(3600)`;
  const [labProgram] = lab.argv(["true"]);
  const as = user === undefined ? [] : ["--user", user];
  const child = spawn(labProgram, ["run", lab.name, host, ...as, "--", "env", ...env, "python3", "-c", program, `${pid}`, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString();
  });
  const gone = once(child, "close").then(() => {
    throw new Error(`the bystander ended: ${said}`);
  });
  gone.catch(() => undefined);
  const [data] = (await Promise.race([once(child.stdout, "data"), gone])) as [Buffer];
  const there = Number(data.toString());
  const begun = (await processesOf(lab, host)).find((each) => each.pid === there);
  const isThere = async (): Promise<boolean> => (await processesOf(lab, host)).some((each) => each.pid === there && each.start === begun?.start);
  return { child, pid: there, isThere };
}
