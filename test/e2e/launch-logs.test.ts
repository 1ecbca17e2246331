/** `logs`: what the ranks wrote, chosen by rank, host, stream, pattern, age and number, followed, and whole when it comes fast. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { openSeat, until } from "../support/controller.ts";
import { needsRoot, startLab } from "../support/lab.ts";
import { assertClean } from "../support/outcome.ts";

const A = "100.66.164.18";
const B = "100.66.164.19";
const LINES = 100_000;
/** 5 MB as fast as a pipe's other end could not take it; the digest goes to a file of its own. */
const FAST = `import hashlib, os
sum = hashlib.sha256()
for k in range(100):
    chunk = b"".join(b"%08d %s\\n" % (1000 * k + i, b"y" * 44) for i in range(1000))
    sum.update(chunk)
    os.write(1, chunk)
with open("/tmp/fast", "w") as f: f.write(sum.hexdigest())
`;

test("logs of a run on two SSH hosts", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 2, gpus: 0, options: { "*": { path: "train" } } });
  const seat = openSeat(t, lab);
  seat.write("c.yaml", `cluster: [{host: ${A}, slots: 2}, {host: ${B}, slots: 1}]\ndefaults: {gpus: 0}\nlauncher: direct\ntimeouts: {stop_grace: 2s}\n`);
  seat.write(
    "say.sh",
    'echo "out one of $RANK"; echo "err one of $RANK" >&2; printf "10%%\\r50%%\\r100%%\\n"; until test -e /tmp/more; do sleep 0.1; done; echo "out two of $RANK"; until test -e /tmp/finish; do sleep 0.1; done; printf "no newline of $RANK"\n',
  );
  seat.write("fast.py", FAST);

  const lines = async (args: readonly string[]): Promise<string[]> => {
    const { code, out, err } = await seat.cli(["logs", ...args]);
    assert.equal(code, 0, err);
    return out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/^\S+ /, ""));
  };

  await t.test("5 MB at once arrive whole, in the file and through `logs`", async () => {
    const run = await seat.up(["c.yaml", "--host", B, "--", "fast.py"]);
    assertClean(await seat.ended(run));
    const text = seat.log(run, B, "rank0.out");
    const { stdout } = await lab.host("gpu-b").run(["cat", "/tmp/fast"]);
    assert.equal(text.length, LINES * 54);
    assert.equal(createHash("sha256").update(text).digest("hex"), stdout);
    const said = await lines([run]);
    assert.equal(said.length, LINES);
    assert.equal(said.at(-1), `${B} r0 | ${String(LINES - 1).padStart(8, "0")} ${"y".repeat(44)}`);
    assert.deepEqual(
      await lines([run, "-n", "2", "--grep", "^000012"]),
      ["00001298", "00001299"].map((n) => `${B} r0 | ${n} ${"y".repeat(44)}`),
    );
  });

  await t.test("chosen lines of a run that goes on, and what follows", async () => {
    const run = await seat.up(["c.yaml", "--", "sh", "say.sh"]);
    await until("all have spoken", () =>
      [A, A, B].every((host, rank) => seat.log(run, host, `rank${rank}.out`).includes("100%") && seat.log(run, host, `rank${rank}.err`) !== ""),
    );
    const sorted = async (...args: string[]): Promise<string[]> => (await lines([run, ...args])).sort();
    assert.deepEqual(await sorted("--rank", "2"), [`${B} r2 err | err one of 2`, `${B} r2 | 10%␍50%␍100%`, `${B} r2 | out one of 2`]);
    assert.deepEqual(await sorted("--host", A, "--stream", "err"), [`${A} r0 err | err one of 0`, `${A} r1 err | err one of 1`]);
    assert.deepEqual(await sorted("--grep", "one of [12]$", "--stream", "out"), [`${A} r1 | out one of 1`, `${B} r2 | out one of 2`]);
    assert.deepEqual(await sorted("--rank", "0,2", "--stream", "out", "--grep", "one"), [`${A} r0 | out one of 0`, `${B} r2 | out one of 2`]);
    assert.equal((await lines([run, "--rank", "1", "--stream", "out", "-n", "1"])).length, 1);
    assert.deepEqual(await lines([run, "-n", "0"]), []);
    assert.equal((await lines([run, "--since", "10m"])).length, 9);
    assert.equal((await seat.cli(["logs", run, "--grep", "("])).code, 2);
    assert.equal((await seat.cli(["logs", run, "--stream", "all"])).code, 2);

    const follow = seat.start(["logs", run, "-f", "-n", "0", "--stream", "out"]);
    const json = seat.start(["--json", "logs", run, "-f", "--rank", "1", "--stream", "out"]);
    await json.says(/out one of 1/);
    for (const host of lab.hosts) await host.run(["touch", "/tmp/more"]);
    await json.says(/out two of 1/);
    for (const host of lab.hosts) await host.run(["touch", "/tmp/finish"]);
    assertClean(await seat.ended(run));
    const { code, out } = await follow.done;
    assert.equal(code, 0, "following ends with the run");
    for (const rank of [0, 1, 2]) {
      assert.match(out, new RegExp(`r${rank} \\| out two of ${rank}\n`));
      assert.match(out, new RegExp(`r${rank} \\| no newline of ${rank}\n`));
    }
    assert.doesNotMatch(out, /one of/);
    const items = (await json.done).out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { schema: number; line: { text: string; rank: number } });
    assert.ok(items.every((item) => item.schema === 1 && item.line.rank === 1));
    assert.deepEqual(
      items.map((item) => item.line.text),
      ["out one of 1", "10%\r50%\r100%", "out two of 1", "no newline of 1"],
    );
  });
});
