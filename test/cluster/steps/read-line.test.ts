/** What the lines of trainers say: real output of each, and what looks like a step and is none. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { type Pace, watchPace } from "../../../cluster/steps/pace.ts";
import { readLine } from "../../../cluster/steps/read-line.ts";
import { paceWords } from "../../../cluster/view/pace-words.ts";

const linesOf = (name: string): string[] => readFileSync(fileURLToPath(new URL(`../../samples/steps/${name}`, import.meta.url)), "utf8").split(/[\r\n]+/);

/** Every pace that reading these files one after the other gives, a line each 300 ms. */
function paces(...names: readonly string[]): Pace[] {
  const watch = watchPace();
  const seen: Pace[] = [];
  let at = 0;
  for (const line of names.flatMap(linesOf)) {
    at += 300;
    const { said } = readLine(line);
    if (said === null) continue;
    watch.say(0, said, at);
    const pace = watch.pace();
    if (pace !== null) seen.push(pace);
  }
  return seen;
}
const last = (...names: readonly string[]): Pace => paces(...names).at(-1) ?? assert.fail();

test("Hugging Face's Trainer: the bar's step, the line's loss; an evaluation's bar is no step", () => {
  const seen = paces("hf-trainer.out.txt", "hf-trainer.err.txt");
  assert.ok(seen.every(({ total }) => total === null || total === 30));
  const { step, total, epoch, loss, isInEpoch, rate } = seen.at(-1) ?? assert.fail();
  assert.deepEqual([step, total, epoch, loss, isInEpoch], [30, 30, 0.9375, 4.327, false]);
  assert.deepEqual(rate, { value: 2.983, of: "samples", isPerGpu: false });
  const bare = last("hf-trainer-no-tqdm.out.txt");
  assert.deepEqual([bare.step, bare.epoch, bare.loss], [null, 0.9375, 4.333]);
  assert.deepEqual(last("hf-trainer-tokens.out.txt").rate, { value: 5012, of: "tokens", isPerGpu: false });
});

test("Lightning, with tqdm and with rich: steps of an epoch; its validation and its sanity check are none", () => {
  const seen = paces("lightning-tqdm.txt");
  assert.ok(seen.every(({ total, isInEpoch }) => total === 50 && isInEpoch));
  const { step, epoch, loss } = seen.at(-1) ?? assert.fail();
  assert.deepEqual([step, epoch, loss], [50, 1, 1.93]);
  const rich = last("lightning-rich.txt");
  assert.deepEqual([rich.step, rich.total, rich.epoch, rich.loss], [50, 50, 1, 0.403]);
});

test("nanoGPT, torchtitan, axolotl, Megatron, MaxText", () => {
  const nano = last("nanogpt.txt");
  assert.deepEqual([nano.step, nano.total, nano.loss], [60, null, 4.3299]);
  assert.ok(nano.stepMs !== null && nano.stepMs > 30 && nano.stepMs < 3000);
  const [titan] = paces("torchtitan.txt");
  assert.deepEqual([titan?.step, titan?.loss, titan?.rate], [22, 6.225, { value: 193_831, of: "tokens", isPerGpu: true }]);
  const axolotl = last("axolotl.txt");
  assert.deepEqual([axolotl.step, axolotl.total, axolotl.epoch, axolotl.loss, axolotl.stepMs], [284, 873, 1, 0.4766, 4905]);
  const megatron = last("megatron.txt");
  assert.deepEqual([megatron.step, megatron.total, megatron.loss, megatron.stepMs], [44, 100, 1.875063, (5444.9 + 5533.8) / 2]);
  assert.equal(megatron.leftMs, 56 * ((5444.9 + 5533.8) / 2));
  const max = last("maxtext.txt");
  assert.deepEqual([max.step, max.loss, max.stepMs, max.rate], [9, 10.374, 5667, { value: 8672.758, of: "tokens", isPerGpu: true }]);
});

test("lines of people's own loops", () => {
  for (const [line, step, total, loss] of [
    ["step=15 loss=0.4321", 15, null, 0.4321],
    ["Step 120/1000, Loss: 2.31", 120, 1000, 2.31],
    ["[2026-11-24 10:00:00] INFO step 7 | loss 3.1e-2 | lr 1e-4", 7, null, 0.031],
    ["Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300039", 640, 60_000, 2.300039],
    ["global_step: 1,200 train/loss: 1.5", 1200, null, 1.5],
    ['{"step": 30, "loss": 0.25, "lr": 0.001}', 30, null, 0.25],
    ["epoch=0/micro_step=10/global_step=40, RunningAvgSamplesPerSec=12.5, CurrSamplesPerSec=13.5", 40, null, null],
    ["\u001b[31mstep:  3  \u001b[32mloss:  8.1\u001b[39m", 3, null, 8.1],
    ["iteration 5 of 10: loss nan", 5, 10, Number.NaN],
    // In the shapes of other trainers, not captured: Lightning of before, torchtune, LitGPT, Composer, NeMo, torch's ImageNet example, MMEngine, Detectron2, DeepSpeed.
    ["Epoch 0:  20%|██        | 10/50 [00:00<00:02, 19.84it/s, v_num=0, train_loss_step=1.470, train_loss_epoch=2.1]", 10, 50, 1.47],
    ["1|25|Loss: 1.2345:  12%|█▎        | 25/200 [00:30<03:30,  1.20s/it]", 25, 200, 1.2345],
    ["Epoch 1 | iter 12 step 3 | loss train: 1.234, val: n/a | iter time: 123.45 ms (step)", 12, null, 1.234],
    ["[batch=20/3000]: Train time/batch: 19 Train loss/train/total: 7.2153", 20, 3000, 7.2153],
    ["Training epoch 0, iteration 10/499 | lr: 1e-05 | global_step: 10 | reduced_train_loss: 11.03 | train_step_timing in s: 12.2", 10, 499, 11.03],
    ["Epoch: [0][ 10/5005]\tTime  0.312 ( 0.512)\tData  0.001 ( 0.201)\tLoss 6.9721e+00 (7.0012e+00)", 10, 5005, 6.9721],
    ["2026/11/24 10:00:00 - mmengine - INFO - Epoch(train)  [1][ 50/391]  lr: 1.0e-02  eta: 0:10:00  time: 0.1  data_time: 0.01  loss: 2.1", 50, 391, 2.1],
    ["[11/24 10:00:00 d2.utils.events]:  eta: 0:10:00  iter: 19  total_loss: 2.3  loss_cls: 1.1  time: 0.52  lr: 0.0002", 19, null, 2.3],
    ["[2026-11-24 10:00:00,000] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=0, lr=[1e-05], mom=[[0.9, 0.999]]", 10, null, null],
    ["[rank0]:120it [00:10, 11.9it/s, loss=0.5]", 120, null, 0.5],
  ] as const) {
    const { said } = readLine(line);
    assert.deepEqual([said?.step, said?.total, said?.loss], [step, total, loss], line);
  }
});

test("what is no step of a training", () => {
  for (const line of [
    "  Total optimization steps = 1,000",
    "  Gradient Accumulation steps = 4",
    "max_steps=500 logging_steps=10 save_step=100",
    "Loading checkpoint shards:  50%|█████     | 2/4 [00:10<00:10,  5.00s/it]",
    "Map:  45%|████▌     | 4500/10000 [00:01<00:01, 4321.00 examples/s]",
    "tokenizer.json: 100%|██████████| 7.15M/7.15M [00:00<00:00, 9.24MB/s]",
    "Writing model shards: 100%|██████████| 1/1 [00:00<00:00, 28.77it/s]",
    "{'eval_loss': '4.32', 'eval_runtime': '0.2945', 'eval_samples_per_second': '217.3', 'epoch': '0.9375'}",
    "validate step: 10  loss:  6.1  memory:  1.41GiB(1.79%)  tps: 1,000",
    "Saving model checkpoint to out/checkpoint-500",
    "number of parameters: 124.44M",
    "step_time is on; timestep embedding 320",
    "",
  ]) {
    const { said } = readLine(line);
    assert.deepEqual([said?.step ?? null, said?.loss ?? null], [null, null], line);
  }
});

test("a pattern of the file goes first; what it does not take is read as ever", () => {
  const pattern = /^S(?<step>\d+)\/(?<total>\d+) l=(?<loss>[\d.]+) t=(?<step_time>[\d.]+) (?<tokens_per_second>\d+)tk$/;
  const { kind, said } = readLine("S12/400 l=1.5 t=0.25 9000tk", pattern);
  assert.deepEqual([kind, said?.step, said?.total, said?.loss, said?.stepMs, said?.rate?.value], ["step", 12, 400, 1.5, 250, 9000]);
  assert.equal(readLine("step 3 loss 2", pattern).said?.step, 3);
});

test("nexa_dist.step is believed before all else, on every rank", () => {
  const watch = watchPace();
  for (let step = 1; step <= 4; step += 1) {
    for (const [rank, busy] of [
      [0, 0.1],
      [1, 0.3],
    ] as const) {
      watch.say(rank, readLine(`nexadist: step=${step}/10 loss=0.5 tokens/s=100 busy=${busy}`).said ?? assert.fail(), step * 1000);
    }
    watch.say(0, readLine(`step ${step + 500} loss 9`).said ?? assert.fail(), step * 1000);
  }
  const pace = watch.pace();
  assert.deepEqual([pace?.rank, pace?.step, pace?.total, pace?.stepMs, pace?.leftMs], [0, 4, 10, 1000, 6000]);
  assert.deepEqual(
    [...watch.busyMs()],
    [
      [0, 100],
      [1, 300],
    ],
  );
});

test("steps of ranks that do not wait for each other are told apart, once there are enough of them", () => {
  const watch = watchPace();
  for (let n = 1; n <= 40; n += 1) {
    for (const [rank, paceMs] of [
      [0, 1000],
      [1, 2500],
    ] as const) {
      watch.say(rank, readLine(`step ${n} loss 1`).said ?? assert.fail(), n * paceMs);
    }
    if (n === 10) assert.equal(watch.stepMs().size, 0);
  }
  assert.deepEqual(
    [...watch.stepMs()],
    [
      [0, 1000],
      [1, 2500],
    ],
  );
});

test("the pace follows the stage that counts now; steps that begin anew make no negative time", () => {
  const watch = watchPace();
  const bar = (n: number, total: number, name: string, at: number): void =>
    watch.say(0, readLine(`${name}: 10%|#   | ${n}/${total} [00:10<01:00, 2.00it/s]`).said ?? assert.fail(), at);
  for (let n = 0; n <= 100; n += 1) bar(n, 100, "warmup", n * 500);
  for (let n = 0; n <= 60; n += 1) bar(n, 1000, "train", 50_000 + n * 500);
  assert.deepEqual([watch.pace()?.step, watch.pace()?.total], [60, 1000]);
  const own = watchPace();
  for (const [step, at] of [
    [1, 1000],
    [2, 2000],
    [3, 3000],
    [1, 4000],
    [2, 6000],
  ] as const) {
    own.say(0, readLine(`step ${step}: loss 1`).said ?? assert.fail(), at);
  }
  assert.equal(own.pace()?.stepMs, 2000);
});

test("in words", () => {
  assert.equal(paceWords(null, 2), "");
  assert.equal(paceWords(last("megatron.txt"), 8), "step 44 of 100, loss 1.875, 5.489 s a step, 5 min 7 s left");
  const [titan = null] = paces("torchtitan.txt");
  assert.equal(paceWords(titan, 2), "step 22, loss 6.225, 387662 tokens/s");
});

test("any line at all is read, and none takes long", () => {
  const bits = ["step ", "loss: ", "100%|", "| 3/4 [", "it/s]", "━", "1,1,1", ".", "e+", "\u001b[A", " ", "=", "tokens/s", "\t", "'", "nexadist: step=", "/"];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...bits), fc.string())), (parts) => {
      const { said } = readLine(parts.join(""));
      for (const value of [said?.step, said?.total]) assert.ok(value === undefined || value === null || !(value < 0));
    }),
  );
  // Quadratic or worse would take minutes.
  for (const bit of bits) for (let times = 0; times < 20; times += 1) readLine(bit.repeat(1000));
});
