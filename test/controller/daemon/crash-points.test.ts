/** The controller's files as a crash, a power cut or a bad disk leaves them: nothing is started twice, and what was lost is said and made good from the hosts. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { RunEvent } from "../../../cluster/run/events.ts";
import { hostsOf, isOver, type RunState } from "../../../cluster/run/state.ts";
import { wanted } from "../../../cluster/run/wanted.ts";
import { type JournalLine, journalOf, openJournal, readLines } from "../../../controller/daemon/journal.ts";
import { writeManifest } from "../../../controller/daemon/manifest.ts";
import { mend } from "../../../controller/daemon/mend.ts";
import { fold } from "../../../controller/daemon/stored-runs.ts";
import { lifeOf, SPEC } from "../../support/fake-controller.ts";
import { ask, died, type Ground, isAlive, job, openGrounds, specOf, stateOf, until } from "../../support/mortal.ts";

const dirOf = (ground: Ground, run: string): string => join(ground.stateDir, "runs", run);
const journalIn = (ground: Ground, run: string): string => join(dirOf(ground, run), "journal.jsonl");
const asideOf = (ground: Ground, run: string): string[] => readdirSync(dirOf(ground, run)).filter((name) => name.startsWith("journal.jsonl.bad-"));
const launched = (ground: Ground, run: string): string[] =>
  ground.hosts.flatMap((_, rank) =>
    readFileSync(join(ground.home, `launched.${run}.${rank}`), "utf8")
      .split("\n")
      .filter(Boolean),
  );

/** A run whose ranks go on until `go` is gone; the controller is dead. */
async function runAndKill(ground: Ground, run: string): Promise<Buffer> {
  const first = await ground.startController();
  await ask(ground, specOf(ground, run, job(`[ -e $HOME/go ]`)));
  await until("the ranks", () => stateOf(ground, run).phase === "running");
  first.kill("SIGKILL");
  await died(first);
  return readFileSync(journalIn(ground, run));
}

const whoRuns = ({ ranks, attempt, rdzvId }: RunState): unknown => [attempt, rdzvId, Object.values(ranks).map(({ rank, host, pid }) => [rank, host, pid])];

type Damage = { readonly name: string; readonly make: (whole: Buffer) => Buffer; readonly isSaid: boolean };

const endOfLine = (whole: Buffer, n: number): number => {
  let at = 0;
  for (let k = 0; k < n; k++) at = whole.indexOf(10, at) + 1;
  return at;
};
const linesOf = (whole: Buffer): number => whole.toString("latin1").split("\n").length - 1;
const flip = (whole: Buffer, at: number, bit: number): Buffer => {
  const copy = Buffer.from(whole);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
};

const behind = (n: number): Damage => ({ name: `cut behind line ${n}`, make: (w) => w.subarray(0, endOfLine(w, n)), isSaid: false });
const live: readonly Damage[] = [
  { name: "its last line twice", make: (w) => Buffer.concat([w, w.subarray(endOfLine(w, linesOf(w) - 1))]), isSaid: true },
  ...[2, 5, 9, 13].map(behind),
  { name: "torn in its last line", make: (w) => w.subarray(0, w.length - 9), isSaid: true },
  { name: "zeros for its last three lines", make: (w) => Buffer.from(w).fill(0, endOfLine(w, linesOf(w) - 3)), isSaid: true },
  { name: "a bit turned in line 4", make: (w) => flip(w, endOfLine(w, 3) + 30, 1), isSaid: true },
  { name: "a bit turned in its last line", make: (w) => flip(w, w.length - 30, 0), isSaid: true },
];

test("a live run whose journal lost lines goes on with the ranks that run; none is started again, and it is said what was lost", async (t) => {
  const grounds = openGrounds(t, 3);
  const left = [...live];
  const ends = await Promise.allSettled(
    grounds.map(async (ground) => {
      const run = `cut_${ground.hosts[0]}`;
      writeFileSync(join(ground.home, "go"), "");
      const whole = await runAndKill(ground, run);
      const before = stateOf(ground, run);
      const pids = launched(ground, run);
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        for (const name of asideOf(ground, run)) rmSync(join(dirOf(ground, run), name));
        const damaged = one.make(whole);
        const kept = readLines(damaged).lines.length;
        writeFileSync(journalIn(ground, run), damaged);
        const next = await ground.startController();
        const isBack = (): boolean => {
          if (ground.journal(run).length <= kept) return false;
          const state = stateOf(ground, run);
          return state.phase === "running" && hostsOf(state).every((h) => h.seen) && Object.keys(state.ranks).length === 2;
        };
        await until(`${one.name}: the run to go on`, isBack).catch((error: unknown) => {
          throw new Error(
            `${one?.name}: ${JSON.stringify(
              ground.journal(run).map(({ event }) => event),
              null,
              1,
            )}`,
            { cause: error },
          );
        });
        next.kill("SIGKILL");
        await died(next);
        assert.deepEqual(launched(ground, run), pids, `${one.name}: nothing is started twice`);
        for (const pid of pids) assert.ok(isAlive(Number(pid)), `${one.name}: ${pid} lives`);
        const state = stateOf(ground, run);
        assert.deepEqual(whoRuns(state), whoRuns(before), one.name);
        const words = ground.journal(run).flatMap(({ event }) => (event.type === "taken-over" ? [event.mended ?? ""] : []));
        if (one.isSaid) {
          assert.match(words[0] ?? "", /^line \d+ of .*journal\.jsonl cannot be read \(kept in .*journal\.jsonl\.bad-\d+\)$/, one.name);
          const [aside] = asideOf(ground, run);
          assert.deepEqual(readFileSync(join(dirOf(ground, run), aside ?? "")), damaged.subarray(readLines(damaged).length), "what cannot be read is kept");
        } else assert.match(words[0] ?? "", /^the journal on this machine has lost lines \(it has \d+, \d+ were written\)$/, one.name);
      }
      rmSync(join(ground.home, "go"));
      const last = await ground.startController();
      await until("the end", () => stateOf(ground, run).endedAt !== null);
      assert.equal(stateOf(ground, run).phase, "succeeded");
      last.kill("SIGKILL");
      await died(last);
    }),
  );
  for (const end of ends) if (end.status === "rejected") throw end.reason;
});

/** Each with a state directory of its own; `write` makes a journal of these events. */
function inState(body: (on: { dir: string; path: string; write: (events: readonly RunEvent[]) => Buffer }) => void): void {
  const state = mkdtempSync(join(tmpdir(), "nexa-mend-"));
  const before = process.env.NEXADIST_STATE_DIR;
  const said = console.error;
  process.env.NEXADIST_STATE_DIR = state;
  console.error = () => undefined;
  const dir = join(state, "runs", RUN);
  const write = (events: readonly RunEvent[]): Buffer => {
    rmSync(dir, { recursive: true, force: true });
    const journal = openJournal(dir);
    for (const event of events) journal.append([{ event }]);
    journal.close();
    return readFileSync(journalOf(dir));
  };
  try {
    body({ dir, path: journalOf(dir), write });
  } finally {
    console.error = said;
    if (before === undefined) delete process.env.NEXADIST_STATE_DIR;
    else process.env.NEXADIST_STATE_DIR = before;
    rmSync(state, { recursive: true });
  }
}
const RUN = SPEC.run;
const starts = (state: RunState): string[] => wanted(state).flatMap(({ do: what }) => (["begin-attempt", "arm", "launch"].includes(what) ? [what] : []));

test("cut at every byte, or any bit turned: what is read is what was written, up to the damage", () => {
  inState(({ write }) => {
    const whole = write(lifeOf(SPEC, "running"));
    const { lines } = readLines(whole);
    const text = lines.map((line) => JSON.stringify(line));
    const same = (bytes: Buffer, most: number, least: number, what: string): void => {
      const found = readLines(bytes);
      assert.ok(found.lines.length <= most && found.lines.length >= least, `${what}: ${found.lines.length} lines`);
      assert.ok(
        found.lines.every((line, k) => JSON.stringify(line) === text[k]),
        what,
      );
    };
    for (let cut = 0; cut <= whole.length; cut++) {
      const bytes = whole.subarray(0, cut);
      const n = bytes.filter((byte) => byte === 10).length;
      same(bytes, n, n, `cut at ${cut}`);
    }
    const last = endOfLine(whole, lines.length - 2);
    for (let bit = 0; bit < whole.length * 8; bit += bit < last * 8 ? 53 : 1) {
      const at = bit >> 3;
      const n = whole.subarray(0, at).filter((byte) => byte === 10).length;
      same(flip(whole, at, bit & 7), n, n, `bit ${bit}`);
    }
    for (let from = 0; from < whole.length; from += 61) same(Buffer.from(whole).fill(0, from), lines.length, 0, `zeros from ${from}`);
  });
});

test("a journal that lost lines: the run is its own heir with a higher epoch, starts nothing alone, and says so once", () => {
  inState(({ path, write }) => {
    const whole = write([
      ...lifeOf(SPEC, "running").slice(0, 1),
      { at: 1, type: "controller-started", controller: "c", epoch: 3 },
      ...lifeOf(SPEC, "running").slice(1),
    ]);
    for (let n = 2; n < linesOf(whole); n++) {
      const damaged = flip(whole, endOfLine(whole, n) + 8, 0);
      writeFileSync(path, damaged);
      const lines = mend(RUN, "c");
      const state = fold(lines) as RunState;
      const before = fold(readLines(damaged).lines) as RunState;
      assert.deepEqual([lines.length, state.epoch, state.phase, state.attempt], [n + 1, 4, before.phase, before.attempt]);
      assert.deepEqual(starts(state), [], `${n}: nothing before a majority has answered`);
      const { event } = lines.at(-1) as JournalLine;
      assert.equal(event.type === "taken-over" && /^line \d+ of .* cannot be read/.test(event.mended ?? ""), true);
      assert.deepEqual(mend(RUN, "c"), lines, "mended is mended");
      assert.deepEqual(readLines(readFileSync(path)).length, readFileSync(path).length);
    }
  });
});

test("a run that is over by its manifest stays over, whatever its journal lost", () => {
  inState(({ dir, path, write }) => {
    for (const end of ["succeeded", "failed"] as const) {
      const life = lifeOf(SPEC, end);
      const whole = write(life);
      const over = fold(readLines(whole).lines) as RunState;
      assert.equal(over.phase, end);
      writeManifest(dir, over);
      for (let n = 1; n < life.length; n++) {
        writeFileSync(path, n % 2 === 0 ? whole.subarray(0, endOfLine(whole, n)) : flip(whole, endOfLine(whole, n) + 9, 1));
        const state = fold(mend(RUN, "c")) as RunState;
        assert.deepEqual([state.phase, state.endedAt, state.failure?.text], [end, over.endedAt, over.failure?.text], `${n} lines`);
        assert.deepEqual(starts(state), []);
      }
    }
  });
});

test("a journal that is gone: the run is shown with what to do, nothing of it is touched, and a takeover brings it back", async (t) => {
  const [ground] = openGrounds(t, 1);
  assert.ok(ground !== undefined);
  const run = `gone_${ground.hosts[0]}`;
  writeFileSync(join(ground.home, "go"), "");
  await runAndKill(ground, run);
  const pids = launched(ground, run);
  const journal = journalIn(ground, run);
  const gone: readonly [string, () => void][] = [
    ["missing", () => rmSync(journal)],
    ["with a bit turned in its first line", () => writeFileSync(journal, flip(readFileSync(journal), 40, 2))],
    ["a directory", () => [rmSync(journal), mkdirSync(journal)]],
  ];
  for (const [name, make] of gone) {
    make();
    const next = await ground.startController();
    const ps = await ground.nexadist("ps");
    assert.match(ps.out, new RegExp(run), `${name}: ${ps.err}`);
    const status = await ground.nexadist("status", run);
    assert.match(status.err, /the journal of .* cannot be read[\s\S]*nexadist takeover/, name);
    await takeOver(ground, run);
    await until(`${name}: the run`, () => stateOf(ground, run).phase === "running" && hostsOf(stateOf(ground, run)).every((h) => h.seen));
    next.kill("SIGKILL");
    await died(next);
    assert.deepEqual(launched(ground, run), pids, name);
  }
  for (const pid of pids) assert.ok(isAlive(Number(pid)));
  // What tells one controller from another, damaged while none is there: it serves, and leads the run.
  for (const bytes of ["null", `{"machine":"elsewhere","at":${Date.now() * 2}}`]) {
    for (const file of ["controller.id", "controller.alive", "controller.lock"]) writeFileSync(join(ground.stateDir, file), bytes);
    const known = ground.journal(run).length;
    const next = await ground.startController();
    await until(`${bytes}: the run`, () => ground.journal(run).length > known && hostsOf(stateOf(ground, run)).every((h) => h.seen));
    next.kill("SIGKILL");
    await died(next);
  }
  assert.deepEqual([stateOf(ground, run).phase, launched(ground, run)], ["running", pids]);
  rmSync(journal);
  const last = await ground.startController();
  await takeOver(ground, run);
  rmSync(join(ground.home, "go"));
  await until("the end", () => isOver(stateOf(ground, run)));
  for (const command of [
    ["ps", "--json"],
    ["ps", "--all", "--json"],
    ["runs", "--json"],
  ]) {
    const { runs } = JSON.parse((await ground.nexadist(...command)).out) as { runs: { run: string; phase: string; attempt: number }[] };
    const own = runs.filter((one) => one.run === run).map(({ phase, attempt }) => [phase, attempt]);
    assert.deepEqual(own, command[0] === "ps" && command.length === 2 ? [] : [[stateOf(ground, run).phase, 1]], command.join(" "));
  }
  last.kill("SIGKILL");
  await died(last);
});

async function takeOver(ground: Ground, run: string): Promise<void> {
  const client = await ground.talk();
  const { hosts } = specOf(ground, run, ["true"]);
  const lent = { env: ground.env, agentSocket: null, acceptNewHostKeys: false };
  await client.ask({ ask: "take-over", hosts, run, force: false, file: null, lent, by: "test" });
  client.close();
}
