/** Hosts as they are found: every quirk in one run, over both SSH drivers; and each kind of host that cannot be one, named with cause and cure. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hostsOf } from "../../cluster/run/state.ts";
import { openSeat } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { entries } from "../support/lab-cluster.ts";
import { assertClean } from "../support/outcome.ts";
import { listeners } from "../support/traces.ts";

/** Host → what is odd about it; and who logs in there, when not root. */
const ODD = {
  "gpu-a": { noisy_bashrc: "1" },
  "gpu-b": { shell: "fish" },
  "gpu-c": { shell: "csh" },
  "gpu-d": { max_sessions: "1" },
  "gpu-e": { stream_local: "no", max_sessions: "1" },
  "gpu-f": { tcp_forwarding: "no" },
  "gpu-g": { tmp: "noexec" },
  "gpu-h": { init: "noreap" },
  "gpu-i": { node: "present" },
  "gpu-j": { shared_home: "nfs" },
  "gpu-k": { shared_home: "nfs" },
  "gpu-l": { shared_tmp: "c", shared_machine_id: "c" },
  "gpu-m": { shared_tmp: "c", shared_machine_id: "c" },
  "gpu-n": { user: "trudy", homes: "/data/people", train: "/data/conda", interface: "enp5s0" },
  "gpu-o": { max_startups: "1:100:2" },
  "gpu-p": { home: "readonly" },
  "gpu-q": { user: "trudy", shell: "fish", noisy_bashrc: "1" },
} as const;

test("any bare host comes up, over either driver, uploads once, and shows no TCP port", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 17, gpus: 0, options: ODD });
  const seat = openSeat(t, lab);
  const users = { "gpu-n": "trudy", "gpu-q": "trudy" };
  seat.write("c.yaml", `cluster:\n${entries(lab, Object.keys(ODD), users)}backend: command\n`);
  const before = await listeners(lab);
  const job = ["c.yaml", "--", "sh", "-c", 'echo "I am $(hostname) $(id -un) $HOME"'];

  await t.test("ssh2, from nothing", async () => {
    const { code, out, err } = await seat.cli(["up", ...job]);
    assert.equal(code, 0, `${out}\n${err}`);
    const state = await seat.ended(seat.latest());
    assertClean(state);
    for (const { name, driver } of hostsOf(state)) {
      assert.equal(driver, "ssh2", name);
      const rank = Object.values(state.ranks).find((r) => r.host === name)?.rank;
      assert.match(seat.log(seat.latest(), name, `rank${rank}.out`), new RegExp(`^I am ${name} ${name in users ? "trudy" : "root"} `));
    }
    assert.match(err, /gpu-a: uploading node/);
    assert.doesNotMatch(err, /gpu-i: uploading node/, "a host with a Node needs none of ours");
  });

  await t.test("ssh, the second time: nothing is uploaded", async () => {
    await seat.quit(); // or its warm links would be taken
    const { code, out, err } = await seat.cli(["up", ...job], { env: { NEXADIST_SSH: "ssh" } });
    assert.equal(code, 0, `${out}\n${err}`);
    assert.doesNotMatch(err, /uploading/);
    const state = await seat.ended(seat.latest());
    assertClean(state);
    for (const { name, driver } of hostsOf(state)) assert.equal(driver, "ssh", name);
  });

  await t.test("while a job runs, nothing of ours listens on TCP, on a host or here", async () => {
    const run = await seat.up(["c.yaml", "--", "sleep", "600"]);
    await seat.wait(run, "running", (_, state) => state.phase === "running");
    assert.deepEqual(await listeners(lab), before);
    await seat.cli(["stop", "--now", run]);
    assert.equal((await seat.ended(run)).phase, "stopped");
  });

  await t.test("one host under two names is refused with both", async () => {
    seat.write(
      "twice.yaml",
      `cluster: [{host: gpu-a, address: ${lab.host("gpu-a").address}, gpus: 0, slots: 1}, {host: ${lab.host("gpu-a").address}, gpus: 0, slots: 1}]\nbackend: command\n`,
    );
    const { code, out } = await seat.cli(["up", "twice.yaml", "--", "true"]);
    assert.equal(code, 3, out);
    assert.match(out, /gpu-a and 100\.66\.164\.18 are the same host: one agent answers both/);
    assert.match(out, /remove one of the two entries/);
    assert.equal((await seat.ended(seat.latest())).attempt, 0, "ranks were started");
  });
});

/** Host → what is wrong with it, what is said, and the cure. */
const BAD: readonly { readonly option: Record<string, string>; readonly said: RegExp; readonly cure: RegExp }[] = [
  { option: { force_command: "echo go away" }, said: /did not run what it was asked to; it said: go away/, cure: /ForceCommand/ },
  { option: { python: "none" }, said: /no Python 3\.9 or newer/, cure: /apt install python3/ },
  { option: { disk: "20m" }, said: /no space left/, cure: /df -h/ },
  { option: { key: "wrong" }, said: /refused user root.*tried:/, cure: /ssh-copy-id -p 22 root@/ },
  { option: { host_key: "unknown" }, said: /not known: ssh-ed25519 SHA256:/, cure: /--accept-new-host-keys/ },
  { option: { host_key: "changed" }, said: /HOST KEY CHANGED: .* shows ssh-ed25519 SHA256:.*known_hosts:\d+ holds another key/, cure: /ssh-keygen -R/ },
  { option: { banner_stall: "1" }, said: /accepts connections but sends no SSH banner/, cure: /is it sshd that listens there/ },
];

for (const driver of ["ssh2", "ssh"] as const) {
  test(`a host that cannot be one is named with cause and cure, and exit is 4 (${driver})`, { skip: needsRoot }, async (t) => {
    const names = BAD.map((_, k) => `gpu-${String.fromCharCode(97 + k)}`);
    const lab = await startLab(t, { hosts: BAD.length + 1, gpus: 0, options: Object.fromEntries(names.map((name, k) => [name, BAD[k]?.option ?? {}])) });
    const seat = openSeat(t, lab);
    const env = { NEXADIST_SSH: driver };
    const good = `gpu-${String.fromCharCode(97 + BAD.length)}`;
    seat.write("c.yaml", `cluster:\n${entries(lab, [...names, good])}backend: command\ntimeouts: {connect: 5s}\n`);
    const { code, out, err } = await seat.cli(["up", "c.yaml", "--", "true"], { env });
    assert.equal(code, 4, `${out}\n${err}`);
    const state = await seat.ended(seat.latest());
    assert.equal(state.attempt, 0);
    assert.match(out, new RegExp(`1 of ${BAD.length + 1} hosts are ready`));
    for (const [k, { said, cure }] of BAD.entries()) {
      const name = names[k] ?? "";
      const line = err.split("\n").find((text) => text.startsWith(`${name}: not reached: `)) ?? err;
      assert.match(line, said);
      assert.match(out.split("\n").find((text) => text.trim().startsWith(`${name}: `)) ?? out, cure);
    }
    const left = await lab.host("gpu-c").run(["find", "/root/.local", "(", "-name", ".tmp-*", "-o", "-name", "node", "-type", "f", ")"]);
    assert.equal(left.stdout, "", "a failed upload left its parts");

    await t.test("the unknown key is accepted on demand, the changed one never", async () => {
      seat.write("two.yaml", `cluster:\n${entries(lab, ["gpu-e", "gpu-f"])}min_hosts: 1\nbackend: command\ntimeouts: {connect: 5s}\n`);
      const accepted = await seat.cli(["up", "two.yaml", "--accept-new-host-keys", "--", "true"], { env });
      assert.equal(accepted.code, 0, `${accepted.out}\n${accepted.err}`);
      assert.match(accepted.err, /gpu-e: .*SHA256:/, "the fingerprint is shown");
      assert.match(accepted.err, /gpu-f: not reached: HOST KEY CHANGED/);
      const again = await seat.cli(["hosts", "two.yaml", "--host", "gpu-e"], { env });
      assert.equal(again.code, 0, again.err);
    });
  });
}
