/** Holders of claims as an agent starts them, over a directory of the test's own; all end with the test. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { PYTHON, PYTHON_DIR, until } from "./shims.ts";

/** Of the system: another user may not reach the one that runs the tests. */
const ANYBODYS = "/usr/bin/python3";

export const GPUS = [0, 1, 2, 3].map((index) => ({ index, uuid: `GPU-0000000${index}-aaaa-bbbb-cccc-00000000000${index}` }));
export const UUIDS = GPUS.map(({ uuid }) => uuid);

export type Asked = { readonly run: string; readonly want?: unknown; readonly mayQueue?: boolean; readonly force?: boolean; readonly requestedAt?: number };
export type Said = {
  readonly ok: boolean;
  readonly gpus?: readonly string[];
  readonly notes?: readonly string[];
  readonly busy?: readonly Record<string, unknown>[];
  readonly unusable?: string;
};
export type Holder = {
  readonly child: ChildProcess;
  readonly socket: string;
  claim(asked: Asked): Promise<Said>;
  ask(question: object): Promise<Said>;
  kill(): Promise<void>;
};

export type ClaimsPlace = {
  readonly root: string;
  readonly directory: string;
  hold(options?: { uid?: number; lease?: string; env?: Record<string, string> }): Promise<Holder>;
};

export function claimsPlace(t: TestContext): ClaimsPlace {
  const root = mkdtempSync(join(tmpdir(), "nexa-claims-"));
  chmodSync(root, 0o1777);
  const directory = join(root, "claims");
  const code = join(root, "code");
  cpSync(PYTHON_DIR, code, { recursive: true, filter: (path) => path === PYTHON_DIR || /(claim_?\w*|shim_(gpu|loop|proc))\.py$/.test(path) });
  chmodSync(code, 0o755);
  const children: ChildProcess[] = [];
  t.after(async () => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await Promise.all(children.map((child) => (child.exitCode === null && child.signalCode === null ? once(child, "exit") : null)));
    rmSync(root, { recursive: true, force: true });
  });
  let count = 0;
  const hold: ClaimsPlace["hold"] = async ({ uid, lease = "", env = {} } = {}) => {
    const socket = join(root, `s${count++}.gpus`);
    const program = `import sys; sys.path.insert(0, ${JSON.stringify(code)}); sys.dont_write_bytecode = True
import claims, claim_holder; claims.DIRECTORY = ${JSON.stringify(directory)}; ${lease}
sys.exit(claim_holder.main([${JSON.stringify(socket)}]))`;
    const child = spawn(uid === undefined ? PYTHON : ANYBODYS, ["-I", "-S", "-c", program], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { PATH: "/usr/bin:/bin", ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    children.push(child);
    let connects = false;
    await until("the holder listens", () => {
      if (child.exitCode !== null) throw new Error(`the holder ended with ${child.exitCode}`);
      const probe = createConnection(socket)
        .on("error", () => {})
        .on("connect", () => {
          connects = true;
          probe.destroy();
        });
      return connects;
    });
    const ask: Holder["ask"] = async (question) => {
      const connection = createConnection(socket);
      connection.write(`${JSON.stringify(question)}\n`);
      const [line] = (await once(createInterface({ input: connection }), "line")) as [string];
      connection.destroy();
      return JSON.parse(line) as Said;
    };
    return {
      child,
      socket,
      ask,
      claim: ({ run, want = { kind: "auto" }, mayQueue = false, force = false, requestedAt = 1 }) =>
        ask({ do: "claim", run, name: "model", by: "ann", requestedAt, want, gpus: GPUS, mayQueue, force }),
      kill: async () => {
        child.kill("SIGKILL");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      },
    };
  };
  return { root, directory, hold };
}
