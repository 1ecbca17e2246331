/** What could be of ours on the hosts of a lab: listening TCP sockets, files, processes. */

import type { Lab, LabHost } from "./lab.ts";

const LISTENING = "ss -Hltn | sort; ss -Hlun | sort";

/** Where → listening TCP and UDP sockets, the controller's own network among them. */
export async function listeners(lab: Lab): Promise<Readonly<Record<string, string>>> {
  const here = await lab.exec(["sh", "-c", LISTENING]);
  const there = await Promise.all(lab.hosts.map(async (host) => [host.name, (await host.run(["sh", "-c", LISTENING])).stdout] as const));
  return Object.fromEntries([["controller", here.stdout], ...there]);
}

/** Every path in a host's own directories, with its size; a directory that only changed its time is the same. */
export async function filesOn(host: LabHost): Promise<string[]> {
  const { stdout } = await host.run(["find", "/root", "/home", "/tmp", "/dev/shm", "/run", "/var/tmp", "-xdev", "-printf", "%p %y\\n"]);
  return stdout.split("\n").sort();
}

/** Command lines of a host's processes that name us. */
export async function processesOn(host: LabHost): Promise<string[]> {
  const { stdout } = await host.run(["sh", "-c", "ps -eo args | grep -i -e nexadist -e agent.mjs -e shim.py | grep -v grep"]);
  return stdout.split("\n").filter((line) => line !== "");
}
