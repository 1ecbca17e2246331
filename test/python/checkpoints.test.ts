/** What checkpoints.py tells of a directory: each file whole or torn by its own format, whatever byte it was cut at; nothing that is no checkpoint. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import * as z from "zod";
import { HAS_TORCH, PYTHON, PYTHON_DIR, TORCH_PYTHON } from "../support/shims.ts";

const told = z.object({
  candidates: z.array(
    z.object({
      name: z.string(),
      step: z.int(),
      kind: z.string(),
      files: z.array(z.object({ path: z.string(), size: z.int(), mtimeMs: z.int(), id: z.string(), isWhole: z.boolean() })),
      promised: z.record(z.string(), z.array(z.string())),
    }),
  ),
  problem: z.string(),
});

const scan = (root: string): z.infer<typeof told> =>
  told.parse(JSON.parse(execFileSync(PYTHON, ["-I", "-S", join(PYTHON_DIR, "checkpoints.py"), root], { encoding: "utf8" })));

function place(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "nxd-checkpoints-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** A zip archive of nothing but a stored name: what torch.save makes, seen from its end. */
const ZIP = execFileSync(PYTHON, [
  "-c",
  "import io,sys,zipfile\nb=io.BytesIO()\nzipfile.ZipFile(b,'w').writestr('a/data.pkl',b'x'*300)\nsys.stdout.buffer.write(b.getvalue())",
]);
const HEADER = JSON.stringify({ __metadata__: { format: "pt" }, w: { dtype: "F32", shape: [4], data_offsets: [0, 16] } });
const SAFETENSORS = Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(HEADER.length)).buffer), Buffer.from(HEADER), Buffer.alloc(16)]);

test("files of zip and of safetensors: whole only as long as they were", (t) => {
  const root = place(t);
  for (const [name, data] of [
    ["step_1.pt", ZIP],
    ["step_2.safetensors", SAFETENSORS],
  ] as const) {
    const cuts = Array.from({ length: 24 }, (_, k) => Math.floor((data.length * k) / 24));
    cuts.push(data.length - 1, data.length);
    for (const cut of cuts) {
      writeFileSync(join(root, name), data.subarray(0, cut));
      const [one] = scan(root).candidates.filter((each) => each.name === name);
      assert.deepEqual([one?.kind, one?.files[0]?.isWhole, one?.files[0]?.size], ["file", cut === data.length, cut], `${name} cut at ${cut} of ${data.length}`);
    }
    rmSync(join(root, name));
  }
  writeFileSync(join(root, "step_3.safetensors"), Buffer.concat([SAFETENSORS, Buffer.from("x")]));
  writeFileSync(join(root, "step_4.safetensors"), Buffer.concat([Buffer.from(BigUint64Array.of(2n ** 60n).buffer), Buffer.alloc(64)]));
  writeFileSync(join(root, "step_5.pt"), "no archive");
  assert.deepEqual(
    scan(root).candidates.map(({ files }) => files[0]?.isWhole),
    [false, false, false],
  );
});

test("steps are read from names; what has none, is one rank's, or is not ended is passed by", (t) => {
  const root = place(t);
  const steps: Readonly<Record<string, number>> = {
    "step_12.pt": 12,
    "smoke-step_8.pt": 8,
    "epoch=3-step=100.ckpt": 100,
    "ckpt-007.pth": 7,
    "model_iter_5.bin": 5,
  };
  for (const name of Object.keys(steps)) writeFileSync(join(root, name), ZIP);
  for (const name of ["model.pt", "last.ckpt", "step_9_rank3.pt", "step_9.pt.tmp", ".step_9.pt", "tmp_step_9.pt", "step_9.txt", "model_3.pt", "loss=0.32.ckpt"])
    writeFileSync(join(root, name), ZIP);
  mkdirSync(join(root, "step_77")); // of no kind that says when it is whole
  writeFileSync(join(root, "step_77/model.pt"), ZIP);
  symlinkSync("/etc", join(root, "checkpoint-99"));
  symlinkSync(join(root, "step_12.pt"), join(root, "step_98.pt"));
  execFileSync("mkfifo", [join(root, "step_97.pt")]);
  const found = scan(root);
  assert.deepEqual(Object.fromEntries(found.candidates.map(({ name, step }) => [name, step])), steps);
  assert.equal(found.problem, "");
});

test("the Trainer's directory and torch.distributed.checkpoint's, one below the root, too; what their indices promise; links and odd names are not told", (t) => {
  const root = place(t);
  const dir = join(root, "exp1/checkpoint-20");
  mkdirSync(join(dir, "optimizer_0"), { recursive: true });
  writeFileSync(join(dir, "model.safetensors.index.json"), JSON.stringify({ weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } }));
  writeFileSync(join(dir, "trainer_state.json"), '{"global_step": 20');
  writeFileSync(join(dir, "optimizer_0/.metadata"), Buffer.from("\x80\x04relative_path__0_0.distcp q __1_0.distcp q __1_0.distcp.", "latin1"));
  writeFileSync(join(dir, "vocab.txt"), "a\n");
  writeFileSync(join(dir, "scheduler.pt.nexadist-part"), "half");
  symlinkSync("/etc/passwd", join(dir, "optimizer.pt"));
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/odd-`), Buffer.from([0xff])]), "x");
  writeFileSync(`${dir}/\u001b]0;odd`, "x");
  mkdirSync(join(root, "step_3"));
  writeFileSync(join(root, "step_3/__1_0.distcp"), "shard");
  writeFileSync(join(root, "step_3/.metadata.tmp"), "not yet");
  mkdirSync(join(root, "step_4"));
  writeFileSync(join(root, "step_4/.metadata"), Buffer.from("\x80\x04relative_path__0_0.distcp", "latin1"));
  const found = Object.fromEntries(scan(root).candidates.map((one) => [one.name, one]));
  assert.deepEqual(Object.keys(found).toSorted(), ["exp1/checkpoint-20", "step_3", "step_4"]);
  const trainer = found["exp1/checkpoint-20"];
  assert.deepEqual([trainer?.kind, trainer?.step], ["hf", 20]);
  assert.deepEqual(
    trainer?.files.map(({ path, isWhole }) => [path, isWhole]),
    [
      ["model.safetensors.index.json", true],
      ["optimizer_0/.metadata", true],
      ["trainer_state.json", false],
      ["vocab.txt", true],
    ],
  );
  assert.deepEqual(trainer?.promised, {
    "model.safetensors.index.json": ["model-1.safetensors", "model-2.safetensors"],
    "optimizer_0/.metadata": ["optimizer_0/__0_0.distcp", "optimizer_0/__1_0.distcp"],
  });
  assert.deepEqual([found["step_3"]?.kind, found["step_3"]?.files.map(({ path }) => path), found["step_3"]?.promised], ["dcp", ["__1_0.distcp"], {}]);
  assert.deepEqual(
    found["step_4"]?.files.map(({ isWhole }) => isWhole),
    [false],
    "metadata that was cut",
  );
});

test("times and identity are those of the file; the newest 16 are told, and the root is left as it was", (t) => {
  const root = place(t);
  for (let k = 1; k <= 20; k++) {
    writeFileSync(join(root, `step_${k}.pt`), ZIP);
    utimesSync(join(root, `step_${k}.pt`), 1000 + k, 1000 + k);
  }
  const found = scan(root).candidates;
  assert.deepEqual(
    found.map(({ step }) => step),
    Array.from({ length: 16 }, (_, k) => 20 - k),
  );
  const info = statSync(join(root, "step_20.pt"), { bigint: true });
  assert.deepEqual([found[0]?.files[0]?.mtimeMs, found[0]?.files[0]?.id], [1_020_000, `${info.ino}:${info.mtimeNs}:${info.size}`]);
  assert.equal(execFileSync("ls", ["-A", root], { encoding: "utf8" }).split("\n").filter(Boolean).length, 20);
});

test("no directory is no problem; one that cannot be read is", (t) => {
  const root = place(t);
  assert.deepEqual(scan(join(root, "none")), { candidates: [], problem: "" });
  writeFileSync(join(root, "file"), "");
  assert.match(scan(join(root, "file")).problem, /file: Not a directory/);
});

test("what torch itself saves is whole, and its shards are named; a pickle that would run is not run", {
  skip: HAS_TORCH ? false : "no Python with torch",
}, (t) => {
  const root = place(t);
  const save = `
import os, pickle, sys, torch, torch.distributed.checkpoint as dcp
root = sys.argv[1]
model = torch.nn.Linear(64, 64)
dcp.save({"model": model.state_dict()}, checkpoint_id=f"{root}/step_3")
torch.save(model.state_dict(), f"{root}/step_5.pt")
class Trap:
    def __reduce__(self):
        return (os.mkdir, (f"{root}/sprung",))
os.mkdir(f"{root}/step_9")
pickle.dump(Trap(), open(f"{root}/step_9/.metadata", "wb"))
pickle.dump(Trap(), open(f"{root}/step_8.pt", "wb"))
`;
  execFileSync(TORCH_PYTHON, ["-W", "ignore", "-c", save, root], { stdio: "pipe" });
  const found = Object.fromEntries(scan(root).candidates.map((one) => [one.name, one]));
  assert.deepEqual(
    found["step_3"]?.files.map(({ path, isWhole }) => [path, isWhole]),
    [
      [".metadata", true],
      ["__0_0.distcp", true],
    ],
  );
  assert.deepEqual(found["step_3"]?.promised, { ".metadata": ["__0_0.distcp"] });
  assert.deepEqual([found["step_5.pt"]?.files[0]?.isWhole, found["step_8.pt"]?.files[0]?.isWhole], [true, false]);
  assert.deepEqual(found["step_9"]?.promised, { ".metadata": [] });
  assert.ok(!statSync(join(root, "sprung"), { throwIfNoEntry: false }), "nothing was unpickled");
  const whole = readFileSync(join(root, "step_5.pt"));
  for (const part of [0.2, 0.5, 0.9, 0.999]) {
    truncateSync(join(root, "step_5.pt"), Math.floor(whole.length * part));
    assert.equal(scan(root).candidates.find(({ name }) => name === "step_5.pt")?.files[0]?.isWhole, false, `cut at ${part}`);
    writeFileSync(join(root, "step_5.pt"), whole);
  }
});
