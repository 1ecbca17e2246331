/** The host helper, run as a controller runs it: facts, uploads, sessions, the proxy; and what it must never leave behind. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { HOST_COMMAND, HOST_PARTS } from "../../cluster/host-program.ts";
import { BLOCK, packBlocks } from "../../controller/reach/pack.ts";
import { askHost, programText, REPO, startHost } from "../support/host-helper.ts";

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "nxd-host-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
const describe = (name: string, data: Uint8Array, mode = 0o644) => ({ name, mode, size: data.length, sha256: sha256(data) });

test("facts describe this host and leave nothing behind", async (t) => {
  const home = scratch(t);
  const { value } = await askHost({ op: "facts" }, { env: { HOME: home } });
  assert.equal(value.os, "Linux");
  assert.equal(value.uid, process.getuid?.());
  assert.equal(value.stateDir, join(home, ".local/state/nexadist"));
  const interfaces = value.interfaces as { name: string; addresses: string[] }[];
  assert.ok(interfaces.find((one) => one.name === "lo")?.addresses.includes("127.0.0.1"));
  assert.match(String((value.python as { version: string }).version), /^\d+\.\d+\.\d+$/);
  assert.deepEqual(readdirSync(home), []);
});

test("facts: a wished python is a file, a directory of an environment, or a sentence", async (t) => {
  const home = scratch(t);
  mkdirSync(join(home, "env/bin"), { recursive: true });
  writeFileSync(join(home, "env/bin/python"), '#!/bin/sh\nexec python3 "$@"\n', { mode: 0o755 });
  const env = { HOME: home };
  const byDirectory = await askHost({ op: "facts", python: "env" }, { env });
  assert.equal((byDirectory.value.python as { path: string }).path, join(home, "env/bin/python"));
  const byHome = await askHost({ op: "facts", python: "~/env/bin/python" }, { env });
  assert.equal((byHome.value.python as { path: string }).path, join(home, "env/bin/python"));
  const absent = await askHost({ op: "facts", python: "no/such" }, { env });
  assert.equal(absent.value.python, null);
  assert.match(String(absent.value.pythonProblem), /no\/such.*not an executable file/);
});

test("facts: nvidia-smi that lists, that fails, that hangs", async (t) => {
  const bin = scratch(t);
  const env = { PATH: `${bin}:${process.env.PATH}` };
  const smi = (body: string): void => writeFileSync(join(bin, "nvidia-smi"), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  smi("echo '0, GPU-aa, NVIDIA H100 80GB HBM3, 81559 MiB'; echo '1, GPU-bb, NVIDIA H100, [N/A]'");
  const listed = await askHost({ op: "facts" }, { env });
  assert.deepEqual(listed.value.gpus, [
    { index: 0, uuid: "GPU-aa", name: "NVIDIA H100 80GB HBM3", memoryMiB: 81559 },
    { index: 1, uuid: "GPU-bb", name: "NVIDIA H100", memoryMiB: null },
  ]);
  smi("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18");
  const failed = await askHost({ op: "facts" }, { env });
  assert.equal(failed.value.gpus, null);
  assert.match(String(failed.value.gpuProblem), /version mismatch/);
  smi("exec sleep 60");
  const hung = await askHost({ op: "facts" }, { env });
  assert.equal(hung.value.gpus, null);
  assert.match(String(hung.value.gpuProblem), /no answer within 5 s/);
});

test("the fixed command runs under csh and fish, and skips a python that is too old or a wrapper without one", async (t) => {
  const bin = scratch(t);
  writeFileSync(join(bin, "python3"), "#!/bin/sh\nexit 97\n", { mode: 0o755 });
  for (const shell of ["/bin/csh", "/usr/bin/fish"]) {
    if (!existsSync(shell)) {
      t.diagnostic(`no ${shell} here`);
      continue;
    }
    const answer = await askHost({ op: "agents", stateDir: bin }, { shell });
    assert.equal(answer.ok, true, shell);
  }
  for (const wrapper of ["exit 97", "echo pyenv: no version is set >&2; exit 127", "exit 1"]) {
    writeFileSync(join(bin, "python3"), `#!/bin/sh\n${wrapper}\n`, { mode: 0o755 });
    const answer = await askHost({ op: "agents", stateDir: bin }, { env: { PATH: `${bin}:${process.env.PATH}` } });
    assert.equal(answer.ok, true, wrapper);
  }
  assert.ok(!HOST_COMMAND.includes("\n"));
  for (const part of HOST_PARTS)
    assert.ok(
      readFileSync(`${REPO}/python/${part}.py`).every((byte) => byte < 128),
      part,
    );
});

test("an unknown op and broken JSON are answers or exits, never traces of a run", async () => {
  const unknown = await askHost({ op: "rm -rf" });
  assert.equal(unknown.code, "BAD_REQUEST");
  const missing = await askHost({ op: "put" });
  assert.equal(missing.code, "BUG");
});

const presentIn = async (home: string): Promise<unknown> => (await askHost({ op: "facts" }, { env: { HOME: home } })).value.present;

test("put: raw and in blocks arrive, become visible whole, with their modes; again is a no-op", async (t) => {
  const home = scratch(t);
  const stateDir = join(home, ".local/state/nexadist");
  const one = Buffer.concat([randomBytes(300_000), Buffer.alloc(40 * BLOCK, "much of the same "), randomBytes(2 * BLOCK + 1)]);
  const two = Buffer.from("#!/bin/sh\necho hi\n");
  const files = [describe("one.bin", one), describe("run.sh", two, 0o755)];
  for (const encoding of ["raw", "blocks"] as const) {
    const hash = `hash-${encoding}`;
    const whole = Buffer.concat([one, two]);
    const request = { op: "put", stateDir, kind: "bundle", hash, files, encoding };
    const put = await askHost(request, { payload: encoding === "raw" ? whole : await packBlocks(whole) });
    assert.deepEqual(put.value, { dir: join(stateDir, "bundles", hash), wrote: true });
    assert.ok(readFileSync(join(stateDir, "bundles", hash, "one.bin")).equals(one));
    assert.equal(statSync(join(stateDir, "bundles", hash, "run.sh")).mode & 0o777, 0o755);
    assert.equal((await askHost(request)).value.wrote, false);
  }
  assert.deepEqual(await presentIn(home), { bundle: ["hash-blocks", "hash-raw"], node: [] });
});

test("what was written before the last boot counts only when it reads as it was, until it was seen on the disk", async (t) => {
  const home = scratch(t);
  const stateDir = join(home, ".local/state/nexadist");
  const data = randomBytes(5000);
  const dir = join(stateDir, "node/hash-boot1");
  const [file, marker] = [join(dir, "node"), join(dir, ".verified")];
  const put = () =>
    askHost({ op: "put", stateDir, kind: "node", hash: "hash-boot1", files: [describe("node", data)], encoding: "raw", bytes: data.length }, { payload: data });
  const present = async (): Promise<boolean> => ((await presentIn(home)) as { node: string[] }).node.includes("hash-boot1");
  await put();
  writeFileSync(marker, readFileSync(marker, "utf8").replace(/"boot": "[^"]*"/, '"boot": "another"'));
  assert.ok(await present(), "it is whole");
  writeFileSync(file, Buffer.alloc(data.length)); // as a power cut leaves it: the size is right, the content never came
  assert.ok(!(await present()));
  assert.equal((await put()).value.wrote, true, "it is brought again");
  assert.ok(readFileSync(file).equals(data));
  writeFileSync(file, data.subarray(1));
  assert.ok(!(await present()), "a size that is wrong is seen in any boot");
});

test("bring: what is there is passed over, what follows arrives; a refusal starts nothing", async (t) => {
  const home = scratch(t);
  const stateDir = join(home, ".local/state/nexadist");
  const [one, two] = [randomBytes(3_000_000), randomBytes(1000)];
  const packed = await packBlocks(one);
  const node = { kind: "node", hash: "hash-node", files: [describe("node", one, 0o755)], encoding: "blocks", bytes: packed.length };
  const bundle = { kind: "bundle", hash: "hash-bundle", files: [describe("other.mjs", two)], encoding: "raw", bytes: two.length };
  await askHost({ op: "put", stateDir, ...node }, { payload: packed });
  const env = { HOME: home };
  const broken = { ...bundle, files: [{ ...describe("other.mjs", two), sha256: "0".repeat(64) }] };
  const request = { op: "bring", stateDir, bundle: "hash-bundle", node: "/bin/false", localName: `t-${randomBytes(4).toString("hex")}` };
  const refused = await askHost({ ...request, puts: [node, broken] }, { payload: Buffer.concat([packed, two]), env });
  assert.equal(refused.code, "HASH_MISMATCH");
  assert.ok(!existsSync(join(stateDir, "agents")));
  const brought = await askHost({ ...request, puts: [node, bundle] }, { payload: Buffer.concat([packed, two]), env });
  assert.equal(brought.code, "AGENT_START", "that was no Node");
  assert.ok(readFileSync(join(stateDir, "bundles/hash-bundle/other.mjs")).equals(two));
  assert.equal((await askHost({ op: "uninstall", stateDir, force: true, purge: true }, { env })).ok, true);
});

test("put: cut, tampered, a bomb, a bad name: a code each and nothing left", async (t) => {
  const stateDir = scratch(t);
  const data = randomBytes(1000);
  const base = { op: "put", stateDir, kind: "bundle", hash: "hash-bad1", encoding: "raw" };
  const cut = await askHost({ ...base, files: [describe("a", data)] }, { payload: data.subarray(0, 999) });
  assert.equal(cut.code, "UPLOAD_CUT");
  const tampered = await askHost({ ...base, files: [{ ...describe("a", data), sha256: "0".repeat(64) }] }, { payload: data });
  assert.equal(tampered.code, "HASH_MISMATCH");
  const packed = await packBlocks(data);
  const block = (packedSize: number, size: number, body: Uint8Array): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(packedSize, 0);
    head.writeUInt32BE(size, 4);
    return Buffer.concat([head, body]);
  };
  const bomb = deflateRawSync(Buffer.alloc(1 << 24));
  for (const [what, payload, code] of [
    ["a bomb behind an honest size", block(bomb.length, data.length, bomb), "HASH_MISMATCH"],
    ["a bomb that says so", block(bomb.length, 1 << 24, bomb), "UPLOAD_BAD"],
    ["more than was announced", await packBlocks(Buffer.concat([data, data])), "UPLOAD_BAD"],
    ["a block of nothing", block(0, 0, packed), "UPLOAD_BAD"],
    ["a block that is too short", block(packed.length - 8, data.length - 1, packed.subarray(8)), "UPLOAD_CUT"],
    ["noise", block(500, data.length, randomBytes(500)), "UPLOAD_BAD"],
    ["cut in a block", packed.subarray(0, -1), "UPLOAD_CUT"],
    ["cut in a length", packed.subarray(0, 5), "UPLOAD_CUT"],
  ] as const) {
    assert.equal((await askHost({ ...base, encoding: "blocks", files: [describe("a", data)] }, { payload })).code, code, what);
  }
  for (const name of ["../a", "/a", ".verified", "a/b", ""]) {
    assert.equal((await askHost({ ...base, files: [{ ...describe("a", data), name }] }, { payload: data })).code, "BAD_REQUEST", name);
  }
  assert.equal((await askHost({ ...base, hash: "../../evil1234", files: [] })).code, "BAD_REQUEST");
  assert.deepEqual(readdirSync(join(stateDir, "bundles")), []);
});

test("put: an upload that is killed in the middle leaves nothing visible; two at once are harmless", async (t) => {
  const stateDir = scratch(t);
  const data = randomBytes(2_000_000);
  const request = { op: "put", stateDir, kind: "node", hash: "hash-node1", files: [describe("node", data, 0o755)], encoding: "raw" };
  const { child } = startHost(request);
  child.stdin.write(data.subarray(0, 1_000_000));
  child.stdin.end();
  await new Promise((resolve) => child.once("close", resolve));
  assert.deepEqual(readdirSync(join(stateDir, "node")), []);
  const both = await Promise.all([askHost(request, { payload: data }), askHost(request, { payload: data })]);
  assert.ok(both.every((answer) => answer.ok));
  assert.deepEqual(readdirSync(join(stateDir, "node")), ["hash-node1"]);
});

test("put: a full disk is DISK_FULL with its path, and leaves nothing", { skip: process.getuid?.() !== 0 && "needs root for a small tmpfs" }, async (t) => {
  const small = scratch(t);
  const data = randomBytes(3_000_000);
  const request = { op: "put", stateDir: join(small, "s"), kind: "bundle", hash: "hash-full", files: [describe("a", data)], encoding: "raw" };
  const nonce = "full1";
  const inside = `mount -t tmpfs -o size=1m none ${small} && sh -c "$COMMAND"; ls -A ${small}/s/bundles`;
  const child = spawn("unshare", ["-m", "sh", "-c", inside], { env: { ...process.env, COMMAND: HOST_COMMAND } });
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${Buffer.from(programText()).toString("base64")}\n${JSON.stringify({ nonce, ...request })}\n`);
  child.stdin.end(data);
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await new Promise((resolve) => child.once("close", resolve));
  assert.match(out, /"code": "DISK_FULL", "text": "no space left at [^"]*hash-full/);
  assert.match(out, /\}\s*$/, "nothing is listed in the directory");
});

test("env: the session's variables go to memory, 0600; the answer holds only their number", async (t) => {
  const stateDir = scratch(t);
  const key = `t${randomBytes(5).toString("hex")}`;
  const base = `/dev/shm/nexadist-${process.getuid?.()}`;
  t.after(() => rmSync(join(base, key), { recursive: true, force: true }));
  const answer = await askHost({ op: "env", stateDir, key, run: "r1" }, { env: { CANARY_VALUE: "s3cret-canary" } });
  assert.deepEqual(Object.keys(answer.value).sort(), ["dropped", "variables"]);
  const path = join(base, key, "r1/session.json");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((JSON.parse(readFileSync(path, "utf8")) as Record<string, string>).CANARY_VALUE, "s3cret-canary");
  assert.equal((await askHost({ op: "env", stateDir, key, run: "../x" })).code, "BAD_REQUEST");
  chmodSync(join(base, key), 0o755);
  assert.equal((await askHost({ op: "env", stateDir, key, run: "r1" })).code, "RUNTIME_DIR");
});

test("proxy: bytes both ways, data sent along with the request too, half-close passed on", async (t) => {
  const path = join(scratch(t), "s");
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    const hash = createHash("sha256");
    let size = 0;
    socket.on("data", (data) => {
      hash.update(data);
      size += data.length;
    });
    socket.on("end", () => socket.end(`${size} ${hash.digest("hex")}`));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const data = randomBytes(5_000_000);
  const { child, nonce } = startHost({ op: "proxy", socket: path });
  child.stdin.end(data);
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await new Promise((resolve) => child.once("close", resolve));
  assert.equal(out, `\n${nonce} {"ok": true, "value": {}}\n${data.length} ${sha256(data)}`);
  assert.equal((await askHost({ op: "proxy", socket: `${path}-none` })).code, "SOCKET_ABSENT");
});

test("every part runs on the oldest and the newest python that this machine has", async (t) => {
  for (const python of ["python3.9", "python3.10", "python3.12", "python3.13", "python3.14"]) {
    if (spawnSync(python, ["-c", ""]).status !== 0) {
      t.diagnostic(`no ${python} here`);
      continue;
    }
    assert.equal((await askHost({ op: "facts" }, { python })).ok, true, python);
  }
});
