/** From a bare host to a running agent: look, bring what is missing, start. Idempotent; twice in a row uploads nothing. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hostFactsSchema } from "../../cluster/host-facts.ts";
import type { HostFacts } from "../../cluster/spec.ts";
import { distDir, readManifest } from "../assets.ts";
import { callHelper } from "./helper.ts";
import { missingNode, nodeRuntime } from "./node-runtime.ts";
import type { Transport } from "./transport.ts";

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
const have = z.object({ bundles: z.array(z.string()), node: z.boolean() });

/** What a look at the host finds; leaves nothing there. */
export async function lookAt(transport: Transport, host: Wanted): Promise<HostFacts> {
  return hostFactsSchema.parse(await callHelper(transport, host.name, { op: "facts", ...(host.python === undefined ? {} : { python: host.python }) }));
}

/** `step` tells a person what is going on: "uploading node 12 of 45 MB". `upgrade` replaces an agent of another bundle. */
export async function bringUpAgent(transport: Transport, host: Wanted, facts: HostFacts, step: (text: string) => void, upgrade = true): Promise<StartedAgent> {
  const { agentBundle } = await readManifest();
  const arch = host.transport === "local" ? null : missingNode(host.name, facts);
  const runtime = arch === null ? null : await nodeRuntime(arch);
  const there = have.parse(
    await callHelper(transport, host.name, { op: "have", stateDir: facts.stateDir, bundles: [agentBundle.hash], node: runtime?.hash ?? "" }),
  );
  const putNode = async (): Promise<void> => {
    if (runtime === null || there.node) return;
    const { size } = await stat(runtime.gzip);
    const files = [{ name: "node", mode: 0o755, size: runtime.size, sha256: runtime.hash }];
    await put(
      transport,
      host.name,
      { stateDir: facts.stateDir, kind: "node", hash: runtime.hash, files, encoding: "gzip" },
      progress([runtime.gzip], size, "node", step),
    );
  };
  const putAgent = async (): Promise<void> => {
    if (there.bundles.includes(agentBundle.hash)) return;
    const size = agentBundle.files.reduce((sum, file) => sum + file.size, 0);
    const files = agentBundle.files.map(({ name, size: bytes, sha256 }) => ({ name, mode: 0o644, size: bytes, sha256 }));
    const paths = agentBundle.files.map((file) => join(distDir, file.path));
    await put(
      transport,
      host.name,
      { stateDir: facts.stateDir, kind: "bundle", hash: agentBundle.hash, files, encoding: "raw" },
      progress(paths, size, "agent", step),
    );
  };
  await Promise.all([putNode(), putAgent()]);
  step("starting the agent");
  const node = host.transport === "local" ? process.execPath : runtime === null ? (facts.node?.path ?? "") : `${facts.stateDir}/node/${runtime.hash}/node`;
  const request = {
    op: "start",
    stateDir: facts.stateDir,
    bundle: agentBundle.hash,
    node,
    upgrade,
    ...(host.transport === "local" ? { localName: host.name } : {}),
  };
  return started.parse(await callHelper(transport, host.name, request));
}

const put = (transport: Transport, host: string, request: object, payload: AsyncIterable<Uint8Array>): Promise<unknown> =>
  callHelper(transport, host, { op: "put", ...request }, payload, 30 * 60_000);

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
