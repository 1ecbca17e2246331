/** The controller's files as a crash, a power cut or a bad disk leaves them: nothing is started twice, and what was lost is said and made good from the hosts. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hostsOf, type RunState } from "../../../cluster/run/state.ts";
import { readLines } from "../../../controller/daemon/journal.ts";
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
