/** From a bare host to a running agent: look, bring what is missing, start. Idempotent; twice in a row uploads nothing. */

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { hostFactsSchema } from "../../cluster/host-facts.ts";
import type { HostFacts } from "../../cluster/spec.ts";
import { distDir, readManifest } from "../assets.ts";
import { callHelper } from "./helper.ts";
import { missingNode, nodeRuntime } from "./node-runtime.ts";
import type { Transport } from "./transport.ts";

const UPLOAD_MS = 30 * 60_000;

export type Wanted = { readonly name: string; readonly transport: "ssh" | "local"; readonly python?: string };

const started = z.object({
  key: z.string(),
  socket: z.string(),
  token: z.string(),
  pid: z.int(),
  bundle: z.string(),
  stateDir: z.string(),
  runtimeDir: z.string(),
});
export type StartedAgent = z.infer<typeof started>;

/** What a look at the host finds; leaves nothing there. */
export async function lookAt(transport: Transport, host: Wanted): Promise<HostFacts> {
  return hostFactsSchema.parse(await callHelper(transport, host.name, { op: "facts", ...(host.python === undefined ? {} : { python: host.python }) }));
}

/** `step` tells a person what is going on: "uploading node 12 of 45 MB". `upgrade` replaces an agent of another bundle. */
export async function bringUpAgent(transport: Transport, host: Wanted, facts: HostFacts, step: (text: string) => void, upgrade = true): Promise<StartedAgent> {
  const { agentBundle } = await readManifest();
  const arch = host.transport === "local" ? null : missingNode(host.name, facts);
  const runtime = arch === null ? null : await nodeRuntime(arch);
  const there = facts.present ?? { node: [], bundle: [] };
  const puts: Put[] = [];
  if (runtime !== null && !there.node.includes(runtime.hash)) {
    const { hash, size, packed, packedSize } = runtime;
    const files = [{ name: "node", mode: 0o755, size, sha256: hash }];
    puts.push({ what: "node", paths: [packed], request: { kind: "node", hash, files, encoding: "blocks", bytes: packedSize } });
  }
  if (!there.bundle.includes(agentBundle.hash)) {
    const files = agentBundle.files.map(({ name, size, sha256 }) => ({ name, mode: 0o644, size, sha256 }));
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    const paths = agentBundle.files.map((file) => join(distDir, file.path));
    puts.push({ what: "agent", paths, request: { kind: "bundle", hash: agentBundle.hash, files, encoding: "raw", bytes } });
  }
  const node = host.transport === "local" ? process.execPath : runtime === null ? (facts.node?.path ?? "") : `${facts.stateDir}/node/${runtime.hash}/node`;
  const request = {
    op: "bring",
    puts: puts.map((each) => each.request),
    stateDir: facts.stateDir,
    bundle: agentBundle.hash,
    node,
    upgrade,
    ...(host.transport === "local" ? { localName: host.name } : {}),
  };
  if (puts.length === 0) step("finding its agent"); // mostly it runs already
  if (puts.length === 0) return started.parse(await callHelper(transport, host.name, request));
  let doing = "uploading";
  const tell = (text: string): void => {
    doing = text;
    step(text);
  };
  return started.parse(await callHelper(transport, host.name, request, payload(puts, tell), UPLOAD_MS, () => doing));
}

type Put = { readonly what: string; readonly paths: readonly string[]; readonly request: { readonly bytes: number } & Readonly<Record<string, unknown>> };

async function* payload(puts: readonly Put[], step: (text: string) => void): AsyncIterable<Uint8Array> {
  for (const { what, paths, request } of puts) yield* progress(paths, request.bytes, what, step);
  step("starting the agent"); // a host that is slow with its disk unpacks still
}

async function* progress(paths: readonly string[], total: number, what: string, step: (text: string) => void): AsyncIterable<Uint8Array> {
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  let sent = 0;
  for (const path of paths) {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      yield chunk as Uint8Array;
      sent += (chunk as Uint8Array).length;
      step(`uploading ${what}, ${mb(sent)} of ${mb(total)} MB`);
    }
  }
}
