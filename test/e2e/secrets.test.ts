/** A secret of env_file reaches the ranks and nothing else: no artifact, journal, process list, error or disk, and after the run no memory either. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { controllerPid, openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { assertClean } from "../support/outcome.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";

/** Paths under `root` whose name or bytes hold the canary; what a file system makes up (sockets, FIFOs) is not opened. */
function holding(root: string, canary: string): string[] {
  const found: string[] = [];
  const look = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.name.includes(canary)) found.push(path);
      if (entry.isDirectory()) look(path);
      else if (entry.isFile() && readFileSync(path).includes(canary)) found.push(path);
    }
  };
  try {
    look(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return found;
}

/** Arguments and names of every process that /proc shows from here. */
const processList = (): string =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") + readFileSync(`/proc/${pid}/comm`, "utf8");
      } catch {
        return ""; // ended meanwhile
      }
    })
    .join("\n");

test("a canary in env_file", { skip: needsRoot }, async (t) => {
  const canary = `canary${randomBytes(12).toString("hex")}`;
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("secrets.env", `CANARY_TOKEN=${canary}\n`);
  seat.write(
    "job/wait.sh",
    'printf %s "$CANARY_TOKEN" | sha256sum; until test -e /tmp/finish; do sleep 0.1; done; test "$1" != fail || { echo broken >&2; exit 3; }\n',
  );
  seat.write(
    "c.yaml",
    `cluster: [{host: ${A}}, {host: ${B}}]\ndefaults: {gpus: 0, slots: 1, workdir: job, setup: "export DERIVED=x"}\nlauncher: direct\nenv_file: secrets.env\ntimeouts: {stop_grace: 2s}\n`,
  );
  const ours = [seat.stateDir, join(lab.home, ".cache")];

  /** On the hosts: on disk (all but tmpfs), or in tmpfs as well. */
  const onHosts = async (withMemory: boolean): Promise<string> => {
    const found = await Promise.all(
      lab.hosts.map(async (host) => {
        const { stdout } = await host.run([
          "sh",
          "-c",
          `grep -rlsF --devices=skip -e ${canary} /root /home /tmp /var /etc /run ${withMemory ? "/dev/shm" : ""}; true`,
        ]);
        const onDisk = await Promise.all(
          stdout
            .split("\n")
            .filter((path) => path !== "")
            .map(async (path) => {
              const fs = await host.run(["stat", "-f", "-c", "%T", path]);
              return withMemory || fs.stdout.trim() !== "tmpfs" ? `${host.name} ${path} (${fs.stdout.trim()})\n` : "";
            }),
        );
        return onDisk.join("");
      }),
    );
    return found.join("");
  };

  await t.test("the dry run says $CANARY_TOKEN and no value", async () => {
    const { code, out, err } = await seat.cli(["up", "c.yaml", "--dry-run", "--", "sh", "wait.sh"]);
    assert.equal(code, 0, err);
    assert.match(out, /CANARY_TOKEN/);
    assert.doesNotMatch(out + err, new RegExp(canary));
  });

  for (const how of ["ok", "fail"]) {
    await t.test(`during and after a run that ends ${how}`, async () => {
      for (const host of lab.hosts) await host.run(["rm", "-f", "/tmp/finish"]);
      const up = seat.start(["up", "c.yaml", "--", "sh", "wait.sh", how]);
      const digest = createHash("sha256").update(canary).digest("hex");
      await up.says(new RegExp(`r0 \\| ${digest}`));
      await up.says(new RegExp(`r1 \\| ${digest}`));
      const run = seat.latest();
      await seat.wait(run, "running", (_, state) => state.phase === "running");

      assert.doesNotMatch(processList(), new RegExp(canary));
      assert.equal(await onHosts(false), "", "on a host's disk during the run");
      for (const dir of ours) assert.deepEqual(holding(dir, canary), [], "at the controller during the run");
      for (const args of [
        ["--json", "status", run],
        ["--json", "logs", run],
        ["config", "show", "-c", "c.yaml"],
        ["--json", "runs"],
      ]) {
        const { out, err } = await seat.cli(args);
        assert.doesNotMatch(out + err, new RegExp(canary), args.join(" "));
      }

      for (const host of lab.hosts) await host.run(["touch", "/tmp/finish"]);
      const { code, out, err } = await up.done;
      assert.equal(code, how === "ok" ? 0 : 1, err);
      assert.doesNotMatch(out + err, new RegExp(canary));
      const state = await seat.ended(run);
      if (how === "ok") assertClean(state);
      for (const dir of ours) assert.deepEqual(holding(dir, canary), [], "at the controller after the run");
      await until("nowhere on the hosts", async () => (await onHosts(true)) === "", 15_000);
      await until("nowhere in the controller's memory files", () => holding(`/dev/shm/nexadist-${process.getuid?.() ?? 0}`, canary).length === 0, 15_000);
    });
  }

  await t.test("an error before the ranks says no value either, and forgets", async () => {
    const { code, out, err } = await seat.cli([
      "--json",
      "up",
      "c.yaml",
      "--set",
      "defaults.python=/nowhere/python",
      "--set",
      "launcher=torchrun",
      "--",
      "wait.py",
    ]);
    assert.notEqual(code, 0);
    assert.doesNotMatch(out + err, new RegExp(canary));
    await until("nowhere on the hosts", async () => (await onHosts(true)) === "", 15_000);
  });

  await t.test("a controller that was killed leaves none on disk, and the next forgets what was in memory", async () => {
    for (const host of lab.hosts) await host.run(["rm", "-f", "/tmp/finish"]);
    const run = await seat.up(["c.yaml", "--", "sh", "wait.sh", "ok"]);
    await seat.wait(run, "running", (_, state) => state.phase === "running");
    process.kill((await controllerPid(seat.stateDir)) ?? 0, "SIGKILL");
    for (const dir of ours) assert.deepEqual(holding(dir, canary), []);
    assert.equal((await seat.cli(["stop", run])).code, 0);
    await until("nowhere on the hosts", async () => (await onHosts(true)) === "", 15_000);
    await until("nowhere here", () => holding(`/dev/shm/nexadist-${process.getuid?.() ?? 0}`, canary).length === 0, 15_000);
  });
});
