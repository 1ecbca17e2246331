/** Commands that need nothing on a host but sh and coreutils, against real sshds: exec, cp, hosts. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ENTRY, nexadist, type Place, place } from "../../support/cli.ts";
import { freePort, SSHD, type Sshd, type SshdOptions, startSshd } from "../../support/sshd.ts";

const skip = SSHD === undefined ? "no sshd on this machine" : false;

async function sshd(t: TestContext, options?: SshdOptions): Promise<Sshd> {
  const started = await startSshd(options);
  t.after(() => started.stop());
  return started;
}

const NOISY: SshdOptions = { settings: [`ForceCommand echo welcome to the cluster; echo mind the gap >&2; eval "$SSH_ORIGINAL_COMMAND"`] };
const hostsFile = (...ports: number[]): string => `cluster:\n${ports.map((port) => `  - {host: 127.0.0.1, port: ${port}}\n`).join("")}`;

/** A directory on "the host": the same disk here, but nothing of the CLI's. */
function remoteDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "nexa-remote-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("exec --raw: a pipe gets the bytes of one host, all and nothing else; what it says on stderr stays there", { skip }, async (t) => {
  const one = await sshd(t, NOISY);
  const at = place(t);
  at.write("cluster.yaml", hostsFile(one.port));
  const bytes = randomBytes(3_000_001);
  writeFileSync(join(at.dir, "data"), bytes);
  const script = `echo err >&2; cat ${at.dir}/data; exit 3`;
  const env = { PATH: process.env.PATH, HOME: at.home, LANG: "C.UTF-8", NEXADIST_STATE_DIR: join(at.dir, "state"), NEXADIST_SSH_CONFIG: one.config };
  const said = spawnSync(process.execPath, [ENTRY, "exec", "--raw", "--", "sh", "-c", script], { cwd: at.dir, env, maxBuffer: 2 ** 26 });
  assert.ok(bytes.equals(said.stdout), `${said.stdout.length} bytes, ${said.stderr}`);
  assert.deepEqual([said.status, `${said.stderr}`], [1, "err\n127.0.0.1: exit 3\n"]);
});

test("exec: argv is data, output is prefixed, noise of rc files is dropped, one host off is named", { skip }, async (t) => {
  const one = await sshd(t);
  const noisy = await sshd(t, NOISY);
  const off = await freePort();
  const at = place(t);
  // both sshds are trusted through one ssh_config: the second's keys join the first's
  writeFileSync(one.knownHosts, readFileSync(noisy.knownHosts), { flag: "a" });
  writeFileSync(noisy.authorizedKeys, readFileSync(`${one.identity}.pub`), { flag: "a" });
  at.write("cluster.yaml", hostsFile(one.port, noisy.port, off));
  const env = { NEXADIST_SSH_CONFIG: one.config };
  const tricky = ["a b", "'", '"$HOME"', "`id`", "", "-n", "x\ny", "*", "\\", "ü"];
  const said = await nexadist(t, at, ["exec", "--", "printf", "<%s>\\n", ...tricky], env);
  assert.equal(said.code, 4, said.err);
  const expected = tricky.join(">\n<").replace(/^/, "<").concat(">").split("\n");
  for (const port of [one.port, noisy.port]) {
    const mine = said.out.split("\n").filter((line) => line.startsWith(`127.0.0.1-${port} | `));
    assert.deepEqual(
      mine.map((line) => line.slice(`127.0.0.1-${port} | `.length)),
      expected,
    );
  }
  assert.doesNotMatch(said.out + said.err, /welcome|mind the gap/);
  assert.match(said.err, new RegExp(`127\\.0\\.0\\.1-${off}: cannot reach`));

  at.write("cluster.yaml", hostsFile(one.port, noisy.port));
  const codes = await nexadist(t, at, ["exec", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 7"], env);
  assert.equal(codes.code, 1);
  const { schema, hosts } = JSON.parse(codes.out) as { schema: number; hosts: { code: number; stdout: string; stderr: string; via: string }[] };
  assert.deepEqual(
    [schema, hosts.map((h) => [h.code, h.stdout, h.stderr, h.via])],
    [
      1,
      [
        [7, "out\n", "err\n", "ssh2"],
        [7, "out\n", "err\n", "ssh2"],
      ],
    ],
  );

  const reader = await nexadist(t, at, ["exec", "--", "sh", "-c", "cat; echo read"], env);
  assert.equal(reader.out.match(/ \| read$/gm)?.length, 2, "what reads stdin finds its end at once");
  const missing = await nexadist(t, at, ["exec", "--", "no-such-command"], env);
  assert.equal(missing.code, 1, "a host that was reached is not unreachable");
  assert.match(missing.err, /exit 127/);

  const cursed = await nexadist(t, at, ["exec", "--serial", "--", "printf", "a\\033]0;x\\007\\n"], env);
  assert.equal(cursed.code, 0);
  assert.ok(!cursed.out.includes("\u001b") && !cursed.out.includes("\u0007"));
});

test("exec: a line of shell in one word is refused with the cure; a host that runs something else is named", { skip }, async (t) => {
  const forced = await sshd(t, { settings: ["ForceCommand echo no"] });
  const at = place(t);
  at.write("cluster.yaml", hostsFile(forced.port));
  const word = await nexadist(t, at, ["exec", "--", "ls | wc"], {});
  assert.deepEqual([word.code, /sh -c 'ls \| wc'/.test(word.err)], [2, true]);
  const said = await nexadist(t, at, ["exec", "--", "true"], { NEXADIST_SSH_CONFIG: forced.config });
  assert.equal(said.code, 4, said.err);
  assert.match(said.err, /did not run what it was asked to/);
});

test("hosts: inventory, and the unreachable named with its reason; nothing is left on the host", { skip }, async (t) => {
  const one = await sshd(t);
  const off = await freePort();
  const at = place(t);
  at.write("cluster.yaml", hostsFile(one.port, off));
  const said = await nexadist(t, at, ["hosts", "--json"], { NEXADIST_SSH_CONFIG: one.config });
  assert.equal(said.code, 4, said.err);
  const { hosts } = JSON.parse(said.out) as { hosts: { isReached: boolean; facts?: { os: string }; driver?: string; problem?: { code: string } }[] };
  assert.deepEqual(
    hosts.map((h) => [h.isReached, h.facts?.os, h.driver, h.problem?.code]),
    [
      [true, "Linux", "ssh2", undefined],
      [false, undefined, undefined, "UNREACHABLE"],
    ],
  );
  const plain = await nexadist(t, at, ["hosts", "--host", `127.0.0.1-${one.port}`], { NEXADIST_SSH_CONFIG: one.config });
  assert.equal(plain.code, 0, plain.err);
  assert.match(plain.out, /^HOST +REACHED +OS +GPUS +NODE +PYTHON +TORCH +SSH\n127/);
});

async function copies(t: TestContext, at: Place, host: string, hasTar: boolean, env: Record<string, string>): Promise<void> {
  const there = remoteDir(t);
  const data = randomBytes(700_000);
  writeFileSync(join(at.dir, "-odd name\n.bin"), data);
  chmodSync(join(at.dir, "-odd name\n.bin"), 0o755);
  mkdirSync(join(at.dir, "tree/sub dir"), { recursive: true });
  writeFileSync(join(at.dir, "tree/sub dir/f.txt"), "f");
  writeFileSync(join(at.dir, "tree/empty"), "");
  symlinkSync("sub dir/f.txt", join(at.dir, "tree/link"));

  const up = await nexadist(t, at, ["cp", "./-odd name\n.bin", "tree", `${host}:${there}`], env);
  assert.equal(up.code, 0, up.err);
  assert.deepEqual(readFileSync(join(there, "-odd name\n.bin")), data);
  assert.equal(statSync(join(there, "-odd name\n.bin")).mode & 0o777, 0o755);
  assert.equal(readFileSync(join(there, "tree/sub dir/f.txt"), "utf8"), "f");
  assert.equal(readFileSync(join(there, "tree/empty"), "utf8"), "");
  assert.equal(readlinkSync(join(there, "tree/link")), "sub dir/f.txt");
  assert.ok(!readdirSync(there).some((name) => name.endsWith(".part")));

  const renamed = await nexadist(t, at, ["cp", "tree/empty", `${host}:${there}/new name`], env);
  assert.equal(renamed.code, 0, renamed.err);
  assert.equal(readFileSync(join(there, "new name"), "utf8"), "");

  const refused = await nexadist(t, at, ["cp", "./-odd name\n.bin", `${host}:${there}/tree`, "--json"], env);
  assert.equal(refused.code, 0, "a directory takes a file into it");
  mkdirSync(join(there, "clash/-odd name\n.bin"), { recursive: true });
  const clash = await nexadist(t, at, ["cp", "./-odd name\n.bin", `${host}:${there}/clash`], env);
  assert.equal(clash.code, 1);
  assert.match(clash.err, /is a directory there/);
  assert.ok(statSync(join(there, "clash/-odd name\n.bin")).isDirectory());

  const down = await nexadist(t, at, ["cp", `${host}:${there}/-odd name\n.bin`, `${host}:${there}/tree`, "back/"], env);
  assert.equal(down.code, 0, down.err);
  assert.deepEqual(readFileSync(join(at.dir, "back/-odd name\n.bin")), data);
  assert.equal(readFileSync(join(at.dir, "back/tree/sub dir/f.txt"), "utf8"), "f");
  // a link is brought, or named: never silently lost
  if (hasTar) assert.equal(readlinkSync(join(at.dir, "back/tree/link")), "sub dir/f.txt");
  else assert.match(down.err, /link is a link and was left out/);
  assert.ok(!readdirSync(join(at.dir, "back")).some((name) => name.endsWith(".part")));

  const absent = await nexadist(t, at, ["cp", `${host}:${there}/none`, "back/none"], env);
  assert.equal(absent.code, 1);
  assert.ok(!existsSync(join(at.dir, "back/none")));
}

test("cp: both ways, odd names, trees, modes, nothing half, nothing overwritten by mistake", { skip }, async (t) => {
  const one = await sshd(t, NOISY);
  const at = place(t);
  at.write("cluster.yaml", hostsFile(one.port));
  await copies(t, at, "127.0.0.1", true, { NEXADIST_SSH_CONFIG: one.config });
});

test("cp without tar on either side goes file by file", { skip }, async (t) => {
  const at = place(t);
  const bin = join(at.dir, "bin");
  mkdirSync(bin);
  for (const tool of ["sh", "cat", "dd", "wc", "mv", "rm", "mkdir", "chmod", "ln", "find", "tr", "printf", "test", "ssh"]) {
    const path = execFileSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim();
    if (path.startsWith("/")) symlinkSync(path, join(bin, tool));
  }
  const one = await sshd(t, { settings: [`ForceCommand PATH=${bin}; export PATH; eval "$SSH_ORIGINAL_COMMAND"`] });
  at.write("cluster.yaml", hostsFile(one.port));
  await copies(t, at, "127.0.0.1", false, { NEXADIST_SSH_CONFIG: one.config });
});

test("cp says what it cannot do", async (t) => {
  const at = place(t);
  for (const [args, words] of [
    [["a", "b"], /neither side names a host/],
    [["x:a", "y:b"], /one host/],
    [["a"], /needs a source and a target/],
    [["./a:b", "c"], /neither side names a host/],
    [["a", "x:b", "x:c"], /same side/],
  ] as const) {
    const said = await nexadist(t, at, ["cp", ...args]);
    assert.equal(said.code, 2, said.err);
    assert.match(said.err, words);
  }
  const off = at.write("ssh_config", "Host *\n  HostName 127.0.0.1\n  Port 1\n"); // nobody is there: what is wrong here is said first
  at.write("afile", "");
  for (const [args, words] of [
    [["nofile", "x:b"], /cannot read nofile: no such file or directory\n {2}try: /],
    [["--dry-run", "nofile", "x:b"], /cannot read nofile/],
    [["x:f", "none/dir/"], /: none is not a directory here/],
    [["x:f", "none/file"], /: none is not a directory here/],
    [["x:f", "x:g", "none/dir"], /: none is not a directory here/],
    [["x:f", "x:g", "afile"], /: afile is not a directory here/],
  ] as const) {
    const said = await nexadist(t, at, ["cp", ...args], { NEXADIST_SSH_CONFIG: off });
    assert.equal(said.code, 1, said.err);
    assert.match(said.err, words);
  }
  assert.ok(!existsSync(join(at.dir, "none")), "no directory was made");
});

test("exec --timeout: what takes too long is ended there, with all that it started, and said to be; exit 8", { skip }, async (t) => {
  const one = await sshd(t);
  const at = place(t);
  at.write("cluster.yaml", hostsFile(one.port));
  const env = { NEXADIST_SSH_CONFIG: one.config };
  const dir = remoteDir(t);
  for (const driver of ["ssh2", "ssh"]) {
    const pids = join(dir, `pids.${driver}`);
    const slow = `echo $$ > ${pids}; sleep 601 & echo $! >> ${pids}; echo begun; wait`;
    const said = await nexadist(t, at, ["exec", "--timeout", "1s", "--", "sh", "-c", slow], { ...env, NEXADIST_SSH: driver });
    assert.equal(said.code, 8, said.err);
    assert.match(said.out, /\| begun$/m);
    assert.match(said.err, /: ended by us: it took longer than 1\.0 s \(--timeout\)$/m);
    for (const pid of readFileSync(pids, "utf8").trim().split("\n")) assert.ok(!existsSync(`/proc/${pid}`) || isZombie(pid), `${driver}: ${pid} still runs`);
  }
  const own = await nexadist(t, at, ["exec", "--timeout", "60s", "--", "sh", "-c", "exit 124"], env);
  assert.deepEqual([own.code, /exit 124/.test(own.err)], [1, true], "a 124 of its own is no time-out");
  const odd = await nexadist(t, at, ["exec", "--timeout", "soon", "--", "true"], env);
  assert.equal(odd.code, 2);
  assert.match(odd.err, /--timeout takes a length of time, not soon/);
});

const isZombie = (pid: string): boolean => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
