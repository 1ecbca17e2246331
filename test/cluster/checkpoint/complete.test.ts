/** Which saved steps count: every part there, by one attempt, on whatever disks; a torn one never does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { shipments, standing } from "../../../cluster/checkpoint/last-complete.ts";
import { attemptAt, type Candidate, type FileFact, type HostScan, isInside, scanReply } from "../../../cluster/checkpoint/scan.ts";

const file = (path: string, over: Partial<FileFact> = {}): FileFact => ({
  path,
  size: 10,
  mtimeMs: 0,
  id: `${path}:${Math.random()}`,
  isWhole: true,
  attempt: 1,
  ...over,
});
const dcp = (step: number, files: readonly FileFact[], shards?: readonly string[]): Candidate => ({
  name: `step_${step}`,
  step,
  kind: "dcp",
  files: [...files],
  promised: shards === undefined ? {} : { ".metadata": [...shards] },
});
const hf = (step: number, files: readonly FileFact[], promised: Record<string, string[]> = {}): Candidate => ({
  name: `checkpoint-${step}`,
  step,
  kind: "hf",
  files: [...files],
  promised,
});
const on = (host: string, ...candidates: Candidate[]): HostScan => ({ host, candidates });
const two = (): number => 2;
const names = (scans: readonly HostScan[], world = two): readonly string[] => standing(scans, world).complete.map(({ name }) => name);

const SHARDS = ["__0_0.distcp", "__1_0.distcp"];
const halves = (step: number, over: Partial<FileFact> = {}): HostScan[] => [
  on("a", dcp(step, [file(".metadata", over), file("__0_0.distcp", over)], SHARDS)),
  on("b", dcp(step, [file("__1_0.distcp", over)])),
];

test("shards on two disks are one checkpoint, and each host is sent the other's, the metadata last", () => {
  const [best] = standing(halves(7), two).complete;
  assert.equal(best?.step, 7);
  assert.deepEqual(
    shipments(best ?? assert.fail(), ["a", "b"]).map(({ path, from, to }) => [path, from, to]),
    [
      ["__0_0.distcp", "a", ["b"]],
      ["__1_0.distcp", "b", ["a"]],
      [".metadata", "a", ["b"]],
    ],
  );
});

test("a spare gets all of it; a file that both see on a shared disk is sent to neither", () => {
  const shared = [file(".metadata", { id: "1:1:1" }), ...SHARDS.map((path) => file(path, { id: `${path}:1` }))];
  const seenLater = shared.map((each) => ({ ...each, attempt: 0 })); // the spare was not there when it was saved
  const scans = [on("a", dcp(7, shared, SHARDS)), on("c", dcp(7, seenLater, SHARDS)), on("d")];
  const [best] = standing(scans, two).complete;
  assert.deepEqual(shipments(best ?? assert.fail(), ["a", "c"]), []);
  assert.deepEqual(
    shipments(best ?? assert.fail(), ["c", "d"]).map(({ to }) => to),
    [["d"], ["d"], ["d"]],
  );
});

test("a shard that lies on a host that does not answer: the step before counts, and what lacks is said", () => {
  const older = halves(5);
  const scans = [on("a", dcp(7, [file(".metadata"), file("__0_0.distcp")], SHARDS), ...(older[0]?.candidates ?? [])), ...older.slice(1)];
  const { complete, passedOver } = standing(scans, two);
  assert.deepEqual(
    complete.map(({ step }) => step),
    [5],
  );
  assert.deepEqual(passedOver, [{ name: "step_7", step: 7, files: ["__1_0.distcp"], wasSaved: true }]);
});

test("parts of two attempts are no checkpoint, whichever way they are spread; each attempt's own are", () => {
  const [a, b] = halves(7);
  const mixed = [a ?? assert.fail(), on("b", dcp(7, [file("__1_0.distcp", { attempt: 2 })]))];
  assert.deepEqual(names(mixed), []);
  assert.deepEqual(names([...mixed, on("c", dcp(7, [file("__1_0.distcp")]))]), ["step_7"]);
  assert.deepEqual(names([a ?? assert.fail(), b ?? assert.fail()]), ["step_7"]);
  const again = standing(
    [a ?? assert.fail(), on("b", dcp(7, [file("__1_0.distcp", { attempt: 1 })])), on("c", dcp(9, [file(".metadata", { attempt: 2 })], []))],
    two,
  );
  assert.deepEqual([again.complete[0]?.attempt, again.passedOver.map(({ name }) => name)], [1, ["step_9"]]);
});

test("what was there before the run is not gone on from", () => {
  assert.deepEqual(names(halves(7, { attempt: 0 })), []);
});

const saved = (more: readonly string[] = []): FileFact[] =>
  ["model.safetensors", "optimizer.pt", "scheduler.pt", "training_args.bin", "trainer_state.json", "rng_state_0.pth", ...more].map((path) => file(path));

test("the Trainer's: rank 0's files on one disk, each rank's random state on its own", () => {
  const rest = on("b", hf(10, [file("rng_state_1.pth")]));
  assert.deepEqual(names([on("a", hf(10, saved())), rest]), ["checkpoint-10"]);
  for (const lacking of ["model.safetensors", "trainer_state.json", "rng_state_0.pth"]) {
    const files = saved().filter(({ path }) => path !== lacking);
    const { complete, passedOver } = standing([on("a", hf(10, files)), rest], two);
    assert.deepEqual([complete.length, passedOver[0]?.files, passedOver[0]?.wasSaved], [0, [lacking], lacking !== "trainer_state.json"], lacking);
  }
  assert.deepEqual(names([on("a", hf(10, saved()))]), [], "rank 1 was still writing when rank 0 had ended");
  assert.equal(standing([on("a", hf(10, saved()))], two, true).complete.length, 1, "rank 1's host is gone, its random state with it: no step is lost for that");
  const onlyState = standing([on("b", hf(10, [file("rng_state_1.pth")]))], two, true);
  assert.deepEqual([onlyState.complete.length, onlyState.passedOver[0]?.wasSaved], [0, true], "rank 0's host is gone, and all else with it");
  const halfState = on("b", hf(10, [file("rng_state_1.pth", { isWhole: false })]));
  assert.equal(standing([on("a", hf(10, saved())), halfState], two, true).complete.length, 0, "a torn one would be read");
  const torn = saved().map((each) => (each.path === "optimizer.pt" ? { ...each, isWhole: false } : each));
  assert.deepEqual(names([on("a", hf(10, torn)), rest]), []);
  assert.deepEqual(
    names([on("a", hf(10, [file("rng_state.pth"), ...saved().slice(0, 5)]))], () => 1),
    ["checkpoint-10"],
    "one rank",
  );
  assert.deepEqual(names([on("a", hf(10, [file("model.safetensors"), file("trainer_state.json")]))]), ["checkpoint-10"], "save_only_model");
  assert.deepEqual(names([on("a", hf(10, [file("trainer_state.json")]))]), [], "no weights");
});

test("the Trainer's with shards: of safetensors by their index, of FSDP by their metadata", () => {
  const index = { "model.safetensors.index.json": ["model-1.safetensors", "model-2.safetensors"] };
  const parts = [file("model.safetensors.index.json"), file("model-1.safetensors"), file("trainer_state.json")];
  assert.deepEqual(names([on("a", hf(10, parts, index))]), []);
  assert.deepEqual(names([on("a", hf(10, [...parts, file("model-2.safetensors")], index))]), ["checkpoint-10"]);
  const fsdp = [file("pytorch_model_fsdp_0/__0_0.distcp"), file("trainer_state.json")];
  assert.deepEqual(names([on("a", hf(10, fsdp))]), [], "shards without metadata");
  const metadata = { "pytorch_model_fsdp_0/.metadata": ["pytorch_model_fsdp_0/__0_0.distcp", "pytorch_model_fsdp_0/__1_0.distcp"] };
  const other = on("b", hf(10, [file("pytorch_model_fsdp_0/__1_0.distcp")]));
  const whole = on("a", hf(10, [...fsdp, file("pytorch_model_fsdp_0/.metadata")], metadata));
  assert.deepEqual([names([whole]), names([whole, other])], [[], ["checkpoint-10"]]);
});

test("whatever moment a save is cut at, on any spread over hosts, only a save that had ended counts", () => {
  /** The order in which files come to be; `#` is the same file, not whole yet. */
  const orders = {
    dcp: ["__0_0.distcp#", "__1_0.distcp#", "__1_0.distcp", "__0_0.distcp", ".metadata"],
    hf: [
      "model.safetensors#",
      "model.safetensors",
      "optimizer.pt#",
      "optimizer.pt",
      "rng_state_0.pth",
      "trainer_state.json",
      "rng_state_1.pth#",
      "rng_state_1.pth",
    ],
  };
  fc.assert(
    fc.property(
      fc.constantFrom("dcp" as const, "hf" as const),
      fc.array(fc.record({ cut: fc.nat(8), places: fc.tuple(fc.nat(2), fc.nat(2)), silent: fc.nat(5) }), {
        minLength: 1,
        maxLength: 6,
      }),
      (kind, attempts) => {
        const hosts: Candidate[][] = [[], [], []];
        const ended = new Set<number>();
        attempts.forEach(({ cut, places, silent }, k) => {
          const order = orders[kind];
          const steps = order.slice(0, cut);
          const last = new Map(steps.map((each) => [each.replace("#", ""), !each.endsWith("#")] as const));
          const paths = [...last.keys()];
          const at = (path: string): number => places[/_1(_0)?\./.test(path) ? 1 : 0]; // what a rank writes lies where it ran
          if (cut >= order.length && paths.every((path) => at(path) !== silent)) ended.add(k + 1);
          for (const [path, isWhole] of last) {
            if (at(path) === silent) continue;
            const one = file(path, { isWhole, attempt: k + 1 });
            // One step trained again by every attempt, and one that each has for itself.
            for (const step of [5, 100 + k]) {
              const candidate = kind === "dcp" ? dcp(step, [one], path === ".metadata" ? SHARDS : undefined) : hf(step, [one]);
              hosts[at(path)]?.push(candidate);
            }
          }
        });
        const found = standing(
          hosts.map((candidates, k) => on(`h${k}`, ...candidates)),
          two,
        ).complete;
        assert.deepEqual(new Set(found.map(({ attempt }) => attempt)), ended);
        for (const { parts } of found) for (const [path, part] of parts) assert.ok(part.isWhole, path);
      },
    ),
    { numRuns: 3000 },
  );
});

test("a file's attempt is the last that had begun when it was written", () => {
  const began = new Map([
    [2, 200],
    [1, 100],
    [4, 400],
  ]);
  assert.deepEqual(
    [50, 100, 399, 400, 900].map((at) => attemptAt(at, began)),
    [0, 1, 2, 4, 4],
  );
});

test("names that lead elsewhere are refused, from whichever host", () => {
  for (const path of ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a\0b", "a\u001b]0;b", "x".repeat(256)]) assert.equal(isInside(path), false, path);
  for (const path of ["a", "checkpoint-1/rng_state_0.pth", "..a/b..", ".metadata"]) assert.equal(isInside(path), true, path);
  const reply = (name: string, path: string) => ({ candidates: [{ name, step: 1, kind: "hf", files: [file(path)], promised: {} }], problem: "" });
  assert.equal(scanReply.safeParse(reply("checkpoint-1", "model.safetensors")).success, true);
  assert.equal(scanReply.safeParse(reply("../.ssh", "authorized_keys")).success, false);
  assert.equal(scanReply.safeParse(reply("checkpoint-1", "../../.bashrc")).success, false);
});
