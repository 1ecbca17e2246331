/** The lab: hosts that are real where it matters and leave nothing behind. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Lab, needsRoot, type Outcome, startLab } from "../support/lab.ts";

const REPO = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const hasTorch = existsSync(`${REPO}/.venv/pyvenv.cfg`);

test("closed streams are no traceback", async () => {
  const said = await execa("sh", ["-c", '"$0" list >&-; "$0" exec no-such-lab -- true >&-; "$0" list >&- 2>&-', `${REPO}/scripts/lab`], { reject: false });
  assert.doesNotMatch(said.stderr, /Traceback|Error/);
});

const ssh = (lab: Lab, target: string, command: string): Promise<Outcome> =>
  lab.exec(["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", target, command]);

async function sshOk(lab: Lab, target: string, command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await ssh(lab, target, command);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

/** Every process of a lab, by PID and start time: those that share a network namespace with a host of it or with its controller. */
async function processesOf(lab: Lab): Promise<string[]> {
  const own = new Set((await Promise.all(lab.hosts.map((host) => host.pid()))).map((pid) => namespaceOf(pid, "net")));
  own.add((await lab.exec(["readlink", "/proc/self/ns/net"])).stdout);
  return running().filter((process) => own.has(namespaceOf(Number(process.split(" ")[0]), "net")));
}

/** "PID START" of everything that runs on this machine; zombies are not running. */
function running(): string[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return fields[0] === "Z" || fields[0] === "X" ? [] : [`${name} ${fields[19]}`];
    } catch {
      return []; // it ended just now
    }
  });
}

test("hosts are reached by ssh as root and as an ordinary user, and share nothing with this machine", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { gpus: 4 });
  assert.equal(await sshOk(lab, "100.66.164.18", "id -un; hostname; pwd"), "root\ngpu-a\n/root");
  assert.equal(await sshOk(lab, "trainer@100.66.164.19", "id -u; hostname; pwd"), "2000\ngpu-b\n/home/trainer");
  assert.match(await sshOk(lab, "gpu-a", "getent hosts gpu-a"), /^127\.0\.1\.1\s/, "as Debian does");

  const top = REPO.split("/")[1] ?? "";
  const paths = [REPO, `/${top}`, process.execPath, lab.dir, lab.home, `${REPO}/.venv`].filter((path) => !["/tmp", "/root", "/home", "/opt"].includes(path));
  for (const path of paths) assert.notEqual((await lab.host("gpu-a").run(["test", "-e", path])).exitCode, 0, `${path} is visible in a host`);
  assert.notEqual((await lab.host("gpu-a").run(["grep", "-rqa", REPO, "/proc/1/cmdline", "/proc/1/environ"])).exitCode, 0, "PID 1 tells where it came from");
  assert.notEqual((await lab.host("gpu-a").run(["node", "--version"])).exitCode, 0, "node is on a host's PATH");

  assert.match(await sshOk(lab, "gpu-a", "ls -A /home/other"), /\.ssh/);
  assert.notEqual((await ssh(lab, "trainer@gpu-a", "ls /root /home/other")).exitCode, 0, "an ordinary user sees other homes");

  const [uuidsA, uuidsB] = await Promise.all(["gpu-a", "gpu-b"].map((host) => sshOk(lab, host, "nvidia-smi --query-gpu=uuid --format=csv,noheader")));
  assert.equal(new Set(`${uuidsA}\n${uuidsB}`.split("\n")).size, 8, "four GPUs each, all different");
  const ids = await Promise.all(["gpu-a", "gpu-b"].map((host) => sshOk(lab, host, "cat /etc/machine-id /proc/sys/kernel/random/boot_id")));
  assert.equal(new Set(ids.flatMap((text) => text.split("\n"))).size, 4, "ids are a host's own");

  await sshOk(lab, "gpu-a", "echo mine > /tmp/file; echo mine > /dev/shm/file; echo mine > /run/file");
  assert.equal(await sshOk(lab, "gpu-b", "ls /tmp /dev/shm /run | grep -c file || true"), "0");
});

test("a host has a Python with torch at a path of its own, and a plain one on PATH", { skip: needsRoot || (!hasTorch && "needs scripts/setup") }, async (t) => {
  const lab = await startLab(t, { hosts: 1 });
  const seen = await sshOk(lab, "trainer@gpu-a", "/opt/train/bin/python -c 'import torch, sys; print(torch.__version__, sys.executable)'");
  assert.match(seen, /^\d\S+ \/opt\/train\/bin\/python$/);
  assert.match(await sshOk(lab, "gpu-a", "head -1 /opt/train/bin/torchrun"), /^#!\/opt\/train\/bin\/python$/);
  assert.notEqual((await ssh(lab, "gpu-a", "python3 -c 'import torch'")).exitCode, 0);
  assert.equal(await sshOk(lab, "gpu-a", "python3 -c 'import sys; print(sys.version_info >= (3, 9))'"), "True");
});

test("cables, blocks, freezes and power act and can be undone", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t);
  const [a, b] = [lab.host("gpu-a"), lab.host("gpu-b")];
  const reaches = async (): Promise<boolean> => (await a.run(["timeout", "1", "bash", "-c", `: < /dev/tcp/${b.address}/22`])).exitCode === 0;
  assert.equal(await reaches(), true);

  await b.link("down");
  assert.equal(await reaches(), false);
  assert.equal((await ssh(lab, "gpu-b", "true")).exitCode, 255);
  await b.link("up");
  await until(reaches);

  await lab.block("gpu-a", "gpu-b", "oneway");
  assert.equal(await reaches(), false);
  await sshOk(lab, "gpu-b", "true");
  await lab.unblock("gpu-a", "gpu-b", "oneway");
  assert.equal(await reaches(), true);
  await lab.block("controller", "gpu-b");
  assert.equal((await ssh(lab, "gpu-b", "true")).exitCode, 255);
  assert.equal(await reaches(), true, "only the controller is cut off");
  await lab.unblock("controller", "gpu-b");

  await b.freeze();
  assert.equal((await ssh(lab, "gpu-b", "true")).exitCode, 255, "a frozen sshd sends no banner");
  await b.thaw();
  await sshOk(lab, "gpu-b", "true");

  const before = await sshOk(lab, "gpu-b", "echo kept > /root/kept; echo gone > /tmp/gone; sleep 600 > /dev/null 2>&1 & cat /proc/sys/kernel/random/boot_id");
  const pid = await b.pid();
  const own = running().filter((process) => namespaceOf(Number(process.split(" ")[0]), "pid") === namespaceOf(pid, "pid"));
  assert.ok(own.length >= 3, "PID 1, sshd and the sleep at least");
  await b.kill();
  assert.equal(await b.pid(), 0);
  assert.equal((await ssh(lab, "gpu-b", "true")).exitCode, 255);
  assert.deepEqual(intersection(own, running()), [], "these outlived their host");
  await sshOk(lab, "gpu-a", "true");
  await b.boot();
  assert.equal(await sshOk(lab, "gpu-b", "cat /root/kept; ls /tmp; pgrep sleep || true"), "kept");
  assert.notEqual(await sshOk(lab, "gpu-b", "cat /proc/sys/kernel/random/boot_id"), before);
});

test("down ends all that the lab made, and nothing else", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t);
  const other = await startLab(t, { hosts: 1 });
  await sshOk(lab, "gpu-a", "setsid sleep 600 > /dev/null 2>&1 &");
  // A daemon of the controller, in the lab's network; and one that forgot its environment.
  await lab.exec(["sh", "-c", "setsid sleep 601 > /dev/null 2>&1 & setsid env -i sleep 602 > /dev/null 2>&1 &"]);
  const own = await processesOf(lab);
  assert.ok(own.length >= 8, "keeper, two times PID 1 and sshd, three sleeps");
  assert.deepEqual(intersection(own, await processesOf(other)), []);
  await lab.cleanup();
  assert.deepEqual(intersection(own, running()), [], "these are left");
  assert.equal(existsSync(lab.dir), false);
  assert.equal(await sshOk(other, "gpu-a", "hostname"), "gpu-a", "the other lab, same addresses, is untouched");
  await other.cleanup();
  await lab.cleanup();
  assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(lab.dir));
  assert.doesNotMatch((await execa("ip", ["-br", "link"])).stdout, /^(lab0|cable\d)/m, "bridge and cables never were in this machine's network");
});

test("options act", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, {
    hosts: 4,
    options: {
      "gpu-a": { shell: "fish", noisy_bashrc: "1", tmp: "noexec", user: "ubuntu", homes: "/srv/people", max_sessions: "1" },
      "gpu-b": { home: "readonly", python: "none", shared_tmp: "x", shared_machine_id: "x", init: "noreap", interface: "ens5", shared_home: "nfs" },
      "gpu-c": { host_key: "changed", shared_tmp: "x", shared_machine_id: "x", shared_home: "nfs", node: "present" },
      "gpu-d": { disk: "1m", cgroup: "v2", key: "wrong", host_key: "unknown" },
    },
  });
  assert.equal(await sshOk(lab, "gpu-a", "pwd"), "/srv/people/ubuntu");
  assert.notEqual((await ssh(lab, "gpu-a", "cp /bin/true /tmp/true; and /tmp/true")).exitCode, 0, "fish, and nothing in /tmp runs");
  assert.notEqual((await ssh(lab, "gpu-b", "touch ~/x")).exitCode, 0);
  assert.notEqual((await ssh(lab, "gpu-b", "command -v python3")).exitCode, 0);
  assert.match(await sshOk(lab, "gpu-b", "ls /sys/class/net; touch /tmp/seen; sh -c 'sh -c \"sleep 0.05\" &'"), /ens5/);
  assert.match((await ssh(lab, "gpu-c", "true")).stderr, /IDENTIFICATION HAS CHANGED/);
  assert.match((await lab.host("gpu-c").run(["sh", "-c", "echo ours > /root/ours; ls /tmp; node --version"])).stdout, /^seen\nv2\d/);
  assert.equal(await sshOk(lab, "gpu-b", "cat /root/ours"), "ours");
  const zombies = "ps -o stat= --ppid 1 | grep -c Z || true";
  await until(async () => (await sshOk(lab, "gpu-b", zombies)) === "1"); // an orphan that ended stays where PID 1 does not reap
  assert.equal(await sshOk(lab, "gpu-a", zombies), "0");
  assert.match((await lab.host("gpu-d").run(["sh", "-c", "head -c 4000000 /dev/zero > /root/big"])).stderr, /No space left/);
  const cgroup = "mkdir /sys/fs/cgroup/mine; echo $$ > /sys/fs/cgroup/mine/cgroup.procs; cat /proc/self/cgroup";
  assert.match((await lab.host("gpu-d").run(["sh", "-c", cgroup])).stdout, /^0::\/mine$/m);
  assert.notEqual((await lab.host("gpu-c").run(["test", "-e", "/sys/fs/cgroup/cgroup.procs"])).exitCode, 0);
  const ids = await Promise.all(lab.hosts.map(async (host) => (await host.run(["cat", "/etc/machine-id"])).stdout));
  assert.equal(ids[1], ids[2]);
  assert.notEqual(ids[0], ids[1]);
  assert.match((await ssh(lab, "gpu-d", "true")).stderr, /verification failed/);
  const accepted = await lab.exec(["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "gpu-d", "true"]);
  assert.match(accepted.stderr, /Permission denied/);

  const name = lab.name;
  await lab.cleanup();
  const cgroups = /^\d+ \d+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1] ?? assert.fail("no cgroup2 here");
  assert.deepEqual(
    readdirSync(cgroups).filter((entry) => entry.startsWith(`nexadist-lab-${name}-`)),
    [],
  );

  for (const [option, words] of [
    ["gpu-a:shel=fish", /no option 'shel'/],
    ["gpu-x:shell=fish", /no such host/],
    ["gpu-a:libc=musl", /cannot be had/],
  ] as const) {
    const refused = await execa(`${REPO}/scripts/lab`, ["up", "--name", `t-${process.pid}-bad`, "--option", option], { reject: false });
    assert.equal(refused.exitCode, 5);
    assert.match(refused.stderr, words);
  }
});

test("without root: hosts on high ports of an ordinary user", { skip: needsRoot }, async (t) => {
  // An ordinary user is had for certain in a host of a lab: the lab's own files travel there.
  const host = (await startLab(t, { hosts: 1 })).host("gpu-a");
  const asTrainer = async (line: string, input?: Uint8Array): Promise<Outcome> => {
    const outcome = await host.run(["sh", "-c", line], { user: "trainer", ...(input === undefined ? {} : { input }) });
    assert.equal(outcome.exitCode, 0, outcome.stderr);
    return outcome;
  };
  const { stdout } = await execa("tar", ["-C", REPO, "-cf", "-", "scripts/lab", "scripts/lab.d"], { encoding: "buffer" });
  await asTrainer("tar xf -", stdout);
  const before = (await asTrainer("ls -A /tmp; ps -o args= -u trainer")).stdout;
  await asTrainer("scripts/lab up --name u --hosts 2 --unprivileged");
  const homes = await asTrainer(`for host in gpu-a gpu-b; do ssh -F "$(scripts/lab ssh-config u)" -o BatchMode=yes $host 'id -un; cd; pwd'; done`);
  const [user, homeA, , homeB] = homes.stdout.split("\n");
  assert.equal(user, "trainer");
  assert.notEqual(homeA, homeB, "a home each");
  await asTrainer("scripts/lab down u; scripts/lab down u; rmdir /tmp/nexadist-lab-2000");
  assert.equal((await asTrainer("ls -A /tmp; ps -o args= -u trainer")).stdout, before);
});

function namespaceOf(pid: number, kind: "net" | "pid"): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return "";
  }
}

const intersection = (some: readonly string[], others: readonly string[]): string[] => some.filter((one) => others.includes(one));

async function until(holds: () => Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) assert.ok(performance.now() < deadline, "not within its deadline");
}
