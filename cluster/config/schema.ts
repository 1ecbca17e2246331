/** The cluster file. One strict schema: what it does not name is an error. The editors' JSON schema and `config schema` are made from it. */

import * as z from "zod";
import { NOTICE_KINDS } from "../notify/spec.ts";
import { BACKENDS, LAUNCHERS } from "./backends.ts";
import * as f from "./fields.ts";
import { MAX_HOSTS } from "./host-range.ts";
import { CHECKPOINT, MIN_SUSPECT_MS, ON_HANG, ON_HOST_LOSS } from "./recovery.ts";
import { stepPattern } from "./step-pattern.ts";
import { durationMs } from "./units.ts";

const map = (what: string) => ({ error: (issue: { readonly code?: string }) => (issue.code === "invalid_type" ? `expected ${what}` : undefined) });

const learned = z.union([z.literal("auto"), f.positiveDuration], { error: "expected a duration such as 20m, or auto" });
const codeWords = "expected exit codes: whole numbers, 1 to 255";
const exitCodes = z.array(f.whole(1, 255), codeWords).refine((codes) => new Set(codes).size === codes.length, "the same code is here twice");

/** What `defaults:` and every entry of `cluster:` may say. */
const hostKeys = {
  user: f.user.describe("who logs in there; absent: what ssh_config says").optional(),
  port: f.port.describe("of its SSH server; absent: what ssh_config says").optional(),
  identity: f.text("the path of a private key").describe("private key on this machine, relative to this file").optional(),
  transport: f.choice(["ssh", "local"]).describe("local: a directory of this machine stands for the host; default ssh").optional(),
  address: f.host.describe("what the other hosts use to reach it, when it is not `host`").optional(),
  interface: f.networkInterface.describe("network interface for the ranks; absent: the one that holds the address").optional(),
  python: f
    .text("a path")
    .describe("a python, or a virtual or conda environment, relative to the home there; absent: python, else python3, on its PATH")
    .optional(),
  setup: f.lines
    .describe(
      "a file of this machine, or lines, for `bash -l` there before the ranks; what it exports reaches them; a line that fails ends the start, but for `|| true`",
    )
    .optional(),
  workdir: f.text("a directory").describe("root of the code that travels, relative to this file; with --no-sync the directory on the hosts").optional(),
  env: f.env.describe("environment of the ranks; a value env:NAME or file:PATH is read on this machine and is secret").optional(),
  gpus: f.gpus.describe("a count, a list of indices or UUIDs, auto (default: all), or 0 with `slots`").optional(),
  slots: f.whole(1, 1024).describe("CPU ranks of a host with gpus: 0").optional(),
  price_per_hour: f.price.describe("what an hour of the host costs, in dollars: the manifest of a run sums it up").optional(),
};

const entry = z.strictObject({ host: f.host.describe("name or address; gpu[01-16] is sixteen hosts"), ...hostKeys }, map("a host: `- host: NAME`"));
const defaults = z.strictObject(hostKeys, map("a map of host keys"));
const cluster = z
  .union(
    [f.text("a list of hosts, or a file that holds it"), z.array(entry).min(1, "expected at least one host").max(MAX_HOSTS, `more than ${MAX_HOSTS} hosts`)],
    {
      error: "expected a list of hosts, or a file that holds it",
    },
  )
  .describe("the hosts in the order of their ranks, or the path of a file that holds them");

const spares = z
  .array(entry, "expected a list of hosts")
  .max(MAX_HOSTS, `more than ${MAX_HOSTS} hosts`)
  .describe("hosts that are kept ready and take the place of lost ones, with restart.on_host_loss: spare");

const job = z.strictObject(
  {
    script: f.text("the path of a script").describe("Python file, relative to workdir, else to where `up` runs").optional(),
    module: f.moduleName.describe("Python module, as for python -m").optional(),
    command: z
      .union([f.text("a command"), z.array(f.word).min(1, "expected at least one word")], { error: "expected a command: one line, or a list of words" })
      .describe("any program: a line without shell syntax, or a list of words")
      .optional(),
    args: z.array(f.word, "expected a list of words").describe("arguments of the script, module or command").optional(),
    accelerate_config: f.text("a path").describe("Hugging Face accelerate configuration, relative to this file").optional(),
    resume_args: z
      .array(f.word, "expected a list of words")
      .min(1, "expected at least one word")
      .refine((words) => words.some((word) => word.includes(CHECKPOINT)), `one of the words must hold ${CHECKPOINT}, which stands for its path`)
      .describe("added to the arguments when there is a checkpoint to go on from, {checkpoint} being its path: [--resume_from_checkpoint, '{checkpoint}']")
      .optional(),
    step_pattern: stepPattern
      .describe(
        "regular expression for lines that no trainer we know prints; named groups: step, total, epoch, loss, step_time (s), tokens_per_second, samples_per_second",
      )
      .optional(),
    per: f.choice(["host", "gpu"]).describe("launcher command: one process per host (default) or per GPU or slot").optional(),
  },
  map("a map with script, module or command"),
);

const settings = {
  name: f.runName.describe("of the runs; default: the file's name").optional(),
  min_hosts: f.whole(1, 1024).describe("start with this many when others cannot be reached; default: all").optional(),
  defaults: defaults.describe("what every host has unless its entry says otherwise").optional(),
  backend: f.choice(BACKENDS).describe("what runs the ranks; default torch.distributed").optional(),
  launcher: f.choice(LAUNCHERS).describe("finer choice within the backend").optional(),
  rdzv: f.endpoint.describe("host or host:port where the ranks meet; default: the first host, a fresh port").optional(),
  rdzv_ports: f.ports.describe("range that fresh ports are taken from, such as 20000-20100").optional(),
  env: f.env.describe("environment of all ranks; a value env:NAME or file:PATH is read on this machine and is secret").optional(),
  env_file: f.text("a path").describe("file of KEY=VALUE lines, all secret, relative to this file").optional(),
  timeouts: z
    .strictObject(
      {
        connect: f.positiveDuration.describe("to reach a host; default 30s").optional(),
        start: f.positiveDuration.describe("until all rank processes have started; default 10m").optional(),
        stop_grace: f.duration.describe("between SIGTERM and SIGKILL; default 30s").optional(),
        run: z
          .union([z.literal("none"), f.positiveDuration])
          .describe("for the whole run; default none")
          .optional(),
        suspect: f.duration
          .refine((value) => (durationMs(value) ?? 0) >= MIN_SUSPECT_MS, `expected ${MIN_SUSPECT_MS / 1000}s or more: a busy host is silent for a moment, too`)
          .describe("silence of a host until it counts as unseen; default 6s")
          .optional(),
        lost: f.positiveDuration.describe("silence of a host until a second witness may call it lost; default 10s").optional(),
        hang: learned.describe("without progress until a run counts as hung; default auto: learned from its own steps").optional(),
        first_step: learned.describe("the same before the first progress; default auto").optional(),
      },
      map("a map of durations"),
    )
    .optional(),
  restart: z
    .strictObject(
      {
        max: f
          .whole(0, 1000)
          .describe("attempts that failures of the program may cost beyond the first; progress refills it; default 3, for backend command 0")
          .optional(),
        backoff: f.duration.describe("before the first restart; doubles with each without progress; default 2s").optional(),
        on_host_loss: f.choice(ON_HOST_LOSS).describe("when a host is lost: wait for it (default), take a spare, go on with fewer, or fail").optional(),
        on_hang: f.choice(ON_HANG).describe("when a run hangs: report it (default), restart, or stop").optional(),
        stop_codes: exitCodes.describe("exit codes of a rank that end the run at once").optional(),
        retry_codes: exitCodes.describe("exit codes of a rank that ask for another attempt, also when the same happened before").optional(),
      },
      map("a map with max, on_host_loss and the like"),
    )
    .optional(),
  logs: z
    .strictObject(
      { quota: f.size.describe("kept on the host of each log file; default 2GiB (the controller's copy ends only where its disk does)").optional() },
      map("a map"),
    )
    .optional(),
  paths: z
    .strictObject(
      {
        scratch: f.text("a path").describe("fast local disk on the hosts; {scratch}/{run}/rank_{n} is made, NEXA_SCRATCH names it").optional(),
        durable: f.text("a path").describe("survives the run: NEXA_DURABLE").optional(),
        shared: f.text("a path").describe("the same on all hosts: NEXA_SHARED").optional(),
        checkpoints: f.text("a path").describe("where checkpoints go: NEXA_CHECKPOINTS").optional(),
      },
      map("a map of paths"),
    )
    .optional(),
  notify: z
    .strictObject(
      {
        on: z
          .array(f.choice(NOTICE_KINDS), `expected a list of ${NOTICE_KINDS.join(", ")}`)
          .min(1, "expected at least one")
          .describe("failed: the run has failed, or stands still; recovered: another attempt trains; hang; ended: in whatever way; default: all")
          .optional(),
        webhook: z
          .union([f.text("a URL"), z.array(f.text("a URL")).min(1, "expected at least one URL").max(8, "more than 8 webhooks")], {
            error: "expected a URL, or a list of them",
          })
          .describe("URLs that JSON is sent to; env:NAME or file:PATH is read on this machine; secret in any case")
          .optional(),
        command: z
          .union([f.text("a command"), z.array(f.word).min(1, "expected at least one word")], { error: "expected a command: one line, or a list of words" })
          .describe(
            "run on the controller's machine with the same JSON on stdin: a line without shell syntax, or a list of words; a path is relative to this file",
          )
          .optional(),
        bell: z.boolean("expected true or false").describe("terminals that show the run ring, and show a notice where they can; default true").optional(),
      },
      map("a map with on, webhook, command or bell"),
    )
    .describe("who is told when a run fails, recovers, hangs or ends, whether or not somebody watches it")
    .optional(),
  tags: z.array(f.text("a word"), "expected a list of words").max(64).describe("words for the run's manifest").optional(),
};

/** What names hosts or code of one file, and so is none of the person's own settings for every run. */
const ofOneRun = {
  controller: z
    .strictObject(
      {
        seat: f.host.describe("host of this file that the controller runs on; absent: this machine").optional(),
        metrics: f.port.describe("port on 127.0.0.1 of the controller's machine where Prometheus finds /metrics; absent: none").optional(),
      },
      map("a map with `seat`, the host that the controller runs on, or `metrics`, a port"),
    )
    .optional(),
  job: job.describe("what to run; absent: a bundled smoke test").optional(),
};

export const clusterFileSchema = z.strictObject({ cluster, spares: spares.optional(), ...settings, ...ofOneRun }, map("a map of keys, `cluster:` among them"));
export type ClusterFile = z.infer<typeof clusterFileSchema>;
export type Entry = z.infer<typeof entry>;
export type HostKeys = z.infer<typeof defaults>;
export type JobKeys = z.infer<typeof job>;

/** $XDG_CONFIG_HOME/nexadist/config.yaml: the person's own settings for every run. */
export const userFileSchema = z.strictObject(settings, map("a map of keys"));

/** The file that `cluster: ./other.yaml` names. */
export const inventorySchema = z.strictObject(
  { cluster: z.array(entry, "expected a list of hosts").min(1, "expected at least one host"), defaults: defaults.optional() },
  map("a map with `cluster:`"),
);

/** JSON schema (2020-12) for editors. */
export function clusterJsonSchema(): Record<string, unknown> {
  return { title: "NexaDist cluster file", ...z.toJSONSchema(clusterFileSchema, { io: "input" }) };
}
