/** A system that ranks can live on: its kind, memory, load and processes. */

import * as z from "zod";
import type { HostCheck } from "../check.ts";
import { on, steps } from "../cure.ts";
import { cannotSay, failed, filesOf, jsonOf, numberIn, pass, skip, warn } from "../read.ts";

const base = { group: "system", tier: "quick", scope: "host", needs: [], isBlocking: false } as const;
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Bytes of a line of /proc/meminfo. */
function meminfo(text: string | undefined, name: string): number {
  const kb = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(`${text ?? ""}`)?.[1];
  if (kb === undefined) throw cannotSay(`/proc/meminfo has no ${name}`);
  return Number(kb) * 1024;
}

const activity = z.object({
  before: z.record(z.string(), z.string()),
  after: z.record(z.string(), z.string()),
  seconds: z.number().positive(),
});

/** How much a counter of /proc/vmstat grew between the looks. */
function grown(found: z.infer<typeof activity>, name: string): number {
  const value = (texts: Readonly<Record<string, string>>): number => numberIn(new RegExp(`^${name} (\\d+)$`, "m").exec(texts["/proc/vmstat"] ?? "")?.[1], name);
  return value(found.after) - value(found.before);
}

/** Share of the time between the looks that another guest had of our CPUs. */
function stolen(found: z.infer<typeof activity>): number {
  const fields = (texts: Readonly<Record<string, string>>): readonly number[] => {
    const line = /^cpu +(\d[\d ]*)$/m.exec(texts["/proc/stat"] ?? "")?.[1];
    if (line === undefined) throw cannotSay("/proc/stat has no line of all CPUs");
    return line.split(" ").slice(0, 8).map(Number);
  };
  const before = fields(found.before);
  const grew = fields(found.after).map((value, k) => value - (before[k] ?? 0));
  if (grew.length < 8) throw cannotSay("/proc/stat has no field of stolen time");
  const all = grew.reduce((sum, value) => sum + value, 0);
  return all === 0 ? 0 : (grew[7] ?? 0) / all;
}

const odd = z.object({ pid: z.int(), comm: z.string(), state: z.string(), ppid: z.int(), age: z.number(), parent: z.string(), where: z.string() });
const processes = z.object({ count: z.number(), ours: z.number(), odd: z.array(odd) });

const of = ({ pid, comm, age }: z.infer<typeof odd>): string => `${pid} ${comm}, ${age} s old`;

export const SYSTEM: readonly HostCheck[] = [
  {
    ...base,
    id: "host.os",
    title: "the operating system and the architecture",
    why: "the agent and torch's builds are for these",
    fix: "take another host: remove {host} from the cluster file",
    who: "you",
    verify: on("uname -sm"),
    isBlocking: true,
    proof: "unproven",
    judge: ({ facts: { os, arch, kernel } }) =>
      os === "Linux" && ["x86_64", "aarch64", "arm64"].includes(arch)
        ? pass(`${os} ${kernel} ${arch}`)
        : failed(`${os} ${arch}`, { expected: "Linux x86_64 or aarch64" }),
  },
  {
    ...base,
    id: "host.state",
    title: "a place for the agent's files",
    why: "nothing can be started without one",
    fix: steps(
      on('sudo mount -o remount,rw,exec "$(findmnt -n -o TARGET -T {home})"'),
      "# {home} must be {user}'s and allow programs; or the same for /var/tmp",
    ),
    who: "root",
    verify: on("touch ~/.x && rm ~/.x"),
    isBlocking: true,
    proof: "broken",
    judge: ({ facts: { stateDir, stateNote, home, user } }) => {
      if (stateDir === "") return failed(stateNote, { words: { home, user } });
      return stateNote === "" ? pass(stateDir) : warn(stateNote, { words: { home, user } });
    },
  },
  {
    ...base,
    id: "sys.linger",
    title: "processes after the last logout",
    why: "logind would end the training with the session that started it",
    fix: on("sudo loginctl enable-linger {user}"),
    who: "root",
    verify: on("loginctl show-user {user} -p Linger"),
    mend: { what: "loginctl enable-linger", script: "loginctl enable-linger", undo: "loginctl disable-linger" },
    isBlocking: true,
    proof: "unproven",
    judge: ({ facts: { linger, killUserProcesses, user, uid } }) => {
      if (linger === null || killUserProcesses === null) return pass("no logind there");
      if (!killUserProcesses || uid === 0) return pass("logind leaves processes alone");
      return linger ? pass("lingers") : failed("KillUserProcesses=yes and no lingering", { words: { user } });
    },
  },
  {
    ...base,
    id: "sys.memory",
    title: "free memory",
    why: "ranks that find none are ended by the kernel",
    fix: on("ps -eo pid,user,rss,args --sort=-rss | head", "and end what is not needed"),
    who: "you",
    verify: on("free -h"),
    proof: "unproven",
    judge: (probe) => {
      const text = filesOf(probe, "memory").get("/proc/meminfo");
      const free = meminfo(text, "MemAvailable");
      const all = meminfo(text, "MemTotal");
      const observed = `${gib(free)} of ${gib(all)} available`;
      return free < 0.1 * all && free < 16 * 2 ** 30 ? warn(observed, { expected: "10 % or 16 GiB" }) : pass(observed);
    },
  },
  {
    ...base,
    id: "sys.swap",
    title: "swapping",
    why: "a rank whose pages come back from disk holds up every other",
    fix: on("vmstat 1 5", "then end what takes the memory, or there: sudo sysctl vm.swappiness=1"),
    who: "root",
    verify: on("vmstat 1 5", "si and so are 0"),
    proof: "unproven",
    judge: (probe) => {
      const found = jsonOf(probe, "activity", activity);
      const pages = grown(found, "pswpin") + grown(found, "pswpout");
      const rate = (pages * 4096) / found.seconds / 2 ** 20;
      return rate > 1 ? warn(`${rate.toFixed(0)} MiB/s go to and from swap`) : pass("no swapping");
    },
  },
  {
    ...base,
    id: "sys.load",
    title: "the load of the CPUs",
    why: "others' work holds up data loaders, and the slowest rank holds up all",
    fix: on("top -b -n 1 -o %CPU | head -15", "and end what is not needed"),
    who: "you",
    verify: on("uptime"),
    proof: "unproven",
    judge: (probe) => {
      const found = jsonOf(probe, "processes", processes);
      const load = filesOf(probe, "load").get("/proc/loadavg")?.split(" ");
      const five = numberIn(load?.[1], "/proc/loadavg");
      const steal = stolen(jsonOf(probe, "activity", activity));
      const { cpus } = probe.facts;
      const observed = `load ${five.toFixed(1)} in 5 min on ${cpus} CPUs`;
      if (steal > 0.1) return warn(`${Math.round(steal * 100)} % of the CPU time goes to other guests of this virtual machine's host`);
      if (found.ours > 0) return skip(`ranks of a run of ours are alive there: ${observed} tells nothing`);
      return five > 1.5 * cpus ? warn(observed, { expected: `under ${(1.5 * cpus).toFixed(0)}` }) : pass(observed);
    },
  },
  {
    ...base,
    id: "sys.zombies",
    title: "dead processes that nobody fetched",
    why: "a dead Python can hold GPU memory; many of them fill the table",
    fix: on("kill {parent}", "{name}, which does not fetch them"),
    who: "you",
    verify: on("ps -eo stat | grep -c ^Z"),
    proof: "unproven",
    judge: (probe) => {
      const dead = jsonOf(probe, "processes", processes).odd.filter(({ state, age }) => state === "Z" && age > 60);
      const [first] = dead;
      if (first === undefined || dead.length <= 50) return pass(dead.length === 0 ? "none" : `${dead.length}`);
      return warn(`${dead.length}, such as ${of(first)}`, { words: { parent: `${first.ppid}`, name: first.parent } });
    },
  },
  {
    ...base,
    id: "sys.dstate",
    title: "processes stuck in the kernel",
    why: "a driver or file system that hangs takes ranks with it, and only a reboot helps",
    fix: on("sudo nvidia-bug-report.sh --safe-mode; sudo reboot", "at a quiet time"),
    who: "root",
    verify: on("ps -eo stat,etimes,wchan:30,comm | grep ^D"),
    proof: "unproven",
    judge: (probe) => {
      const stuck = jsonOf(probe, "processes", processes).odd.filter(
        ({ state, age, comm }) => state === "D" && age > 60 && !/^(kworker|jbd2|txg|md\d)/.test(comm),
      );
      const driver = stuck.filter(({ comm, where }) => /nvidia|python|pt_main/i.test(comm) || /nvidia|nv_|os_acquire/i.test(where));
      const [first] = [...driver, ...stuck];
      if (first === undefined) return pass("none");
      const evidence = stuck.slice(0, 5).map((each) => `${of(each)}${each.where === "" || each.where === "0" ? "" : `, in ${each.where}`}`);
      return driver.length > 0 ? failed(`stuck: ${of(first)}`, { evidence }) : warn(`stuck: ${of(first)}`, { evidence });
    },
  },
];
