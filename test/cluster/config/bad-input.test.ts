/** Every kind of wrong cluster file: which line and column is named, in which words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClusterText } from "../../../cluster/config/parse.ts";
import { formatProblem } from "../../../cluster/config/problem.ts";

type Case = readonly [what: string, text: string, place: string, words: RegExp];

const host = (line: string): string => `cluster:\n  - host: ${line}\n`;
const one = "cluster:\n  - host: a\n";

const CASES: readonly Case[] = [
  ["option as host", host('"-oProxyCommand=id"'), "2:11", /starts with `-`/],
  ["shell in host", host('"a;b"'), "2:11", /is not a host name/],
  ["space in host", host('"a b"'), "2:11", /holds a space/],
  ["NUL in host", host('"a\\0b"'), "2:11", /NUL/],
  ["newline in host", host('"a\\nb"'), "2:11", /control character or a line break/],
  ["300 characters", host("a".repeat(300)), "2:11", /longer than 253/],
  ["IDN", host("höst"), "2:11", /xn--/],
  ["IPv6 zone", host("fe80::1%eth0"), "2:11", /zone/],
  ["IPv6 brackets", host('"[fe80::1]"'), "2:11", /without them/],
  ["user in host", host("root@a"), "2:11", /user:/],
  ["port in host", host("a:22"), "2:11", /port:/],
  ["bad IPv4", host("300.1.1.1"), "2:11", /IPv4/],
  ["user with shell", `${one}    user: $(id)\n`, "3:11", /is not a user name/],
  ["user with option", `${one}    user: root -l x\n`, "3:11", /is not a user name/],
  ["env key with =", `${one}env:\n  A=B: x\n`, "4:3", /not a variable name/],
  ["shell function", `${one}env:\n  BASH_FUNC_x%%: y\n`, "4:3", /shell function/],
  ["variable of ours", `${one}env: {RANK: 3}\n`, "3:7", /set by nexadist/],
  ["huge value", `${one}env:\n  A: ${"x".repeat(140_000)}\n`, "1:1", /128 KiB/],
  ["list as variable", `${one}env: {A: [1]}\n`, "3:10", /expected text/],
  ["empty file", "", "1:1", /expected a map of keys/],
  ["a list", "- a\n", "1:1", /expected a map of keys/],
  ["no cluster", "name: x\n", "1:1", /`cluster` is missing/],
  ["no hosts", "cluster: []\n", "1:10", /at least one host/],
  ["entry is a word", "cluster:\n  - gpu1\n", "2:5", /expected a host/],
  ["typo", "clutser: x\n", "1:1", /unknown key/],
  ["typo in entry", `${one}    gpu: 4\n`, "3:5", /unknown key/],
  ["later key", `${one}elastic: 1\n`, "3:1", /not there yet/],
  ["later time-out", `${one}timeouts: {progress: 3s}\n`, "3:12", /not there yet/],
  ["later job key", `${one}job: {script: a.py, eval: []}\n`, "3:21", /not there yet/],
  ["a number of spares", `${one}spares: 1\n`, "3:9", /expected a list of hosts/],
  ["spare is a word", `${one}spares: [b]\n`, "3:10", /expected a host/],
  ["typo in a spare", `${one}spares: [{host: b, gpu: 4}]\n`, "3:20", /did you mean `gpus`/],
  ["host and spare", `${one}spares: [{host: b}, {host: a}]\n`, "3:28", /a is here already, at cluster\.yaml:2:11/],
  ["1025 hosts with spares", `${one}spares: [{host: "s[1-1024]"}]\n`, "3:17", /more than 1024 hosts/],
  ["rendezvous on a spare", `${one}spares: [{host: b}]\nrdzv: b\n`, "4:7", /b is a spare.*\n[\s\S]*name one of: a/],
  ["spares required", `${one}spares: [{host: b}]\nmin_hosts: 2\n`, "4:12", /there is 1 host/],
  ["local spare with a user", `${one}spares: [{host: b, transport: local, user: x}]\n`, "3:38", /no SSH/],
  ["too many restarts", `${one}restart: {max: 1001}\n`, "3:16", /0 to 1000/],
  ["restarts as a number", `${one}restart: 3\n`, "3:10", /expected a map with max/],
  ["backoff", `${one}restart: {backoff: soon}\n`, "3:20", /expected a duration/],
  ["no such policy", `${one}restart: {on_host_loss: replace}\n`, "3:25", /expected one of wait, spare, shrink, fail/],
  ["no such policy for hangs", `${one}restart: {on_hang: kill}\n`, "3:20", /expected one of report, restart, stop/],
  ["spare without spares", `${one}restart: {on_host_loss: spare}\n`, "3:25", /no spare host to take[\s\S]*spares: \[/],
  ["code 0", `${one}restart: {stop_codes: [0]}\n`, "3:24", /1 to 255/],
  ["code 256", `${one}restart: {retry_codes: [3, 256]}\n`, "3:28", /1 to 255/],
  ["code as a word", `${one}restart: {stop_codes: 3}\n`, "3:23", /expected exit codes/],
  ["code twice", `${one}restart: {stop_codes: [3, 3]}\n`, "3:23", /twice/],
  ["code that stops and retries", `${one}restart: {stop_codes: [3], retry_codes: [4, 3]}\n`, "3:45", /3 is among stop_codes/],
  ["suspected at once", `${one}timeouts: {suspect: 1s}\n`, "3:21", /2s or more/],
  ["lost before it is unseen", `${one}timeouts: {suspect: 8s, lost: 7s}\n`, "3:31", /shorter than timeouts\.suspect \(8s\)/],
  ["lost before the default", `${one}timeouts: {lost: 3s}\n`, "3:18", /suspect \(6s, its default\)/],
  ["hang as a word", `${one}timeouts: {hang: never}\n`, "3:18", /expected a duration/],
  ["first step of no time", `${one}timeouts: {first_step: 0}\n`, "3:24", /longer than 0/],
  ["no resume_args", `${one}job: {script: a.py, resume_args: []}\n`, "3:34", /at least one word/],
  ["resume_args as a line", `${one}job: {script: a.py, resume_args: --resume x}\n`, "3:34", /expected a list of words/],
  ["resume_args without the checkpoint", `${one}job: {script: a.py, resume_args: [--resume, x]}\n`, "3:34", /must hold \{checkpoint\}/],
  ["seat elsewhere", `${one}controller: {seat: b}\n`, "3:20", /b is none of the hosts/],
  ["seat as a word", `${one}controller: a\n`, "3:13", /expected a map with `seat`/],
  ["tab", "cluster:\n\t- host: a\n", "2:1", /tab/],
  ["duplicate key", `${one}name: a\nname: b\n`, "4:1", /twice/],
  ["merge key", `x: &x {gpus: 1}\ncluster:\n  - <<: *x\n    host: a\n`, "3:5", /merge keys/],
  ["__proto__", `${one}__proto__: {a: 1}\n`, "3:1", /cannot be a key/],
  ["__proto__ below", `${one}env: {__proto__: x}\n`, "3:7", /cannot be a key/],
  ["constructor", `${one}constructor: 1\n`, "3:1", /cannot be a key/],
  ["unknown tag", "cluster: !!python/object:os.system [a]\n", "1:36", /tags/],
  ["binary", `${one}name: !!binary aGk=\n`, "3:16", /tags/],
  ["two documents", `${one}---\nname: b\n`, "3:1", /second document/],
  ["YAML 1.1", `%YAML 1.1\n---\n${one}`, "1:1", /not supported/],
  ["unclosed", "cluster: [a, b\n", "1:14", /\[ is still open here: \] is missing/],
  ["unclosed, with empty lines behind", "cluster:\n  - {host: a,\n     gpus: 1\n\n\n", "3:12", /\{ is still open here: \} is missing/],
  ["unclosed before the next entry", "cluster:\n  - {host: a\n  - {host: b}\n", "3:3", /is missing/],
  ["unclosed quote", `${one}name: 'x\n\n`, "3:8", /quote/],
  ["missing anchor", "cluster: *nope\n", "1:10", /no anchor/],
  ["holds itself", "cluster: &a [*a]\n", "1:14", /holds itself/],
  ["leading zero", `${one}    gpus: 022\n`, "3:11", /octal/],
  ["underscores", `${one}    gpus: 1_000\n`, "3:11", /expected a count/],
  ["sexagesimal", `${one}timeouts: {start: 12:30:45}\n`, "3:19", /expected a duration/],
  ["bare word as duration", `${one}timeouts: {start: soon}\n`, "3:19", /expected a duration/],
  ["no time to connect", `${one}timeouts: {connect: 0s}\n`, "3:21", /longer than 0/],
  ["two months", `${one}timeouts: {run: 60d}\n`, "3:17", /at most 24d/],
  ["quota", `${one}logs: {quota: 2 gigs}\n`, "3:15", /expected a size/],
  ["GPUs below 0", `${one}    gpus: -1\n`, "3:11", /expected a count/],
  ["GPUs all", `${one}    gpus: all\n`, "3:11", /expected a count/],
  ["GPUs that are no number", `${one}    gpus: .nan\n`, "3:11", /got NaN/],
  ["GPUs half", `${one}    gpus: 1.5\n`, "3:11", /expected/],
  ["GPU listed twice", `${one}    gpus: [0, 0]\n`, "3:11", /twice/],
  ["GPU's name", `${one}    gpus: [0, rtx]\n`, "3:15", /index or UUID/],
  ["no GPU listed", `${one}    gpus: []\n`, "3:11", /at least one/],
  ["0 GPUs, no slots", `${one}    gpus: 0\n`, "3:11", /needs `slots/],
  ["slots beside GPUs", `${one}    gpus: 2\n    slots: 2\n`, "4:5", /CPU ranks/],
  ["port 0", `${one}    port: 0\n`, "3:11", /1 to 65535/],
  ["port 65536", `${one}    port: 65536\n`, "3:11", /1 to 65535/],
  ["rendezvous on 22", `${one}rdzv: a:22\n`, "3:7", /needs root/],
  ["rendezvous on 0", `${one}rdzv: a:0\n`, "3:7", /not a port/],
  ["rendezvous elsewhere", `${one}rdzv: b:29500\n`, "3:7", /none of the hosts/],
  ["rendezvous away from rank 0, direct", `${one}  - host: b\nlauncher: direct\nrdzv: b:29500\n`, "5:7", /launcher direct .*on a, the first host/],
  ["rendezvous away from rank 0, static", `${one}  - host: b\nlauncher: torchrun-static\nrdzv: b\n`, "5:7", /torchrun-static .*on a, the first host/],
  ["rendezvous away from rank 0, accelerate", `${one}  - host: b\nbackend: accelerate\nrdzv: b\n`, "5:7", /launcher accelerate .*first host/],
  ["ports backwards", `${one}rdzv_ports: 300-200\n`, "3:13", /needs root/],
  ["one port", `${one}rdzv_ports: "20000-20000"\n`, "3:13", /two ports/],
  ["too many required", `${one}min_hosts: 2\n`, "3:12", /there is 1 host/],
  ["none required", `${one}min_hosts: 0\n`, "3:12", /whole number/],
  ["twice", `${one}  - host: a\n`, "3:11", /a is here already, at cluster\.yaml:2:11/],
  ["twice by a range", "cluster:\n  - host: gpu[1-3]\n  - host: gpu2\n", "3:11", /gpu2 is here already, at cluster\.yaml:2:11/],
  ["10 000 hosts", host("gpu[1-10000]"), "2:11", /more than 1024 hosts/],
  ["a product of ranges", host("a[1-999]b[1-999]c[1-999]"), "2:11", /more than 1024 hosts/],
  ["range backwards", host("gpu[9-1]"), "2:11", /backwards/],
  ["range of words", host("gpu[a-c]"), "2:11", /not a number/],
  ["one address for two", `${host("gpu[1-2]")}    address: 10.0.0.1\n`, "3:14", /1 address for 2 hosts/],
  ["local with a user", `${one}    transport: local\n    user: x\n`, "4:5", /no SSH/],
  ["backend", `${one}backend: pytorch\n`, "3:10", /expected one of/],
  ["backend and launcher", `${one}backend: accelerate\nlauncher: torchrun\n`, "4:11", /cannot use/],
  ["two jobs", `${one}job: {script: a.py, module: b}\n`, "3:21", /one of script, module and command/],
  ["args of nothing", `${one}job: {args: [x]}\n`, "3:7", /missing/],
  ["script as module", `${one}job: {module: a.py}\n`, "3:15", /script:/],
  ["shell in command", `${one}backend: command\njob: {command: "a | b"}\n`, "4:7", /no shell/],
  ["per without command", `${one}job: {script: a.py, per: host}\n`, "3:21", /only backend command/],
  ["accelerate's file without it", `${one}job: {script: a.py, accelerate_config: x.yaml}\n`, "3:21", /would not read/],
  ["script for command", `${one}backend: command\njob: {script: a.py}\n`, "4:7", /runs `job\.command`/],
  ["name with a slash", `${one}name: ../x\n`, "3:7", /not a run name/],
  ["interface", `${one}    interface: "eth0;x"\n`, "3:16", /network interface/],
  ["control character", `${one}name: "a\u001bb"\n`, "3:9", /control character/],
  ["alone in brackets", host('"[1-2"'), "2:11", /brackets do not match/],
];

for (const [what, text, place, words] of CASES) {
  test(`cluster file: ${what}`, () => {
    const parsed = parseClusterText(text, "cluster.yaml");
    assert.ok(!parsed.ok, "was accepted");
    const said = parsed.problems.map(formatProblem).join("\n");
    const [first] = parsed.problems;
    assert.equal(`${first?.line}:${first?.column}`, place, said);
    assert.match(said, words);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must not be there
    assert.doesNotMatch(said, /[\u0000-\u0009\u000b-\u001f\u007f]/);
  });
}

test("cluster file: all problems at once, each with its line, caret and nearest name", () => {
  const parsed = parseClusterText("cluster:\n  - host: a\n    gpsu: 4\n  - host: -x\nbackned: direct\ntimeouts: {strat: 3s}\n", "c.yaml");
  assert.ok(!parsed.ok);
  assert.deepEqual(
    parsed.problems.map((p) => [`${p.line}:${p.column}`, p.path, p.hint]),
    [
      ["3:5", "cluster[0].gpsu", "did you mean `gpus`?"],
      ["4:11", "cluster[1].host", undefined],
      ["5:1", "backned", "did you mean `backend`?"],
      ["6:12", "timeouts.strat", "did you mean `start`?"],
    ],
  );
  assert.equal(
    formatProblem(parsed.problems[0] ?? assert.fail()),
    "c.yaml:3:5: cluster[0].gpsu: unknown key\n 3 |     gpsu: 4\n   |     ^\n   = did you mean `gpus`?",
  );
});

test("cluster file: a byte order mark, CRLF and comments change nothing; the column of an error neither", () => {
  const parsed = parseClusterText("\ufeffcluster: # hosts\r\n  - host: a\r\n    gpus: 4\r\n", "c.yaml");
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.file, { cluster: [{ host: "a", gpus: 4 }] });
  const bad = parseClusterText("\ufeffclutser: 1\r\n", "c.yaml");
  assert.ok(!bad.ok);
  assert.deepEqual([bad.problems[0]?.line, bad.problems[0]?.column, bad.problems[0]?.text], [1, 1, "clutser: 1"]);
});

test("cluster file: text stays as written: numbers, booleans and zeros in env and args", () => {
  const parsed = parseClusterText(
    `${one}env: {A: 022, B: yes, C: 3e-4, D: 1_000, E: "", F: true}\njob: {script: a.py, args: [--lr, 3e-4, 007, ""]}\n`,
    "c.yaml",
  );
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.file.env, { A: "022", B: "yes", C: "3e-4", D: "1_000", E: "", F: "true" });
  assert.deepEqual(parsed.file.job?.args, ["--lr", "3e-4", "007", ""]);
});

test("cluster file: a secret on an offending line is not printed", () => {
  const parsed = parseClusterText(`${one}env:\n  WANDB_API_KEY: [hunter2]\n  1PASSWORD: hunter2\n`, "c.yaml");
  assert.ok(!parsed.ok);
  assert.doesNotMatch(parsed.problems.map(formatProblem).join("\n"), /hunter2/);
});
