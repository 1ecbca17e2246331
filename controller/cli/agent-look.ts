/** Which agents of this user a host has, from the owner files that they leave; reads only, with sh and coreutils. */

import { z } from "zod";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { runScript } from "./remote-script.ts";

export type FoundAgent = { readonly key: string; readonly pid: number; readonly bundle: string; readonly isAlive: boolean };

const hostFile = z.object({ localName: z.string() });
const owner = z.object({ pid: z.int(), start: z.int().nullable(), bundle: z.string() });

/** A line per agent: its owner file's path, /proc/PID/stat where there is one, the owner file, and whose agent it is. */
const LOOK = `u=$(id -u)
for f in /tmp/nexadist-$u/*/agent.pid /dev/shm/nexadist-$u/*/agent.pid; do
  test -f "$f" && test -O "$f" || continue
  p=$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' "$f")
  printf '%s\\t%s\\t%s\\t%s\\n' "$f" "$(cat "/proc/$p/stat" 2>/dev/null | tr '\\n\\t' '  ')" "$(tr '\\n' ' ' <"$f")" "$(tr '\\n' ' ' 2>/dev/null <"\${f%agent.pid}host.json")"
done
exit 0
`;

/** Start time of a process in ticks, the 22nd field of its stat; the name before it may hold anything. */
const startOf = (stat: string): number => Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? Number.NaN);

/** `localName`: of the entry with transport local; "" for a host of its own. One machine may hold several. */
export function readLook(text: string, localName: string): readonly FoundAgent[] {
  const found: FoundAgent[] = [];
  for (const line of text.split("\n")) {
    const [path = "", stat = "", json = "", whose = ""] = line.split("\t");
    const parsed = owner.safeParse(tryJson(json));
    if (!parsed.success || (hostFile.safeParse(tryJson(whose)).data?.localName ?? "") !== localName) continue;
    const { pid, start, bundle } = parsed.data;
    found.push({ key: path.split("/").at(-2) ?? "", pid, bundle, isAlive: startOf(stat) === start });
  }
  return found;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function findAgents(transport: Transport, host: HostSpec): Promise<readonly FoundAgent[]> {
  const chunks: Buffer[] = [];
  await runScript(transport, host, LOOK, { onOut: (data) => void chunks.push(data), onErr: () => undefined });
  return readLook(Buffer.concat(chunks).toString("utf8"), host.transport === "local" ? host.name : "");
}
