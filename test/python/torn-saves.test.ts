/** Real ranks on disks of their own, killed at random moments while they save: whatever is chosen loads, and all of it is of the step that its name says. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { shipments, standing } from "../../cluster/checkpoint/last-complete.ts";
import { type HostScan, scanReply } from "../../cluster/checkpoint/scan.ts";
import { HAS_TORCH, PYTHON, PYTHON_DIR, TORCH_PYTHON } from "../support/shims.ts";

const SAVES = fileURLToPath(new URL("../support/torn_saves.py", import.meta.url));
const ANSWER_MS = 120_000;

type Kind = "dcp" | "hf";
type Saver = { readonly root: string; readonly ask: (order: object) => Promise<string> };

const hasTransformers =
  HAS_TORCH && spawnSync(TORCH_PYTHON, ["-c", "import importlib.util as u, sys; sys.exit(u.find_spec('transformers') is None)"]).status === 0;

/** Torch is imported once: each round forks two ranks. Ended with the test, and its ranks by it. */
async function startSaver(t: TestContext, words: readonly string[]): Promise<Saver> {
  const root = mkdtempSync(join(tmpdir(), "nxd-torn-"));
  const child = spawn(TORCH_PYTHON, ["-W", "ignore", SAVES, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await new Promise((done) => child.once("exit", done));
    rmSync(root, { recursive: true, force: true });
  });
  const next = async (): Promise<string> => {
    const late = setTimeout(() => child.kill("SIGKILL"), ANSWER_MS);
    const line = await lines.next();
    clearTimeout(late);
    return line.done === true ? assert.fail("the saver ended") : line.value;
  };
  await next();
  return {
    root,
    ask: async (order) => {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return (JSON.parse(await next()) as { wrong: string }).wrong;
    },
  };
}

function scan(host: string, root: string): HostScan {
  const said = spawnSync(PYTHON, ["-I", "-S", join(PYTHON_DIR, "checkpoints.py"), root], { encoding: "utf8" });
  const reply = JSON.parse(said.stdout) as { candidates: { files: object[] }[] };
  const candidates = reply.candidates.map((one) => ({ ...one, files: one.files.map((file) => ({ ...file, attempt: 1 })) }));
  return { host, candidates: scanReply.parse({ ...reply, candidates }).candidates };
}

async function rounds(t: TestContext, saver: Saver, kind: Kind, count: number, mostSeconds: number): Promise<void> {
  let torn = 0;
  let chosen = 0;
  for (let k = 0; k < count; k++) {
    const root = join(saver.root, `${kind}${k}`);
    const seconds = Math.random() * mostSeconds;
    assert.equal(await saver.ask({ do: "cut", kind, root, seconds }), "");
    const scans = ["h0", "h1"].map((host) => scan(host, join(root, host)));
    const { complete, passedOver } = standing(scans, () => 2);
    torn += passedOver.length;
    const [best] = complete;
    if (best !== undefined) {
      chosen += 1;
      // As it is brought to a spare: all from where it is.
      for (const { path, from } of shipments(best, ["spare"])) {
        const to = join(root, "spare", best.name, path);
        mkdirSync(dirname(to), { recursive: true });
        cpSync(join(root, from, best.name, path), to);
      }
      const wrong = await saver.ask({ do: "read", kind, path: join(root, "spare", best.name), step: best.step });
      assert.equal(wrong, "", `${best.name} after ${seconds.toFixed(3)} s of saving`);
    }
    rmSync(root, { recursive: true });
  }
  t.diagnostic(`${kind}: killed ${count} times, ${chosen} times a checkpoint was chosen, ${torn} torn ones were passed over`);
}

test("torch.distributed.checkpoint over gloo, each rank's shards on its own disk", { skip: HAS_TORCH ? false : "no Python with torch" }, async (t) => {
  await rounds(t, await startSaver(t, []), "dcp", 12, 0.4);
});

test("the Trainer of Hugging Face as it is", { skip: hasTransformers ? false : "no transformers; scripts/test installs them" }, async (t) => {
  await rounds(t, await startSaver(t, ["transformers"]), "hf", 3, 1.5);
});
