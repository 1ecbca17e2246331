/** The agent of one host: started by host.py with the path of its configuration, ends on SIGTERM, `quit`, or a day without work. */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CLOSE, PROTOCOL, REPLACED, TAKEN_OVER } from "../cluster/protocol.ts";
import type { Agent } from "./agent-state.ts";
import { readopt } from "./attempts.ts";
import { openBlobStore } from "./blob-store.ts";
import { KEEP_EVERY_MS, keepClaim } from "./claims.ts";
import { readConfig, VERSION } from "./config.ts";
import { GONE_EVERY_MS, isGone } from "./gone.ts";
import { FRESH_EVERY_MS, keepFresh } from "./keep-fresh.ts";
import { leaderOf } from "./leader.ts";
import { type Link, type LinkContext, openLink } from "./link.ts";
import { listen } from "./listen.ts";
import { isLive, loadRuns, type Run } from "./run.ts";
import { openSampler } from "./telemetry/sampler.ts";

const IDLE_EXIT_MS = 24 * 3600_000;
const IDLE_LOOK_MS = 60_000;

const log = (text: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
};

async function main(configPath: string): Promise<void> {
  // An agent that dies takes nothing with it, but while it lives it must not fall over one bad message.
  process.on("uncaughtException", (error) => log(`bug: ${error.stack ?? String(error)}`));
  process.on("unhandledRejection", (error) => log(`bug: ${error instanceof Error ? error.stack : String(error)}`));
  process.umask(0o077);

  const config = readConfig(configPath);
  const runsDir = join(config.stateDir, "runs");
  mkdirSync(runsDir, { recursive: true, mode: 0o700 });
  const agent: Agent = {
    config,
    runs: loadRuns(runsDir, log),
    shims: new Map(),
    followed: new Map(),
    stopped: new Set(),
    setups: new Map(),
    heard: new Map(),
    log,
  };
  const links = new Set<Link>();
  let busyAt = Date.now();

  const sampler = openSampler({
    dir: join(config.stateDir, "samples"),
    isBusy: () => [...agent.runs.values()].some(isLive),
    owners: {
      hasRun: (run) => agent.runs.has(run),
      shims: () =>
        new Map(
          [...agent.runs.values()].flatMap((run) => [...run.attempts.values()].flatMap(({ armed }) => (armed === null ? [] : [[armed.pid, run.run] as const]))),
        ),
    },
    log,
  });
  const leave = (why: string): void => {
    log(`leaving: ${why}`);
    sampler.close();
    for (const link of links) link.close(CLOSE.bye, why);
    setTimeout(() => process.exit(0), 100); // for the close frames; shims and ranks stay
  };
  const context: LinkContext = {
    agent,
    blobs: openBlobStore(join(config.rootDir, "blobs")),
    queues: new Map(),
    sampler,
    countLinks: () => links.size,
    leader: (run: Run) => leaderOf(agent, links, run),
    quit: () => leave("asked to"),
    fenceOthers: (run: Run) => {
      for (const link of links) if (link.controller !== run.record?.controller && link.holds(run)) link.close(CLOSE.fenced, TAKEN_OVER);
    },
  };

  process.on("SIGTERM", () => leave("SIGTERM"));
  process.on("SIGUSR2", () => leave(REPLACED)); // of an upgrade
  process.on("SIGINT", () => leave("SIGINT"));
  process.on("SIGHUP", () => undefined);

  readopt(agent);
  const token = readFileSync(config.tokenFile, "utf8").trim();
  await listen(
    config.socket,
    token,
    (socket, { controller }) => {
      const link = openLink(context, socket, controller);
      links.add(link);
      link.send(welcome(agent));
      return {
        onMessage: link.onMessage,
        onClose: () => {
          links.delete(link);
          link.onClose();
          busyAt = Date.now();
        },
      };
    },
    log,
  );
  setInterval(() => keepFresh(config.runtimeDir, config.secretsDir), FRESH_EVERY_MS);
  setInterval(() => {
    // For whoever leads it: without a leader there is no other attempt.
    for (const run of agent.runs.values()) if (isLive(run) || leaderOf(agent, links, run).isLinked) void keepClaim(agent, run);
  }, KEEP_EVERY_MS);
  let wasGone = false;
  setInterval(() => {
    const isNow = isGone(config.bundleDir) || isGone(config.stateDir);
    if (isNow && wasGone) leave("its files are gone"); // twice: a mount may be exchanged
    wasGone = isNow;
  }, GONE_EVERY_MS);
  log(`ready, pid ${process.pid}, bundle ${config.bundle}`);

  setInterval(() => {
    if (links.size > 0 || [...agent.runs.values()].some(isLive)) busyAt = Date.now();
    else if (Date.now() - busyAt > IDLE_EXIT_MS) leave("idle for a day");
  }, IDLE_LOOK_MS);
}

function welcome({ config, runs }: Agent) {
  return {
    type: "welcome" as const,
    protocol: PROTOCOL,
    version: VERSION,
    bundle: config.bundle,
    key: config.key,
    bootId: config.bootId,
    pid: process.pid,
    samples: true as const,
    dirs: { bundle: config.bundleDir, state: config.stateDir, runtime: config.runtimeDir },
    claims: true as const,
    runs: [...runs.values()].map((run) => ({
      run: run.run,
      epoch: run.record?.epoch ?? 0,
      controller: run.record?.controller ?? "",
      seq: run.record?.seq ?? 0,
      live: isLive(run),
    })),
  };
}

const [configPath] = process.argv.slice(2);
if (configPath === undefined) {
  process.stderr.write("usage: agent CONFIG.json\n");
  process.exit(2);
}
main(configPath).catch((error) => {
  log(`cannot start: ${error instanceof Error ? error.stack : String(error)}`);
  process.exit(1);
});
