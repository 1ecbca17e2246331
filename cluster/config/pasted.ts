/** `torchrun …`, `accelerate launch …`, `deepspeed …` pasted from notes: never nested, answered with the command that does the same here. */

import { fail } from "../errors.ts";
import { isReserved } from "../launch/owned.ts";
import { quote, quoteAll } from "../launch/quote.ts";
import { type Bare, piecesOf, shellText, unwrap } from "./wrapped.ts";

type Kind = "torchrun" | "accelerate" | "deepspeed" | "composer" | "mpirun";

/** Options that take no value, `_` for `-`: torch 2.13, accelerate 1.15, DeepSpeed 0.19, Composer 0.32, Open MPI 5. Every other option takes the next word. */
const FLAGS: Readonly<Record<Kind, ReadonlySet<string>>> = {
  torchrun: new Set("m module no_python run_path standalone virtual_local_rank use_env h help".split(" ")),
  accelerate: new Set(
    "m module no_python cpu debug downcast_bf16 dynamo_use_dynamic dynamo_use_fullgraph dynamo_use_regional_compilation enable_cpu_affinity fp8_use_autocast_during_eval multi_gpu no_tpu_cluster q quiet same_network tpu tpu_cluster tpu_use_sudo use_deepspeed use_fsdp use_megatron_lm use_parallelism_config h help".split(
      " ",
    ),
  ),
  deepspeed: new Set(
    "module no_python no_ssh no_ssh_check no_local_rank force_multi elastic_training save_pid enable_each_rank_log_file bind_cores_to_rank h help".split(" "),
  ),
  composer: new Set("m module_mode c command_mode v verbose d h help".split(" ")),
  mpirun: new Set("allow_run_as_root oversubscribe nooversubscribe tag_output report_bindings display_map v verbose q quiet l h help".split(" ")),
};

const COUNTS = new Set("nproc_per_node num_processes num_gpus np n nproc npernode ppn".split(" "));
const MACHINES = new Set("nnodes num_machines num_nodes".split(" "));
/** What the ranks compute with: kept as a remark, since nexadist does not set it. */
const ABOUT_TRAINING =
  /^(mixed_precision|use_fsdp|fsdp_|use_deepspeed|deepspeed_config|zero|offload|gradient|dynamo|use_parallelism|parallelism|fp8|use_megatron|megatron|downcast|zero3|debug|enable_cpu_affinity|mpirun|bind_cores)/;

type Option = { readonly name: string; readonly words: readonly string[]; readonly value: string | null };
type Pasted = { readonly kind: Kind; readonly what: string; readonly rest: readonly string[] };

function recognise(argv: readonly string[]): Pasted | null {
  const base = (word: string | undefined): string => (word ?? "").replace(/^.*\//, "");
  const [first, second, third, fourth] = argv;
  const name = base(first);
  if (name === "torchrun") return { kind: "torchrun", what: "torchrun", rest: argv.slice(1) };
  if (name === "deepspeed") return { kind: "deepspeed", what: "deepspeed", rest: argv.slice(1) };
  if (name === "composer") return { kind: "composer", what: name, rest: argv.slice(1) };
  if (/^(mpirun|mpiexec(\.\w+)?|orterun|horovodrun)$/.test(name)) return { kind: "mpirun", what: name, rest: argv.slice(1) };
  if (name === "accelerate-launch") return { kind: "accelerate", what: name, rest: argv.slice(1) };
  if (name === "accelerate" && second === "launch") return { kind: "accelerate", what: "accelerate launch", rest: argv.slice(2) };
  if (!/^python(3(\.\d+)?)?$/.test(name)) return null;
  if (second === "-u") return recognise([first ?? "", ...argv.slice(2)]);
  if (second !== "-m") return null;
  const what = `${name} -m ${third}`;
  if (third === "torch.distributed.run" || third === "torch.distributed.launch") return { kind: "torchrun", what, rest: argv.slice(3) };
  if (third === "accelerate.commands.launch") return { kind: "accelerate", what, rest: argv.slice(3) };
  if (third === "accelerate.commands.accelerate_cli" && fourth === "launch") return { kind: "accelerate", what: `${what} launch`, rest: argv.slice(4) };
  if (third === "deepspeed" || third === "deepspeed.launcher.runner") return { kind: "deepspeed", what, rest: argv.slice(3) };
  return null;
}

type Found = Bare & { readonly pasted: Pasted; readonly isRaw: boolean; readonly others: readonly string[] };

/** The launcher behind whatever stands in front of it; null: none. */
function find(argv: readonly string[], isRaw = false, others: readonly string[] = []): Found | null {
  const bare = unwrap(argv);
  const pasted = recognise(bare.argv);
  if (pasted !== null) return { ...bare, pasted, isRaw, others };
  const text = shellText(bare.argv);
  if (text === null) return null;
  for (const piece of piecesOf(text)) {
    const inner = find(piece.words, isRaw || piece.isRaw, [...others, ...piece.others]);
    if (inner !== null) return { ...inner, env: [...bare.env, ...inner.env], off: [...bare.off, bare.argv.slice(0, -1), ...inner.off] };
  }
  return null;
}

/** `up` is the start of the command to paste back. Errors: PASTED_LAUNCHER. */
export function refusePastedLauncher(argv: readonly string[], up: string): void {
  const found = find(argv);
  if (found === null) return;
  const { pasted } = found;
  const { options, rest } = splitOptions(pasted);
  const has = (...names: string[]): boolean => options.some(({ name }) => names.includes(name));
  const value = (name: string): string | null => options.findLast((option) => option.name === name)?.value ?? null;
  const set = pasted.kind === "accelerate" ? [" --set backend=accelerate"] : [];
  const config = pasted.kind === "accelerate" ? value("config_file") : null;
  if (config !== null) set.push(` --set ${quote(`job.accelerate_config=${config}`)}`);
  for (const [name, text] of found.env) if (!isOurs(name)) set.push(` --set ${quote(`env.${name}=${yamlText(text)}`)}`);
  const job = has("m", "module", "module_mode")
    ? ["-m", ...rest]
    : pasted.kind === "mpirun" || has("no_python", "run_path", "c", "command_mode") || /\.py$/.test(rest[0] ?? "") || rest.length === 0
      ? rest
      : ["python", ...rest];
  const words = found.isRaw ? job : quoteAll(job);
  const command = `${up}${set.join("")}${job.length === 0 ? "" : ` -- ${words.join(" ")}`}`;
  throw fail("PASTED_LAUNCHER", { what: pasted.what, command, remarks: [...remarks(pasted, options), ...remarksOnFront(found)].join("; ") });
}

/** Which ranks there are and which GPUs they see is the file's to say. */
const isOurs = (name: string): boolean => name === "CUDA_VISIBLE_DEVICES" || isReserved(name);

/** --set reads YAML. */
const yamlText = (text: string): string => (/^[\w./,+-]+$/.test(text) ? text : JSON.stringify(text));

function remarksOnFront({ env, off, others, isRaw }: Found): string[] {
  const ours = env.filter(([name]) => isOurs(name));
  const said: string[] = [];
  if (ours.length > 0) said.push(`nexadist sets itself: ${ours.map(([name, value]) => quote(`${name}=${value}`)).join(" ")} (\`gpus:\` of a host says which)`);
  if (off.length > 0)
    said.push(`left out: ${off.map((words) => quoteAll(words).join(" ")).join(", ")} (an environment is \`python:\` or \`setup:\` of the file)`);
  if (others.length > 0) said.push(`not carried over: ${others.join("; ")} (\`setup:\` of the file is run before the ranks)`);
  if (isRaw) said.push("what a shell there would have expanded is for you to fill in");
  return said;
}

function remarks({ kind }: Pasted, options: readonly Option[]): string[] {
  const text = ({ words }: Option): string => quoteAll(words).join(" ");
  const counts = options.filter(({ name }) => COUNTS.has(name));
  const machines = options.filter(({ name }) => MACHINES.has(name));
  const training = options.filter(({ name }) => ABOUT_TRAINING.test(name));
  const special = new Set(["config_file", "m", "module", "module_mode", "c", "command_mode", "no_python", "run_path"]);
  const dropped = options.filter((option) => !COUNTS.has(option.name) && !MACHINES.has(option.name) && !special.has(option.name) && !training.includes(option));
  const said: string[] = [];
  if (counts.length > 0)
    said.push(`${counts.map(text).join(" ")} is \`gpus:\` of each host${kind === "accelerate" ? " (accelerate counts all hosts together)" : ""}`);
  if (machines.length > 0) said.push(`${machines.map(text).join(" ")} is the number of hosts under \`cluster:\``);
  if (dropped.length > 0) said.push(`nexadist sets itself: ${dropped.map(text).join(" ")}`);
  if (training.length > 0)
    said.push(
      `not carried over: ${training.map(text).join(" ")} (${kind === "accelerate" ? "put it in the file that job.accelerate_config names" : "pass it to the script"})`,
    );
  if (kind === "deepspeed") said.push("deepspeed also passes --local_rank to the script; here LOCAL_RANK is set instead");
  if (kind === "mpirun") said.push("RANK, WORLD_SIZE and LOCAL_RANK are set instead of MPI's own; a job that must have MPI: backend: command");
  return said;
}

function splitOptions({ kind, rest }: Pasted): { readonly options: readonly Option[]; readonly rest: readonly string[] } {
  const options: Option[] = [];
  let i = 0;
  for (; i < rest.length; i++) {
    const word = rest[i] ?? "";
    if (word === "--") return { options, rest: rest.slice(i + 1) };
    const match = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word);
    if (match === null) break;
    const name = (match[1] ?? "").replaceAll("-", "_");
    const next = rest[i + 1];
    if (match[2] !== undefined) options.push({ name, words: [word], value: match[2] });
    else if (FLAGS[kind].has(name) || next === undefined) options.push({ name, words: [word], value: null });
    else if (/^g?mca$/.test(name)) {
      options.push({ name, words: rest.slice(i, i + 3), value: next });
      i += 2;
    } else options.push({ name, words: [word, rest[++i] ?? ""], value: next });
  }
  return { options, rest: rest.slice(i) };
}
