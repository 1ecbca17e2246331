/** The settings of a machine that trains: updates, sleep, clocks of its CPUs, shared memory, tokens. */

import * as z from "zod";
import type { HostCheck } from "../check.ts";
import { on } from "../cure.ts";
import { ranksOn, wantsGpus } from "../ranks.ts";
import { cannotSay, ended, failed, filesOf, jsonOf, notLooked, numberIn, pass, said, skip, warn } from "../read.ts";

const base = { group: "system", tier: "quick", scope: "host", needs: [], isBlocking: false } as const;
const room = (bytes: number): string => (bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`);

export const MACHINE: readonly HostCheck[] = [
  {
    ...base,
    id: "sys.reboot_required",
    title: "a reboot that is due",
    why: "the next driver call may meet another library than the module that is loaded",
    fix: on("sudo reboot", "at a quiet time"),
    who: "root",
    verify: on("ls /run/reboot-required"),
    proof: "broken",
    judge: (probe) => {
      const files = filesOf(probe, "reboot");
      if (files.size === 0) return pass("none");
      const packages = [...files].flatMap(([path, text]) => (path.endsWith(".pkgs") ? text.split("\n").filter((line) => line !== "") : []));
      return warn(packages.length === 0 ? "the system asks for one" : `for ${[...new Set(packages)].slice(0, 5).join(", ")}`);
    },
  },
  {
    ...base,
    id: "sys.autoupdate",
    title: "unattended updates of the driver",
    why: "unattended upgrades replace the driver's library: Driver/library version mismatch",
    fix: on("sudo apt-mark hold $(dpkg-query -W -f '${Package}\\n' '*nvidia*')"),
    who: "root",
    verify: on("apt-mark showhold"),
    needs: [],
    proof: "unproven",
    judge: (probe, host) => {
      if (!wantsGpus(host)) return skip("no GPU is wanted here");
      const { out, code } = ended(probe, "updates");
      const state = said(out);
      if (code !== 0 && /^(disabled|masked|not-found)?$/.test(state)) return pass(state === "" ? "no unattended upgrades" : state);
      if (state !== "enabled") throw cannotSay(`systemctl is-enabled unattended-upgrades said ${state}`);
      const held = ended(probe, "holds")
        .out.split("\n")
        .filter((line) => /nvidia/.test(line));
      return held.length > 0 ? pass(`${held.length} packages of nvidia are held`) : warn("unattended upgrades are on, and no package of nvidia is held");
    },
  },
  {
    ...base,
    id: "sys.sleep",
    title: "suspending",
    why: "a host that suspends is a host that is lost",
    fix: on("sudo systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target"),
    who: "root",
    verify: on("systemctl is-enabled suspend.target"),
    proof: "unproven",
    judge: (probe) => {
      const power = filesOf(probe, "power");
      const batteries = [...power]
        .filter(([path, text]) => path.endsWith("/type") && text.trim() === "Battery")
        .map(([path]) => path.replace(/type$/, "status"));
      if (batteries.some((path) => power.get(path)?.trim() === "Discharging")) return failed("it runs on its battery", { words: {} });
      // 8 to 10, 14 and 31, 32: portable, laptop, notebook, sub-notebook, convertible, detachable (SMBIOS 7.4.1).
      const chassis = power.get("/sys/class/dmi/id/chassis_type")?.trim();
      const isPortable = chassis !== undefined && ["8", "9", "10", "14", "31", "32"].includes(chassis);
      if (!isPortable && batteries.length === 0) return pass("no laptop");
      const states = ended(probe, "sleep").out.trim().split("\n");
      return states.every((state) => state === "masked") ? pass("sleep is masked") : warn("a laptop that may suspend when it is idle or closed");
    },
  },
  {
    ...base,
    id: "sys.governor",
    title: "the frequency governor of the CPUs",
    why: "launching small kernels and loading data slow down with the clock",
    fix: on("sudo cpupower frequency-set -g performance"),
    who: "root",
    verify: on("cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    proof: "unproven",
    judge: (probe) => {
      const files = filesOf(probe, "governor");
      const of = (end: string): readonly string[] => [...new Set([...files].flatMap(([path, text]) => (path.endsWith(end) ? [text.trim()] : [])))];
      const governors = of("scaling_governor");
      const preferences = of("energy_performance_preference");
      if (governors.length === 0) return pass("no frequency scaling to set (a virtual machine)");
      if (governors.includes("")) throw cannotSay("a governor without a name");
      const isSlow =
        governors.some((name) => name === "powersave" || name === "conservative") &&
        !(preferences.length > 0 && preferences.every((name) => /performance/.test(name)));
      const observed = [...governors, ...preferences].join(", ");
      return isSlow ? warn(observed, { expected: "performance" }) : pass(observed);
    },
  },
  {
    ...base,
    id: "sys.shm",
    title: "shared memory (/dev/shm)",
    why: "NCCL between GPUs of a host and data loaders use it: Bus error, unhandled system error",
    fix: on("sudo mount -o remount,size=50% /dev/shm", "a container: start it with --shm-size=16g or --ipc=host"),
    who: "root",
    verify: on("df -h /dev/shm"),
    isBlocking: true,
    proof: "broken",
    judge: (probe, host) => {
      const { bytes, free, mount } = jsonOf(probe, "disk:shm", z.object({ bytes: z.number(), free: z.number(), mount: z.object({ point: z.string() }) }));
      if (mount.point !== "/dev/shm") return warn("/dev/shm is no file system of its own", { expected: "a tmpfs" });
      const ranks = Math.max(1, ranksOn(host, probe.facts));
      const observed = `${room(free)} free of ${room(bytes)} for ${ranks} rank${ranks === 1 ? "" : "s"}`;
      if (bytes <= 64 * 2 ** 20 && ranks > 1 && wantsGpus(host)) return failed(observed, { expected: "1 GiB for each rank" });
      if (free / ranks < 256 * 2 ** 20) return warn(observed, { expected: "1 GiB for each rank" });
      return pass(observed);
    },
  },
  {
    ...base,
    id: "tok.hf",
    title: "a token of Hugging Face",
    why: "gated models and data cannot be fetched without",
    fix: "put HF_TOKEN=... into a file and name that in the cluster file: env_file: secrets.env",
    who: "you",
    verify: "nexadist up --dry-run  # shows $HF_TOKEN among the variables",
    proof: "unproven",
    judge: (probe, host, { spec }) => {
      const wanted = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];
      const given = [...Object.keys(spec.env), ...Object.keys(host.env), ...Object.values(spec.secretNames).flat()];
      if (given.some((name) => wanted.includes(name))) return pass("given by the cluster file");
      const { has } = jsonOf(probe, "environment", z.object({ has: z.record(z.string(), z.boolean()) }));
      if (wanted.some((name) => has[name] === true) || has.hf_file === true) return pass("there");
      throw notLooked("none is there; only gated models need one");
    },
  },
  {
    ...base,
    id: "tok.wandb",
    title: "a key of Weights & Biases",
    why: "rank 0 logs there, and asks for a key where none is",
    fix: "put WANDB_API_KEY=... into a file and name that in the cluster file: env_file: secrets.env; or set WANDB_MODE: offline under env:",
    who: "you",
    verify: "nexadist up --dry-run  # shows $WANDB_API_KEY among the variables",
    proof: "unproven",
    judge: (probe, host, { spec }) => {
      const given = [...Object.keys(spec.env), ...Object.keys(host.env), ...Object.values(spec.secretNames).flat()];
      if (given.some((name) => name === "WANDB_API_KEY" || name === "WANDB_MODE")) return pass("given by the cluster file");
      if (host.name !== spec.hosts[0]?.name) return skip("only the first host logs");
      const { has } = jsonOf(probe, "environment", z.object({ has: z.record(z.string(), z.boolean()) }));
      if (has.WANDB_API_KEY === true || has.WANDB_MODE === true || has.wandb_netrc === true) return pass("there");
      throw notLooked("none is there; only runs that log to it need one");
    },
  },
  {
    ...base,
    id: "sys.numa_balancing",
    tier: "full",
    title: "NUMA balancing by the kernel",
    why: "moving pages between sockets makes steps uneven",
    fix: on("sudo sysctl -w kernel.numa_balancing=0"),
    who: "root",
    verify: on("cat /proc/sys/kernel/numa_balancing"),
    proof: "unproven",
    judge: (probe) => {
      const files = filesOf(probe, "numa");
      const online = files.get("/sys/devices/system/node/online")?.trim();
      if (online === undefined) throw notLooked("the kernel tells nothing of sockets");
      if (online === "0") return pass("one socket");
      const value = numberIn(files.get("/proc/sys/kernel/numa_balancing"), "numa_balancing");
      return value === 0 ? pass("off") : warn(`on, with nodes ${online}`);
    },
  },
];
