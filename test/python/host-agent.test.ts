/** The host helper with an agent: starting it, refusing what is not ours, and uninstalling to zero bytes of ours and every byte of the user's. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startTicks } from "../../agent/process-start.ts";
import { packFrame } from "../../cluster/frame.ts";
import { HOST_COMMAND } from "../../cluster/host-program.ts";
import { treeText } from "../../cluster/tree.ts";
import { connect, record, startAgent } from "../support/agent.ts";
import { askHost, programText } from "../support/host-helper.ts";

const isRoot = process.getuid?.() === 0;

test("start: a node that cannot run, a bundle that is not there, each in words; nothing is left running", async (t) => {
  const agent = await startAgent(t);
  await assert.rejects(agent.start({ localName: `${agent.key}-b`, node: "/no/such/node" }), /AGENT_START: the agent ended at once: .*No such file/s);
  await assert.rejects(agent.start({ localName: `${agent.key}-c`, node: "/bin/false" }), /AGENT_START: the agent ended at once: it said nothing/);
  await assert.rejects(agent.start({ localName: `${agent.key}-d`, bundle: "0".repeat(64) }), /BUNDLE_ABSENT/);
});

test("start: the agent is detached, its working directory is /, it inherits nothing of the session", async (t) => {
  const agent = await startAgent(t);
  const stat = readFileSync(`/proc/${agent.pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  assert.equal(Number(stat[3]), Number(readFileSync(`/proc/${agent.pid}/stat`, "latin1").split(" ")[5]), "session");
  assert.notEqual(Number(stat[3]), 0);
  assert.equal(stat[4], "0", "no terminal");
  const names = readFileSync(`/proc/${agent.pid}/environ`, "utf8")
    .split("\0")
    .filter(Boolean)
    .map((entry) => entry.split("=")[0] ?? "");
  assert.deepEqual(names.sort(), ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"]);
});

test("runtime directories that are links or somebody else's are refused", { skip: !isRoot && "needs root for a mount namespace" }, async () => {
  const ask = async (prepare: string, stateDir = "/tmp/state"): Promise<string> => {
    const request = { nonce: "n1", op: "start", stateDir, bundle: "0".repeat(64), node: "/bin/false" };
    const child = spawn("unshare", ["-m", "sh", "-c", `mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm && ${prepare}; exec sh -c "$COMMAND"`], {
      env: { ...process.env, COMMAND: HOST_COMMAND },
    });
    child.stdin.end(`${Buffer.from(programText()).toString("base64")}\n${JSON.stringify(request)}\n`);
    let out = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    await new Promise((resolve) => child.once("close", resolve));
    return out;
  };
  const uid = process.getuid?.();
  assert.match(await ask(`ln -s /etc /tmp/nexadist-${uid}; ln -s /etc /dev/shm/nexadist-${uid}`), /RUNTIME_DIR.*not a directory of user/);
  assert.match(await ask(`mkdir /tmp/nexadist-${uid} /dev/shm/nexadist-${uid}; chown 65534 /tmp/nexadist-${uid} /dev/shm/nexadist-${uid}`), /RUNTIME_DIR/);
  assert.match(
    await ask(`mkdir -m 777 /tmp/nexadist-${uid} /dev/shm/nexadist-${uid}; touch /tmp/nexadist-${uid}/x /dev/shm/nexadist-${uid}/x`),
    /RUNTIME_DIR.*open to other users/,
  );
  assert.match(await ask(`ln -s /etc /tmp/nexadist-${uid}`), /BUNDLE_ABSENT/, "the second place serves");
  const full = await ask(
    `mount -t tmpfs -o size=4k none /tmp && mkdir -m 700 /tmp/nexadist-${uid} && head -c 9000 /dev/zero >/tmp/fill 2>/dev/null`,
    "/dev/shm/s",
  );
  assert.match(full, new RegExp(`DISK_FULL.*no space left at /tmp/nexadist-${uid}/\\w+ \\(the disk of [^:]+: 0 bytes and \\d+ files free`));
});

test("uninstall: refuses while a run lives, then takes all of ours and none of the user's", async (t) => {
  const agent = await startAgent(t);
  const client = await connect(t, agent);
  const ask = (more: Record<string, unknown>) => askHost({ op: "uninstall", stateDir: agent.root, ...more }, { env: { HOME: agent.home } });
  const data = Buffer.from("print('hi')\n");
  const sha256 = createHash("sha256").update(data).digest("hex");
  const entries = ["train.py", "pkg/edited.py"].map((path) => ({ path, mode: 0o644, size: data.length, sha256 }));
  await client.as("r1", 1, { do: "adopt", record: record("r1", 1, "c1") });
  client.socket.send(packFrame({ t: "blob", run: "r1", sha256, offset: 0, size: data.length }, data));
  const { dir } = (await client.as("r1", 1, { do: "sync-commit", entries, tree: createHash("sha256").update(treeText(entries)).digest("hex") })) as {
    dir: string;
  };
  const session = { PATH: process.env.PATH ?? "", HOME: agent.home };
  await client.as("r1", 1, {
    do: "prepare",
    python: null,
    setup: null,
    sessionEnv: session,
    secrets: {},
    scratch: "fast",
    ranks: [0, 1],
    inPlace: null,
    hashScript: null,
  });
  const arm = { host: "a", ports: [0], portRange: [20000, 29999] as [number, number], mark: "t/r1/1/a", quotaBytes: 1e9 };
  const armed = (await client.as("r1", 1, { do: "arm", record: record("r1", 1, "c1", 2), attempt: 1, ...arm })) as { pid: number };
  const refused = await ask({});
  assert.deepEqual([refused.ok, refused.code], [false, "RUNS_LIVE"]);
  assert.match(refused.text, /r1/);
  assert.notEqual(startTicks(agent.pid), null, "refused means untouched");

  writeFileSync(join(dir, "checkpoint.pt"), "the user's");
  writeFileSync(join(dir, "pkg/edited.py"), "changed by the user");
  mkdirSync(join(dir, "__pycache__"));
  writeFileSync(join(dir, "__pycache__/train.pyc"), "made from ours");
  writeFileSync(join(agent.home, "fast/r1/rank_0/data"), "the user's too");
  const other = join(agent.root, "agents/ffffffffffff");
  mkdirSync(other);
  writeFileSync(join(other, "host.json"), JSON.stringify({ bootId: "x", hostname: "another host", machineId: "y" }));

  const first = await ask({ force: true });
  assert.ok(first.ok, first.text);
  assert.equal(startTicks(agent.pid), null);
  assert.equal(startTicks(armed.pid), null);
  assert.deepEqual((first.value.left as string[]).sort(), [join(agent.home, "fast/r1"), join(dir, "checkpoint.pt"), join(dir, "pkg/edited.py")].sort());
  assert.deepEqual(first.value.otherHosts, ["ffffffffffff"]);
  assert.ok(existsSync(join(agent.root, "bundles")) && existsSync(join(other, "host.json")), "another host of this home keeps its agent");
  assert.ok(!existsSync(join(dir, "train.py")) && !existsSync(agent.runtimeDir) && !existsSync(join(agent.home, "fast/r1/rank_1")));
  assert.ok(!readdirSync(`/dev/shm/nexadist-${process.getuid?.()}`).includes(agent.key));

  rmSync(other, { recursive: true });
  const again = await ask({});
  assert.ok(again.ok && existsSync(join(dir, "checkpoint.pt")), "asked again, it still stops at the user's files");
  assert.ok(!existsSync(join(agent.root, "bundles")));
  const last = await ask({ purge: true });
  assert.ok(last.ok, last.text);
  assert.ok(!existsSync(agent.root));
  assert.ok(existsSync(join(agent.home, "fast/r1/rank_0/data")), "purge knows of no scratch whose record is gone, and guesses none");
});

test("uninstall on a host that nothing was done to but an agent leaves the home as it was", async (t) => {
  const agent = await startAgent(t);
  const gone = await askHost({ op: "uninstall", stateDir: agent.root }, { env: { HOME: agent.home } });
  assert.deepEqual(gone.value.left, []);
  assert.deepEqual(readdirSync(agent.home), ["job"], "not even the empty .local/state that we made");
  assert.equal(startTicks(agent.pid), null);
});
