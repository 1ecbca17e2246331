/**
 * Makes bare hosts ready, all at once, as the controller does; prints {"ms": …} for all of them to have answered. Then leaves them bare again.
 * Run in a lab by bootstrap.ts: node bring-up.ts STATE_HOST…
 */

import { bringUpAgent, lookAt } from "../../../controller/reach/bootstrap.ts";
import { connectHost } from "../../../controller/reach/connect-host.ts";
import { callHelper } from "../../../controller/reach/helper.ts";
import { openLink } from "../../../controller/reach/link.ts";
import type { Transport } from "../../../controller/reach/transport.ts";

type Ready = { readonly name: string; readonly transport: Transport; readonly stateDir: string; readonly close: () => void };

const options = {
  connectMs: 60_000,
  acceptNewHostKeys: false,
  agentSocket: undefined,
  env: process.env,
  notice: () => undefined,
};

async function bringUp(name: string): Promise<Ready> {
  const host = { name, transport: "ssh" as const };
  const begun = performance.now();
  const marks: string[] = [];
  const mark = (what: string): void => void marks.push(`${what} ${(performance.now() - begun).toFixed(0)}`);
  const transport = await connectHost({ host: name, name }, options);
  mark("connected");
  const facts = await lookAt(transport, host);
  mark("looked");
  let last = "";
  const agent = await bringUpAgent(transport, host, facts, (text) => {
    const step = text.split(",")[0] ?? "";
    if (step !== last) mark(step);
    last = step;
  });
  mark("started");
  const link = await openLink(name, await transport.openSocket(agent.socket), agent.token, "bench", {
    onEvent: () => undefined,
    onFrame: () => undefined,
    onSilent: () => undefined,
    onHeard: () => undefined,
  });
  mark("linked");
  process.stderr.write(`  ${marks.join(", ")}\n`);
  return { name, transport, stateDir: facts.stateDir, close: link.close };
}

const hosts = process.argv.slice(2);
const begun = performance.now();
const ready = await Promise.all(hosts.map(bringUp));
const ms = performance.now() - begun;
for (const { name, transport, stateDir, close } of ready) {
  close();
  await callHelper(transport, name, { op: "uninstall", stateDir, force: true, purge: true });
  transport.close();
}
process.stdout.write(`${JSON.stringify({ ms })}\n`);
process.exit(0);
