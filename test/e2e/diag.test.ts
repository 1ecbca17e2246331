/** `diag` on real hosts, each broken in its own way: exactly its finding appears and no other; hosts without a fault give none. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { openSeat, type Said, type Seat } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";

type Found = { readonly id: string; readonly status: string; readonly host: string; readonly observed: string; readonly fix: string; readonly verify: string };
type Diagnosis = { readonly isReady: boolean; readonly results: readonly Found[] };

/** Load and old kills for want of memory are this machine's, which all hosts share, and true: no fault of a test's. */
const OF_MACHINE = ["--skip", "sys.load,sys.oom,sys.hung,sys.memory,disk.fs_errors,sys.swap"];

const TORCH_ON = "/opt/train";

const file = (lab: Lab, hosts: readonly string[], more: Readonly<Record<string, string>> = {}, end = ""): string =>
  `cluster:\n${hosts.map((name) => `  - {host: ${name}, address: ${lab.host(name).address}, gpus: 0, slots: 2, python: ${more[name] ?? TORCH_ON}}\n`).join("")}${end}`;

async function diagnose(seat: Seat, ...words: string[]): Promise<Diagnosis & { readonly code: number | null }> {
  const said: Said = await seat.cli(["diag", "c.yaml", "--json", ...OF_MACHINE, ...words]);
  assert.ok(said.out.startsWith("{"), said.out + said.err);
  return { ...(JSON.parse(said.out) as Diagnosis), code: said.code };
}

const isBad = ({ status }: Found): boolean => status === "warn" || status === "fail" || status === "error";
const badOf = ({ results }: Diagnosis, host: string): readonly string[] =>
  results.filter((result) => result.host === host && isBad(result)).map(({ id, status }) => `${id} ${status}`);

/** In a host, as root. */
async function onHost(lab: Lab, name: string, script: string): Promise<void> {
  const { exitCode, stderr } = await lab.host(name).run(["sh", "-c", script]);
  assert.equal(exitCode, 0, stderr);
}

/** Before the line that ends it for sessions without a terminal. */
const inBashrc = (lab: Lab, name: string, line: string): Promise<void> => onHost(lab, name, `sed -i '1i ${line}' /root/.bashrc`);

/** A second environment whose torch is another one, as its files tell. */
async function otherTorch(lab: Lab, name: string, version: string): Promise<void> {
  await onHost(
    lab,
    name,
    `/usr/bin/python3 -m venv --without-pip /root/other && cd /root/other/lib/python3*/site-packages && mkdir torch torch-${version}.dist-info &&
     echo "__version__ = '${version}'" > torch/version.py && echo "cuda = None" >> torch/version.py &&
     printf '%s\\n' 'from . import version' 'from .version import __version__' 'class cuda:' '  is_available = staticmethod(lambda: False)' '  device_count = staticmethod(lambda: 0)' > torch/__init__.py &&
     printf 'Metadata-Version: 2.1\\nName: torch\\nVersion: ${version}\\n' > torch-${version}.dist-info/METADATA`,
  );
}

async function wrongClock(lab: Lab, name: string, seconds: number): Promise<void> {
  const source = fileURLToPath(new URL("../support/wrong-clock.c", import.meta.url));
  const library = join(lab.host(name).disk, "homes/root/wrong-clock.so");
  await execa("cc", ["-shared", "-fPIC", "-o", library, source]);
  await inBashrc(lab, name, `export LD_PRELOAD=/root/wrong-clock.so CLOCK_OFFSET_S=${seconds}`);
}

test("a healthy cluster is READY and gives no finding; the text fits 80 columns", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 3, gpus: 0 });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", file(lab, ["gpu-a", "gpu-b", "gpu-c"], {}, "paths: {scratch: /root}\n"));
  const found = await diagnose(seat);
  assert.deepEqual(found.results.filter(isBad), []);
  assert.deepEqual([found.isReady, found.code], [true, 0]);
  const text = await seat.cli(["diag", "c.yaml", ...OF_MACHINE, "--only", "access,time"]);
  assert.match(text.out, /^READY \(3 hosts, \d+ checks, \d+\.\d s\): no finding\n/);
  for (const line of text.out.split("\n")) assert.ok(line.length <= 80, line);
  assert.doesNotMatch(text.out, new RegExp(String.fromCharCode(27)));
  for (const host of lab.hosts) {
    const { stdout } = await host.run(["sh", "-c", "ls -A /root /tmp /var/tmp; pgrep -fc nexadist"]);
    assert.doesNotMatch(stdout, /nexadist|\.local/, "a look leaves nothing there");
  }

  await t.test("a baseline tells what changed; a line of JSON for each result; strict; a bundle without secrets", async () => {
    seat.write("secrets.env", "HF_TOKEN=hf_thisisasecretvalue123\n");
    seat.write("c.yaml", file(lab, ["gpu-a", "gpu-b", "gpu-c"], {}, "paths: {scratch: /root}\nenv_file: secrets.env\n"));
    const quick = [...OF_MACHINE, "--skip", "network"];
    assert.equal((await seat.cli(["diag", "c.yaml", ...quick, "--save-baseline", "good.json"])).code, 0);
    await onHost(lab, "gpu-b", "touch /run/reboot-required");
    await inBashrc(lab, "gpu-c", "echo hello");
    const later = await seat.cli(["diag", "c.yaml", ...quick, "--baseline", "good.json", "--bundle", "b.tar", "--strict"]);
    assert.equal(later.code, 5, "strict");
    const [, changed = ""] = later.out.split(/\nchanged since .*\n/);
    assert.deepEqual(
      changed
        .trim()
        .split("\n")
        .map((line) => line.trim())
        .sort(),
      ["gpu-b  sys.reboot_required: pass -> warn", "gpu-c  ssh.clean_shell: pass -> warn"],
    );
    const bundle = readFileSync(join(seat.dir, "b.tar"), "utf8");
    assert.match(bundle, /nexadist-diag\/hosts\/1-gpu-b\/facts\.json/);
    assert.doesNotMatch(bundle, /thisisasecretvalue/);
    const lines = (await seat.cli(["diag", "c.yaml", ...quick, "--jsonl"])).out.trim().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as { schema: number; id?: string; verdict?: { isReady: boolean } });
    assert.ok(parsed.length > 100 && parsed.every(({ schema }) => schema === 1));
    assert.equal(parsed.at(-1)?.verdict?.isReady, true);
    assert.ok(parsed.slice(0, -1).every(({ id }) => id !== undefined));
  });

  await t.test("--fix does what is the user's own after a question, and it can be undone", async () => {
    const asked = await seat.cli(["diag", "c.yaml", "--only", "ssh.clean_shell", "--fix"]);
    assert.match(asked.err, /not done: there is nobody to ask/);
    const done = await seat.cli(["diag", "c.yaml", "--only", "ssh.clean_shell", "--fix", "--yes"]);
    assert.match(done.err, /gpu-c: done/);
    assert.match(done.out, /no finding\n/);
    await onHost(lab, "gpu-c", "mv /root/.bashrc.before-nexadist /root/.bashrc");
    assert.match((await seat.cli(["diag", "c.yaml", "--only", "ssh.clean_shell"])).out, /WARN gpu-c: what login files print: /);
  });

  await t.test("after a failed run the hosts are looked at by themselves, and the one at fault is named", async () => {
    await onHost(lab, "gpu-b", "rm /run/reboot-required");
    seat.write("job.yaml", `${file(lab, ["gpu-a", "gpu-b"])}backend: command\nrestart: {max: 0}\n`);
    const job = "if [ $(hostname) = gpu-b ]; then sed -i '1i ulimit -n 256' ~/.bashrc; exit 3; fi; sleep 600";
    const said = await seat.cli(["up", "job.yaml", "--", "sh", "-c", job]);
    assert.equal(said.code, 1, said.out + said.err);
    assert.match(said.err, /^FAIL gpu-b: the limit of open files: .*\n?.*\[sys\.nofile\]$/m);
    assert.equal(said.err.match(/^FAIL /gm)?.length, 1, said.err);
  });

  await t.test("code that is not sent is compared: the host with another script and another lock is named", async () => {
    seat.write("place.yaml", `${file(lab, ["gpu-a", "gpu-b", "gpu-c"])}job: {script: train.py}\ndefaults: {workdir: /root/job}\n`);
    await Promise.all(
      lab.hosts.map(({ name }) => onHost(lab, name, `mkdir -p /root/job && cd /root/job && echo ${name === "gpu-c" ? 2 : 1} | tee train.py > uv.lock`)),
    );
    const { out } = await seat.cli(["diag", "place.yaml", "--no-sync", "--only", "ver.code,ver.lock", "--json"]);
    const { results } = JSON.parse(out) as Diagnosis;
    assert.deepEqual(results.filter(isBad).map(({ id, host, status }) => [id, host, status]), [["ver.code", "gpu-c", "fail"], ["ver.lock", "gpu-c", "warn"]]); // biome-ignore format: one line
  });

  await t.test("a name that is no check or file is told before anything is looked at", async () => {
    for (const words of [
      ["--only", "gpuu"],
      ["--baseline", "none.json"],
    ])
      assert.equal((await seat.cli(["diag", "c.yaml", ...words])).code, 2);
  });
});

test("hosts broken in their own ways: each has exactly its finding", { skip: needsRoot }, async (t: TestContext) => {
  const lab = await startLab(t, {
    hosts: 14,
    gpus: 0,
    options: {
      "gpu-c": { noisy_bashrc: "1" },
      "gpu-e": { key: "wrong" },
      "gpu-f": { host_key: "changed" },
      "gpu-g": { python: "none" },
      "gpu-h": { force_command: "/bin/false" },
      "gpu-i": { home: "readonly" },
      "gpu-j": { disk: "64m" },
    },
  });
  const seat = openSeat(t, lab);
  const names = lab.hosts.map(({ name }) => name);
  seat.write(
    "c.yaml",
    file(
      lab,
      names,
      { "gpu-c": "/root/other", "gpu-k": "/root/other", "gpu-l": "/usr/bin/python3", "gpu-m": "/opt/nowhere" },
      "paths: {scratch: /mnt/scratch, shared: /mnt/shared}\n",
    ),
  );
  // As torch itself has it, with the CUDA it is built for.
  const { stdout: torch } = await lab
    .host("gpu-a")
    .run(["sh", "-c", "sed -n \"s/^__version__ = '\\(.*\\)'/\\1/p\" /opt/train/lib/python3*/site-packages/torch/version.py"]);
  assert.match(torch, /^2\.\S+$/);
  await Promise.all([
    ...names
      .filter((name) => name !== "gpu-m" && name !== "gpu-n")
      .map((name) => onHost(lab, name, "mkdir -p /mnt/scratch && mount -t tmpfs -o size=22g,nr_inodes=100k scratch /mnt/scratch")),
    ...names.map((name) => onHost(lab, name, `mkdir -p /mnt/shared && mount -t tmpfs -o size=22g ${name === "gpu-k" ? "other" : "nas"} /mnt/shared`)),
    otherTorch(lab, "gpu-c", torch).then(() => onHost(lab, "gpu-c", "mount -o remount,ro /tmp")),
    onHost(lab, "gpu-j", "head -c 64m /dev/zero > /root/full 2>/dev/null; true"),
    otherTorch(lab, "gpu-k", "2.4.0"),
    onHost(
      lab,
      "gpu-n",
      "mkdir -p /mnt/scratch && mount -t tmpfs -o size=22g,nr_inodes=20 scratch /mnt/scratch && mount -o remount,size=64m /dev/shm && touch /run/reboot-required",
    ),
    onHost(lab, "gpu-m", "mkdir -p /mnt/scratch && mount -t tmpfs -o ro,size=22g scratch /mnt/scratch"),
    inBashrc(lab, "gpu-n", "ulimit -n 256 -u 900; export CUDA_LAUNCH_BLOCKING=1"),
    wrongClock(lab, "gpu-b", 90),
  ]);
  await lab.host("gpu-d").kill();
  const found = await diagnose(seat, "--skip", "network,ver.python,ver.transformers"); // whether those differ is up to this machine

  const expected: Readonly<Record<string, readonly string[]>> = {
    "gpu-a": [],
    "gpu-b": ["time.skew fail"],
    "gpu-c": ["disk.write fail", "ssh.clean_shell warn", "ver.accelerate warn", "ver.cuda warn"],
    "gpu-d": ["ssh.reachable fail"],
    "gpu-e": ["ssh.auth fail"],
    "gpu-f": ["ssh.hostkey fail"],
    "gpu-g": ["host.python fail"],
    "gpu-h": ["ssh.session fail"],
    "gpu-i": ["host.state warn"],
    "gpu-j": ["disk.space fail"],
    "gpu-k": ["disk.shared fail", "ver.torch fail"],
    "gpu-l": ["torch.present fail"],
    "gpu-m": ["disk.mount fail", "python.present fail"],
    "gpu-n": ["disk.inodes fail", "env.spoilers warn", "sys.nofile fail", "sys.nproc fail", "sys.reboot_required warn", "sys.shm warn"],
  };
  for (const [host, bad] of Object.entries(expected)) {
    await t.test(`${host}: ${bad.join(", ") || "none"}`, () => {
      assert.deepEqual(
        [...badOf(found, host)].sort(),
        [...bad].sort(),
        JSON.stringify(
          found.results.filter((result) => result.host === host && isBad(result)),
          null,
          1,
        ),
      );
    });
  }
  await t.test("it is not ready, says so by its exit status, and every finding has a cure without holes", () => {
    assert.deepEqual([found.isReady, found.code], [false, 5]);
    for (const { id, fix, verify } of found.results.filter(isBad)) {
      assert.ok(fix !== "" && verify !== "", id);
      assert.doesNotMatch(fix + verify, /[{}]|undefined|<\w+>/, `${id}: ${fix}`);
    }
    const skipped = found.results.filter(({ host }) => host === "gpu-d");
    assert.equal(skipped.filter(({ status }) => status === "fail").length, 1, "one red line for a host that is off");
    assert.ok(
      skipped.every(({ status }) => status !== "pass"),
      "and nothing green",
    );
  });
});
