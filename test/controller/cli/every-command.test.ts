/** What holds for every command of the table: JSON with a schema number whatever happens, examples, help that fits 80 columns. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { replay } from "../../../cluster/run/reduce.ts";
import { COMMANDS } from "../../../controller/cli/commands.ts";
import { buildProgram } from "../../../controller/cli/main.ts";
import { nexadist, type Place, place, type Said } from "../../support/cli.ts";
import { type Asked, fakeController, lifeOf, SPEC } from "../../support/fake-controller.ts";
import { recordingOf, rowsOf } from "../../support/recordings.ts";

const ENDED = lifeOf(SPEC, "succeeded");
const ROW = { run: SPEC.run, name: "demo", phase: "succeeded", hosts: 2, ranks: 2, attempt: 1, requestedAt: 1, endedAt: 2, file: null, by: "t", failure: null };
const LOOK = { at: 1, until: 1, ranks: [], ras: [], ways: [], silent: [{ host: "gpu-a", why: "there is no link to it" }] };

function answer({ request, item, end }: Asked): void {
  if (request.ask === "runs") return end(request.all ? [ROW] : []);
  if (request.ask === "run") return end({ state: replay(ENDED), events: ENDED.length, dir: "/d" });
  if (request.ask === "up") return end({ run: SPEC.run });
  if (request.ask === "exec") return end({ code: 0, signal: null });
  if (request.ask === "samples") return end({ state: replay(ENDED), now: 2, hosts: [], totals: { gpuHours: 0, energyKwh: null, measuredShare: null } });
  if (request.ask === "hang") return end({ attempt: 1, first: LOOK, second: LOOK });
  if (request.ask === "logs") item({ kind: "line", line: { host: "gpu-a", rank: 0, stream: "out", attempt: 1, at: 0, text: "\u001b[31mred" } });
  if (request.ask === "take-over") return end({ run: SPEC.run, from: "controller x", epoch: 2, isMajority: true, won: 2, hosts: 2 });
  if (request.ask === "watch") {
    for (const [index, event] of ENDED.entries()) item({ kind: "event", index, event });
    item({ kind: "notice", host: null, text: "a word" });
  }
  return end(null);
}

type Wrong = { readonly args: readonly string[]; readonly exit: number; readonly code: string };
/** `ok`: what to add for an answer and its exit status. `wrong`: errors of its own beside those that all have. */
type Row = { readonly ok: readonly string[]; readonly exit?: number; readonly wrong?: readonly Wrong[] };

const noFile: Wrong = { args: ["-c", "absent.yaml"], exit: 3, code: "CLUSTER_FILE" };
const badFile: Wrong = { args: ["-c", "bad.yaml"], exit: 3, code: "CONFIG" };
const noRun: Wrong = { args: ["absent"], exit: 2, code: "NO_RUN" };
const noHost: Wrong = { args: ["--host", "absent"], exit: 2, code: "HOST_CHOICE" };

const TABLE: Readonly<Record<string, Row>> = {
  up: { ok: [], wrong: [noFile, badFile, { args: ["train.py"], exit: 2, code: "USAGE" }] },
  attach: { ok: [], wrong: [noRun] },
  tui: { ok: [], exit: 2 },
  ps: { ok: [] },
  takeover: { ok: ["-d"], wrong: [noFile] },
  status: { ok: [], wrong: [noRun] },
  runs: { ok: [], wrong: [{ args: ["--limit", "x"], exit: 2, code: "USAGE" }] },
  logs: { ok: [], wrong: [noRun, { args: ["--grep", "("], exit: 2, code: "USAGE" }] },
  stop: { ok: [], wrong: [noRun, { args: ["--timeout", "soon"], exit: 2, code: "USAGE" }] },
  restart: { ok: [], exit: 2, wrong: [noRun] },
  hang: { ok: [], wrong: [noRun] },
  nccl: { ok: [], wrong: [noRun] },
  exec: {
    ok: ["--", "true"],
    wrong: [
      { ...noFile, args: [...noFile.args, "--", "true"] },
      { args: [], exit: 2, code: "USAGE" },
    ],
  },
  shell: { ok: ["here"], exit: 2 },
  cp: {
    ok: ["--dry-run", "cluster.yaml", "here:x"],
    wrong: [
      { args: ["a", "b"], exit: 2, code: "USAGE" },
      { args: ["absent", "here:x"], exit: 1, code: "COPY_REFUSED" },
    ],
  },
  hosts: { ok: [], wrong: [noFile, noHost] },
  gpus: { ok: [], wrong: [noRun, noFile, noHost] },
  top: { ok: [], wrong: [noRun] },
  audit: { ok: [], wrong: [noFile, noHost] },
  drill: { ok: [], exit: 2, wrong: [noFile, badFile, noHost] },
  diag: {
    ok: ["--only", "access"],
    wrong: [noFile, badFile, noHost, { args: ["--only", "absent"], exit: 2, code: "USAGE" }, { args: ["--baseline", "absent"], exit: 2, code: "USAGE" }],
  },
  explain: { ok: ["cuda_oom"], wrong: [{ args: ["absent"], exit: 2, code: "USAGE" }] },
  forward: { ok: ["latest", "port"], exit: 2, wrong: [{ args: ["absent", "6006"], exit: 2, code: "NO_RUN" }] },
  record: { ok: ["-y"], wrong: [noRun] },
  replay: {
    ok: ["demo.nexarec"],
    wrong: [
      { args: ["absent"], exit: 2, code: "RECORDING" },
      { args: ["demo.nexarec", "--speed", "0"], exit: 2, code: "USAGE" },
    ],
  },
  "agent status": { ok: [], wrong: [noFile, badFile] },
  "agent upgrade": { ok: ["--dry-run"], wrong: [noFile] },
  "agent uninstall": { ok: ["--dry-run"], wrong: [noFile, { args: ["--purge"], exit: 2, code: "NEEDS_TERMINAL" }] },
  "config show": { ok: [], wrong: [noFile] },
  "config validate": { ok: [], wrong: [noFile] },
  "config schema": { ok: [] },
  init: {
    ok: ["made.yaml", "--from-hostfile", "hostfile"],
    wrong: [
      { args: ["made2.yaml", "--from-hostfile", "absent"], exit: 3, code: "CLUSTER_FILE" },
      { args: ["made2.yaml"], exit: 2, code: "USAGE" },
    ],
  },
  completion: { ok: ["bash"], wrong: [{ args: ["csh"], exit: 2, code: "USAGE" }] },
  version: { ok: [] },
};

type Json = { readonly schema?: number; readonly error?: { readonly code: string; readonly exit: number; readonly message: string; readonly hint: string } };

/** One object, or one a line where the command tells as it goes. */
function documents(said: Said, what: string): readonly Json[] {
  const read = (text: string): Json => {
    try {
      return JSON.parse(text) as Json;
    } catch {
      return assert.fail(`${what}: no JSON: ${text.slice(0, 200)}`);
    }
  };
  const isOne = /^\{\n/.test(said.out);
  return isOne ? [read(said.out)] : said.out.trimEnd().split("\n").map(read);
}

/** Each in turn, two at a time. */
async function each<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await act(one);
  };
  await Promise.all([work(), work()]);
}

async function setting(t: TestContext): Promise<{ at: Place; ask: (...args: string[]) => Promise<Said> }> {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: here, transport: local, gpus: 0, slots: 1}\n");
  at.write("hostfile", "worker-1 slots=8\n");
  at.write("bad.yaml", "cluster:\n  - {host: here, gpsu: 1}\n");
  writeFileSync(join(at.dir, "demo.nexarec"), gzipSync(rowsOf(recordingOf("succeeded")).join("\n")));
  const fake = await fakeController(t, answer);
  return { at, ask: (...args) => nexadist(t, at, args, { NEXADIST_STATE_DIR: fake.stateDir }) };
}

test("the table here knows every command", () => {
  assert.deepEqual(
    Object.keys(TABLE),
    COMMANDS.map((spec) => spec.name),
  );
});

test("every command answers --json with objects that have a schema number, and says nothing else", async (t) => {
  const { ask } = await setting(t);
  await each(Object.entries(TABLE), async ([name, { ok, exit = 0 }]) => {
    const said = await ask(...name.split(" "), "--json", ...ok);
    assert.equal(said.code, exit, `${name}: ${said.out}${said.err}`);
    for (const document of documents(said, name)) assert.equal(document.schema, 1, name);
    assert.equal(said.err, "", name);
  });
});

test("every command answers a mistake with one JSON object: its code, its exit status, what to do", async (t) => {
  const { ask } = await setting(t);
  const typo: Wrong = { args: ["--absent"], exit: 2, code: "USAGE" };
  const mistakes = Object.entries(TABLE).flatMap(([name, { wrong = [] }]) => [typo, ...wrong].map((one) => ({ name, ...one })));
  await each(mistakes, async ({ name, args, exit, code }) => {
    const what = `${name} ${args.join(" ")}`;
    const said = await ask(...name.split(" "), "--json", ...args);
    const [document, ...more] = documents(said, what);
    assert.deepEqual([document?.schema, document?.error?.code, document?.error?.exit, said.code], [1, code, exit, exit], what);
    assert.notEqual(document?.error?.message, "", what);
    assert.notEqual(document?.error?.hint, "", what);
    assert.deepEqual([more, said.err], [[], ""], what);
  });
});

test("no command, half a command and an unknown one are answered with JSON too", async (t) => {
  const { ask } = await setting(t);
  for (const args of [["--json"], ["agent", "--json"], ["--json", "absent"]]) {
    const said = await ask(...args);
    const [document] = documents(said, args.join(" "));
    assert.deepEqual([document?.schema, document?.error?.code, said.code], [1, "USAGE", 2], args.join(" ")); // the help may stand on stderr
  }
});

test("a run that ends badly, a controller that goes: the last line of --json says so", async (t) => {
  const at = place(t);
  at.write("cluster.yaml", "cluster:\n  - {host: gpu-a, gpus: 0, slots: 1}\n");
  const refusing = await fakeController(t, (asked) => asked.problem({ code: "RUN_NOT_DRIVEN", message: "nobody leads it", hint: "try again", exit: 7 }));
  for (const args of [["up"], ["ps"], ["status"], ["attach"], ["logs"], ["stop"]]) {
    const said = await nexadist(t, at, [...args, "--json"], { NEXADIST_STATE_DIR: refusing.stateDir });
    const last = documents(said, args.join(" ")).at(-1);
    assert.deepEqual([last?.schema, last?.error?.code, last?.error?.exit, said.code], [1, "RUN_NOT_DRIVEN", 7, 7], args.join(" "));
  }
});

/** Help as it is printed where no terminal says how wide it is. */
function helpOf(path: readonly string[]): string {
  let text = "";
  let command = buildProgram(() => undefined);
  for (const word of path) command = command.commands.find((one) => one.name() === word) ?? assert.fail(path.join(" "));
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return text;
}

test("every command's help begins with examples of it, names every argument and option, and fits 80 columns", () => {
  for (const path of [[], ["agent"], ["config"], ...COMMANDS.map((spec) => spec.name.split(" "))]) {
    for (const line of helpOf(path).split("\n")) assert.ok(line.length <= 80, `${path.join(" ")}: ${line.length} columns: ${line}`);
  }
  for (const spec of COMMANDS) {
    const help = helpOf(spec.name.split(" "));
    assert.ok(spec.examples.length > 0 && help.startsWith("Examples:\n"), spec.name);
    for (const example of spec.examples) assert.ok(example.startsWith(`nexadist ${spec.name}`) && help.includes(`  ${example}\n`), example);
    for (const [name] of spec.options) assert.ok(help.includes(`  ${name} `) || help.includes(`  ${name}\n`), `${spec.name}: ${name}`);
    for (const [name] of spec.args) assert.ok(help.includes(`  ${name.replace(/[[\]<>.]/g, "")} `), `${spec.name}: ${name}`);
    assert.match(help, /--json +machine-readable/, spec.name);
  }
});

test("the examples of help parse", () => {
  for (const { name, examples } of COMMANDS) {
    for (const example of examples) {
      let parsed = "";
      const [line = ""] = example.split(/ [|>] /);
      const words = line.split(" -- ")[0]?.split(" ").slice(1) ?? [];
      buildProgram((job) => {
        parsed = job.spec.name;
      }).parse(words, { from: "user" });
      assert.equal(parsed, name, example);
    }
  }
});
