/** accelerate launch over its static torchrun path, with the user's configuration as a file of the attempt. */

import { fail } from "../errors.ts";
import { fitAccelerateConfig } from "./accelerate-config.ts";
import { option, wordsOf } from "./argv.ts";
import { inFull, programOptions, whyPython, withPrologue } from "./program.ts";
import type { ShellText } from "./quote.ts";
import { whyPort } from "./torchrun.ts";
import type { LaunchContext, LauncherPart, PlanVar } from "./types.ts";

/**
 * accelerate always reads a configuration: the given one, else whatever lies in the user's cache on that host. So there is always one of ours.
 * It travels in a variable, because an attempt's directory is the host's and a plan is data.
 */
const CONFIG_VARIABLE = "NEXADIST_ACCELERATE_CONFIG";
const WRITE_CONFIG = `umask 077; printf %s "$${CONFIG_VARIABLE}" >"$1" || exit; shift; unset ${CONFIG_VARIABLE}; exec "$@"`;
const PASTED_CONFIG: ShellText = { shell: '"$ACCELERATE_CONFIG"' };

export function planAccelerate(c: LaunchContext): LauncherPart {
  const { place, places, input, at } = c;
  const uneven = places.find((other) => other.nproc !== place.nproc);
  if (uneven !== undefined) throw fail("ACCELERATE_UNEVEN", { host: place.host, nproc: place.nproc, other: uneven.host, otherNproc: uneven.nproc });
  const fitted = fitAccelerateConfig({
    given: input.spec.accelerateConfig,
    worldSize: place.worldSize,
    machines: places.length,
    machineRank: place.groupRank,
    address: c.masterAddress,
    port: input.ports.master,
    onCpu: c.onCpu,
  });
  // accelerate 1.15 takes these from flags only, or lets the flag's default hide the configuration's value.
  const flags = [
    option("ranks of the whole run, not of one host", "--num_processes", String(place.worldSize)),
    option("the hosts of the run", "--num_machines", String(places.length)),
    option("this host's place in the file, from 0", "--machine_rank", String(place.groupRank)),
    option("rank 0 and the store are on the first host", "--main_process_ip", c.masterAddress),
    option(`the store's port on the first host${whyPort(c)}`, "--main_process_port", String(input.ports.master)),
    option("what goes with the static rendezvous", "--same_network"),
    option("machine ranks and one address are given: nothing to negotiate", "--rdzv_backend", "static"),
    option("how long hosts wait for each other: timeouts.start", "--rdzv_conf", `timeout=${Math.ceil(input.spec.timeouts.startMs / 1000)}`),
    option("a failure ends the attempt on all hosts", "--max_restarts", "0"),
    ...(fitted.cpuAffinity ? [option("enable_cpu_affinity of the configuration; the flag's default would hide it", "--enable_cpu_affinity")] : []),
  ];
  const vars: PlanVar[] = [{ name: "PET_RDZV_ID", value: input.rdzvId, reason: "accelerate has no option for the rendezvous' id" }];
  if (fitted.onCpu) vars.push({ name: "ACCELERATE_USE_CPU", value: "true", reason: "CPU ranks as one job; accelerate's own --cpu starts every host alone" });
  const config = JSON.stringify(fitted.config);
  const launch = option(`${whyPython(c)}; accelerate as a module is this python's own`, c.python, "-m", "accelerate.commands.launch");
  const file = `${at.dirs.attempt}/accelerate.json`;
  const argv = [
    ...inFull(launch.words),
    "--config_file",
    file,
    ...inFull(wordsOf(flags)),
    "--log_dir",
    `${at.dirs.attempt}/elastic`,
    "--no_python",
    ...withPrologue(c),
  ];
  return {
    vars,
    processes: [
      {
        role: "launcher",
        rank: null,
        localRank: null,
        argv: ["/bin/sh", "-c", WRITE_CONFIG, "sh", file, ...argv],
        vars: [{ name: CONFIG_VARIABLE, value: config, reason: "the configuration, written to a file of the attempt" }],
        plain: [
          launch,
          option("else accelerate reads the configuration of whoever is logged in there", "--config_file", PASTED_CONFIG),
          ...flags,
          ...programOptions(c, { noPython: "--no_python", module: "--module" }),
        ],
      },
    ],
    pasted: { variable: "ACCELERATE_CONFIG", fileName: "accelerate.json", content: config },
    notes: fitted.notes,
  };
}
