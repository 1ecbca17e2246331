/** accelerate launch over its static torchrun path, with the user's configuration as a file of the attempt. */

import { fail } from "../errors.ts";
import { fitAccelerateConfig } from "./accelerate-config.ts";
import { inFull, programOptions, withPrologue } from "./program.ts";
import type { ShellText } from "./quote.ts";
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
    ...["--num_processes", String(place.worldSize)],
    ...["--num_machines", String(places.length)],
    ...["--machine_rank", String(place.groupRank)],
    ...["--main_process_ip", c.masterAddress],
    ...["--main_process_port", String(input.ports.master)],
    "--same_network",
    ...["--rdzv_backend", "static"],
    ...["--rdzv_conf", `timeout=${Math.ceil(input.spec.timeouts.startMs / 1000)}`],
    ...["--max_restarts", "0"],
    ...(fitted.cpuAffinity ? ["--enable_cpu_affinity"] : []),
  ];
  const vars: PlanVar[] = [{ name: "PET_RDZV_ID", value: input.rdzvId, reason: "accelerate has no option for the rendezvous' id" }];
  if (fitted.onCpu) vars.push({ name: "ACCELERATE_USE_CPU", value: "true", reason: "CPU ranks as one job; accelerate's own --cpu starts every host alone" });
  const config = JSON.stringify(fitted.config);
  const launch = [c.python, "-m", "accelerate.commands.launch"];
  const file = `${at.dirs.attempt}/accelerate.json`;
  const argv = [...inFull(launch), "--config_file", file, ...flags, "--log_dir", `${at.dirs.attempt}/elastic`, "--no_python", ...withPrologue(c)];
  return {
    vars,
    processes: [
      {
        role: "launcher",
        rank: null,
        localRank: null,
        argv: ["/bin/sh", "-c", WRITE_CONFIG, "sh", file, ...argv],
        vars: [{ name: CONFIG_VARIABLE, value: config, reason: "the configuration, written to a file of the attempt" }],
        plain: [...launch, "--config_file", PASTED_CONFIG, ...flags, ...programOptions(c, { noPython: "--no_python", module: "--module" })],
      },
    ],
    pasted: { variable: "ACCELERATE_CONFIG", fileName: "accelerate.json", content: config },
    notes: fitted.notes,
  };
}
