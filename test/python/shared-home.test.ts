/** Hosts that share a home make its directories at one instant, from processes that (in containers) have the same pid. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";

const ROUNDS = `
import json, os, sys, threading
import host_wire

def make(path, barrier, failures):
    barrier.wait()
    try:
        host_wire.make_state(path)
    except Exception as error:
        failures.append(repr(error))

for k in range(200):
    home = os.path.join(sys.argv[1], str(k))
    os.mkdir(home)
    barrier, failures = threading.Barrier(4), []
    makers = [threading.Thread(target=make, args=(home + "/.local/state/nexadist", barrier, failures)) for _ in range(4)]
    for maker in makers: maker.start()
    for maker in makers: maker.join()
    state = home + "/.local/state/nexadist"
    made = [path[len(home):] for file in host_wire.made_lists(state) for path in json.load(open(file))["dirs"]]
    print(json.dumps([failures, sorted(made), len(os.listdir(state)) - len(host_wire.made_lists(state))]))
`;

test("four at once: none fails, nothing half written stays, and what was made is remembered, once", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nexa-home-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const { stdout } = await execa("python3", ["-c", ROUNDS, dir], { env: { PYTHONPATH: join(import.meta.dirname, "../../python") } });
  const rounds = stdout.split("\n").map((line) => JSON.parse(line) as unknown);
  assert.equal(rounds.length, 200);
  for (const round of rounds) {
    assert.deepEqual(round, [[], ["/.local", "/.local/state", "/.local/state/nexadist"], 0]);
  }
});
