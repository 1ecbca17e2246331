/** The keys of recovery, to the spec: spares among the hosts, policy, detection, resuming, the seat. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DETECTION, RESTART, RESTART_OF_COMMANDS } from "../../../cluster/config/recovery.ts";
import { refused, resolved } from "./resolving.ts";

const AB = "cluster:\n  - host: a\n  - host: b\n";
const WITH_SPARES = `${AB}spares:\n  - host: s[1-2]\n    identity: keys/s\n    env: {A: "env:TOKEN"}\ndefaults: {user: me}\n`;
const names = (hosts: readonly { readonly name: string }[]): string[] => hosts.map(({ name }) => name);

test("spares come last, have the defaults and keys of their own, and are not counted as required", () => {
  const { spec, secrets } = resolved(WITH_SPARES, { environment: { TOKEN: "t" } });
  assert.deepEqual(names(spec.hosts), ["a", "b", "s1", "s2"]);
  assert.deepEqual(spec.spares, ["s1", "s2"]);
  assert.equal(spec.minHosts, 2);
  assert.deepEqual([spec.hosts[2]?.user, spec.hosts[2]?.identity, spec.hosts[0]?.identity], ["me", "/proj/conf/keys/s", undefined]);
  assert.deepEqual(secrets, { s1: { A: "t" }, s2: { A: "t" } });
  assert.match(refused(WITH_SPARES), /spares\[0\]\.env\.A: TOKEN is not set/);
});

test("--host and --exclude act on spares; some host of the cluster must be left", () => {
  const environment = { TOKEN: "t" };
  assert.deepEqual(resolved(WITH_SPARES, { environment, exclude: ["s1"] }).spec.spares, ["s2"]);
  const { spec } = resolved(WITH_SPARES, { environment, hosts: ["s2,a"] });
  assert.deepEqual([names(spec.hosts), spec.spares, spec.minHosts], [["a", "s2"], ["s2"], 1]);
  assert.match(refused(WITH_SPARES, { environment, hosts: ["s[1-2]"] }), /^--host:1:1: no host but spares is left/);
  assert.match(refused(`${WITH_SPARES}min_hosts: 2\n`, { environment, exclude: ["b"] }), /2 hosts are required.*leave 1/);
});

test("spares: one machine entered in both lists under two ports has two names", () => {
  const { spec } = resolved("cluster: [{host: h, port: 2201}]\nspares: [{host: h, port: 2202}]\n");
  assert.deepEqual([names(spec.hosts), spec.spares], [["h-2201", "h-2202"], ["h-2202"]]);
});

test("restart: what the file says over the defaults; a command is not started again by itself", () => {
  assert.deepEqual(resolved(AB).spec.restart, RESTART);
  assert.deepEqual(resolved(`${AB}backend: command\njob: {command: x}\n`).spec.restart, RESTART_OF_COMMANDS);
  assert.equal(resolved(`${AB}backend: command\njob: {command: x}\nrestart: {max: 2}\n`).spec.restart.max, 2);
  const given = "restart: {max: 0, backoff: 0s, on_host_loss: spare, on_hang: stop, stop_codes: [1, 2], retry_codes: [75]}\n";
  assert.deepEqual(resolved(`${AB}spares: [{host: s}]\n${given}`).spec.restart, {
    max: 0,
    backoffMs: 0,
    onHostLoss: "spare",
    onHang: "stop",
    stopCodes: [1, 2],
    retryCodes: [75],
  });
  assert.equal(resolved(AB, { set: ["restart.on_host_loss=shrink"], environment: { NEXADIST_RESTART_MAX: "7" } }).spec.restart.max, 7);
});

test("timeouts: detection, and lost never before unseen", () => {
  const of = (text: string) => {
    const { suspectMs, lostMs, hangMs, firstStepMs } = resolved(`${AB}timeouts: {${text}}\n`).spec.timeouts;
    return { suspectMs, lostMs, hangMs, firstStepMs };
  };
  assert.deepEqual(of("connect: 1s"), DETECTION);
  assert.deepEqual(of("hang: auto, first_step: auto"), DETECTION);
  assert.deepEqual(of("suspect: 2s, lost: 2s, hang: 20m, first_step: 1h"), { suspectMs: 2000, lostMs: 2000, hangMs: 1_200_000, firstStepMs: 3_600_000 });
  assert.deepEqual(of("suspect: 30s").lostMs, 30_000);
});

test("resume_args go with any program, typed ones included, and with nothing else", () => {
  const disk = { "/proj/train.py": "" };
  const job = (text: string, argv: readonly string[] = []) => resolved(`${AB}job: {${text}}\n`, { disk, argv }).spec.resumeArgs;
  assert.deepEqual(job("script: train.py, resume_args: [--resume, '{checkpoint}', 007]"), ["--resume", "{checkpoint}", "007"]);
  assert.deepEqual(job("module: m, resume_args: ['--from={checkpoint}/x']"), ["--from={checkpoint}/x"]);
  assert.deepEqual(job("resume_args: ['{checkpoint}']", ["train.py"]), ["{checkpoint}"]);
  assert.deepEqual(resolved(AB).spec.resumeArgs, []);
  assert.match(refused(`${AB}job: {resume_args: ['{checkpoint}']}\n`), /^conf\/c\.yaml:4:7: job\.resume_args: arguments of what\?/);
});

test("the seat is a host of the run, by the name that it has there", () => {
  const file = "cluster: [{host: h, port: 2201, address: 10.0.0.1}, {host: h, port: 2202, address: 10.0.0.2}]\ncontroller: {seat: 10.0.0.2}\n";
  assert.equal(resolved(file).spec.seat, "h-2202");
  assert.equal(resolved(`${AB}spares: [{host: s}]\ncontroller: {seat: s}\n`).spec.seat, "s");
  assert.equal(resolved(AB).spec.seat, null);
  assert.equal(resolved(`${AB}controller: {}\n`).spec.seat, null);
  assert.match(refused(`${AB}controller: {seat: b}\n`, { exclude: ["b"] }), /controller\.seat: b is not among the hosts.*leave/);
});

test("a person's own file holds the policy for every run, and no hosts", () => {
  assert.equal(resolved(AB, { user: "restart: {max: 9}\ntimeouts: {hang: 5m}\n" }).spec.restart.max, 9);
  assert.match(refused(AB, { user: "spares: [{host: s}]\n" }), /~\/config\.yaml:1:1: spares: belongs in a cluster file/);
  assert.match(refused(AB, { user: "controller: {seat: a}\n" }), /controller: belongs in a cluster file/);
});

test("config show has what acts, and whether anyone said so", () => {
  const { effective } = resolved(`${AB}backend: command\njob: {command: x}\nrestart: {on_hang: stop}\ntimeouts: {suspect: 20s}\n`);
  const rows = Object.fromEntries(effective.rows.map(({ key, value, origin }) => [key, [value, origin]]));
  assert.deepEqual(rows["restart.max"], [0, "default"]);
  assert.deepEqual(rows["restart.on_host_loss"], ["wait", "default"]);
  assert.deepEqual(rows["restart.on_hang"], ["stop", "conf/c.yaml:6:20"]);
  assert.deepEqual(rows["timeouts.lost"], ["20s", "default"]);
  assert.deepEqual(rows["timeouts.hang"], ["auto", "default"]);
});

test("step_pattern: a regular expression with groups that are known, and none that may take for ever", () => {
  const job = (pattern: string): string => `${AB}job: {script: train.py, step_pattern: '${pattern}'}\n`;
  const disk = { "/proj/train.py": "" };
  assert.equal(resolved(job("^S(?<step>\\d+) l=(?<loss>.*)"), { disk }).spec.stepPattern, "^S(?<step>\\d+) l=(?<loss>.*)");
  assert.equal(resolved(AB).spec.stepPattern, undefined);
  for (const [pattern, words] of [
    ["(?<step>", /no regular expression/],
    ["step (\\d+)", /it must have the group/],
    ["(?<stp>\\d+)", /no group is called stp: step, total/],
    ["(?<step>(\\d+)*)x", /repeats inside/],
  ] as const) {
    assert.match(refused(job(pattern), { disk }), words);
  }
});
