/** mpirun and composer start ranks too: answered like torchrun, never nested. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { refusePastedLauncher } from "../../../cluster/config/pasted.ts";
import { NexaError } from "../../../cluster/errors.ts";

function answer(line: string): string {
  try {
    refusePastedLauncher(line.split(" "), "nexadist up c.yaml");
    return "";
  } catch (error) {
    assert.ok(error instanceof NexaError && error.code === "PASTED_LAUNCHER", String(error));
    return error.hint;
  }
}

test("mpirun, mpiexec, horovodrun and composer are answered with the command that does the same", () => {
  for (const [line, command, remark] of [
    ["mpirun -np 8 -H a,b --allow-run-as-root -mca btl tcp,self python train.py --lr 1", "-- python train.py --lr 1", /-np 8 is `gpus:`.*-mca btl tcp,self/],
    ["/usr/bin/mpiexec -n 4 ./prog x", "-- ./prog x", /RANK, WORLD_SIZE/],
    ["nohup horovodrun -np 4 -H a:4 python t.py", "-- python t.py", /-H a:4/],
    ["composer -n 8 train.py --x", "-- train.py --x", /-n 8 is `gpus:`/],
    ["composer -n 8 -m pkg.train --x", "-- -m pkg.train --x", /-n 8/],
  ] as const) {
    const said = answer(line);
    assert.match(said, new RegExp(`nexadist up c\\.yaml ${command.replaceAll(".", "\\.")}\n`), line);
    assert.match(said, remark);
  }
  for (const line of ["python mpirun.py", "./composer.py", "echo mpirun", "python -m composer_utils"]) assert.equal(answer(line), "");
});
