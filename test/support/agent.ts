/** A real agent on this machine, brought up by the host helper as a controller would, in directories of its own; and a client for its socket. */

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { build } from "esbuild";
import { WebSocket } from "ws";
import { type BinaryHeader, unpackFrame } from "../../cluster/frame.ts";
import type { AgentEvent, Command, FromAgent } from "../../cluster/protocol.ts";
import { BEAT_MS, PROTOCOL } from "../../cluster/protocol.ts";
import { askHost, REPO } from "./host-helper.ts";

export type Started = {
  readonly key: string;
  readonly socket: string;
  readonly token: string;
  readonly pid: number;
  readonly bundle: string;
  readonly running: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
};

export type TestAgent = Started & {
  readonly root: string;
  readonly home: string;
  /** Starts it again (or finds it); with another bundle when `upgrade` is given. */
  readonly start: (more?: Record<string, unknown>) => Promise<Started>;
  readonly putBundle: (salt?: string) => Promise<string>;
};

/** A test, or a bench that ends what it began itself. */
export type Ends = Pick<TestContext, "after">;

let bundled: Promise<{ name: string; data: Buffer }[]> | null = null;

/** As scripts/build.ts makes it: one file of JavaScript and the Python files, flat. */
function bundleFiles(): Promise<{ name: string; data: Buffer }[]> {
  bundled ??= (async () => {
    const made = await build({
      entryPoints: [`${REPO}/agent/main.ts`],
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node22",
      write: false,
      banner: { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' },
    });
    const python = readdirSync(`${REPO}/python`).filter((name) => name.endsWith(".py"));
    const files = python.map((name) => ({ name, data: readFileSync(`${REPO}/python/${name}`) }));
    return [{ name: "agent.mjs", data: Buffer.from(made.outputFiles[0]?.contents ?? []) }, ...files];
  })();
  return bundled;
}

/** Ends everything of it after the test: agent, shims, ranks, directories. */
export async function startAgent(t: Ends): Promise<TestAgent> {
  const home = mkdtempSync(join(tmpdir(), "nxd-agent-"));
  const root = join(home, ".local/state/nexadist");
  const localName = `test-${randomBytes(6).toString("hex")}`;
  const env = { HOME: home };

  const putBundle = async (salt = ""): Promise<string> => {
    const parts = (await bundleFiles()).map(({ name, data }) => ({
      name,
      data: name === "agent.mjs" && salt !== "" ? Buffer.concat([data, Buffer.from(`\n// ${salt}\n`)]) : data,
    }));
    const files = parts.map(({ name, data }) => ({ name, mode: 0o644, size: data.length, sha256: createHash("sha256").update(data).digest("hex") }));
    const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex");
    const put = await askHost(
      { op: "put", stateDir: root, kind: "bundle", hash, files, encoding: "raw" },
      { payload: Buffer.concat(parts.map(({ data }) => data)), env },
    );
    if (!put.ok) throw new Error(put.text);
    return hash;
  };
  const start = async (more: Record<string, unknown> = {}): Promise<Started> => {
    const answer = await askHost({ op: "start", stateDir: root, bundle, node: process.execPath, localName, ...more }, { env });
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.text}`);
    return answer.value as unknown as Started;
  };

  const bundle = await putBundle();
  const started = await start();
  t.after(async () => {
    const gone = await askHost({ op: "uninstall", stateDir: root, force: true, purge: true }, { env });
    rmSync(home, { recursive: true, force: true });
    if (!gone.ok) throw new Error(`the test agent could not be removed: ${gone.text}`);
  });
  mkdirSync(join(home, "job"));
  return { ...started, root, home, start, putBundle };
}

/** Omit over each member of a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type RunCommand = Without<Extract<Command, { run: string }>, "run" | "epoch" | "controller">;

export type Client = {
  readonly socket: WebSocket;
  readonly welcome: Extract<FromAgent, { type: "welcome" }>;
  readonly command: (command: Command) => Promise<unknown>;
  readonly as: (run: string, epoch: number, command: RunCommand) => Promise<unknown>;
  readonly events: AgentEvent[];
  readonly frames: { readonly header: BinaryHeader; readonly data: Buffer }[];
  /** Resolves with the first event that fits, past or to come. */
  readonly until: (test: (event: AgentEvent) => boolean, what: string, waitMs?: number) => Promise<AgentEvent>;
  readonly whenFrame: (test: () => boolean, what: string, waitMs?: number) => Promise<void>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly close: () => Promise<void>;
};

export const record = (run: string, epoch: number, controller: string, seq = 1) => ({ run, epoch, controller, seq, spec: {}, state: {} });

export function connect(t: Ends, agent: { readonly socket: string; readonly token: string }, controller = "c1", shouldAck = true): Promise<Client> {
  const socket = new WebSocket(`ws+unix://${agent.socket}:/`, { perMessageDeflate: false });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  const events: AgentEvent[] = [];
  const frames: { header: BinaryHeader; data: Buffer }[] = [];
  const checks = new Set<() => void>();
  let ids = 0;
  const { promise: closed, resolve: settle } = Promise.withResolvers<{ code: number; reason: string }>();
  t.after(() => socket.terminate());

  const command = (order: Command): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++ids;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ type: "command", id, command: order }));
    });
  const wait = <T>(test: () => T | undefined, what: string, waitMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = test();
        if (found === undefined) return;
        clearTimeout(timer);
        checks.delete(check);
        resolve(found);
      };
      const timer = setTimeout(() => {
        checks.delete(check);
        reject(new Error(`not seen in ${waitMs} ms: ${what}; events: ${JSON.stringify(events.map(({ event }) => event.type))}`));
      }, waitMs);
      checks.add(check);
      check();
    });

  return new Promise((resolve, reject) => {
    const beat = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('{"type":"beat"}'), BEAT_MS);
    socket.on("open", () => socket.send(JSON.stringify({ type: "hello", protocol: PROTOCOL, token: agent.token, controller })));
    socket.on("error", reject);
    socket.on("close", (code, reason) => {
      clearInterval(beat);
      for (const { reject: refuse } of waiting.values()) refuse(new Error(`link closed: ${code} ${reason}`));
      settle({ code, reason: reason.toString() });
    });
    socket.on("message", (data, isBinary) => {
      if (isBinary) {
        const { header, data: body } = unpackFrame(data as Buffer);
        frames.push({ header, data: Buffer.from(body) });
        if (shouldAck && (header.t === "log" || header.t === "gap")) {
          const offset = header.t === "log" ? header.offset + body.length : header.to;
          socket.send(JSON.stringify({ type: "ack", run: header.run, cursors: { [header.stream]: offset } }));
        }
      } else {
        const message = JSON.parse((data as Buffer).toString("utf8")) as FromAgent;
        if (message.type === "event") events.push(message.event as AgentEvent);
        else if (message.type === "reply") waiting.get(message.id)?.resolve(message.value);
        else if (message.type === "refused") waiting.get(message.id)?.reject(Object.assign(new Error(message.problem.message), { code: message.problem.code }));
        else if (message.type === "welcome") {
          resolve({
            socket,
            welcome: message,
            command,
            as: (run, epoch, order) => command({ ...order, run, epoch, controller } as Command),
            events,
            frames,
            until: (test, what, waitMs = 20_000) => wait(() => events.find(test), what, waitMs),
            whenFrame: async (test, what, waitMs = 20_000) => void (await wait(() => (test() ? true : undefined), what, waitMs)),
            closed,
            close: async () => {
              socket.terminate();
              await closed;
            },
          });
        }
      }
      for (const check of [...checks]) check();
    });
  });
}

/** The bytes of a stream as they came, checked to be without gap or overlap from `from` on. */
export function streamOf(client: Client, stream: string, from = 0): Buffer {
  const parts: Buffer[] = [];
  let at = from;
  for (const { header, data } of client.frames) {
    if (header.t !== "log" || header.stream !== stream) continue;
    if (header.offset !== at) throw new Error(`${stream}: frame at ${header.offset}, expected ${at}`);
    at += data.length;
    parts.push(data);
  }
  return Buffer.concat(parts);
}
