/** What the kernel log of a host tells: kills for want of memory, hangs, errors of disks and file systems. */

import type { DiagContext, HostCheck, HostProbe, Judgement } from "../check.ts";
import { on } from "../cure.ts";
import { ageOf, ago, messageOf } from "../kernel-age.ts";
import { filesOf, kernelLog, numberIn, pass, warn } from "../read.ts";

const DAY_S = 24 * 3600;

/** Lines of the last 24 h that match; those without a stamp count. */
function recent(probe: HostProbe, { now }: DiagContext, pattern: RegExp): readonly { readonly text: string; readonly age: number | null }[] {
  const uptime = numberIn(filesOf(probe, "load").get("/proc/uptime")?.split(" ")[0], "/proc/uptime");
  const host = now + (probe.clock?.offsetMs ?? 0);
  return kernelLog(probe)
    .filter((line) => pattern.test(line))
    .map((line) => ({ text: messageOf(line), age: ageOf(line, uptime, host) }))
    .filter(({ age }) => age === null || age < DAY_S);
}

function judge(probe: HostProbe, context: DiagContext, pattern: RegExp): Judgement {
  const found = recent(probe, context, pattern);
  const last = found.at(-1);
  if (last === undefined) return pass("nothing in the last 24 h");
  const when = last.age === null ? "" : `, the last ${ago(last.age)}`;
  return warn(`${found.length} line${found.length === 1 ? "" : "s"} in the last 24 h${when}`, { evidence: found.slice(-3).map(({ text }) => text) });
}

const base = { tier: "quick", scope: "host", needs: [], isBlocking: false, proof: "unproven" } as const;

export const KERNEL: readonly HostCheck[] = [
  {
    ...base,
    id: "sys.oom",
    group: "system",
    title: "processes ended for want of memory",
    why: "the next run may end the same way",
    fix: "fewer data loader workers or a smaller batch per host; in a container a higher --memory",
    who: "you",
    verify: on("journalctl -k --since -1h -q | grep -i 'out of memory'"),
    judge: (probe, _, context) => judge(probe, context, /Out of memory: Killed process|Memory cgroup out of memory: Killed|oom-kill:constraint=/i),
  },
  {
    ...base,
    id: "sys.hung",
    group: "system",
    title: "hangs and machine checks in the kernel log",
    why: "the hardware or a driver is about to take the host away",
    fix: on("journalctl -k -q | grep -iE 'lockup|blocked for more|mce:'", "then the vendor's hardware test, and a newer kernel or driver"),
    who: "root",
    verify: on("journalctl -k --since -1h -q | grep -ciE 'lockup|blocked for more'"),
    judge: (probe, _, context) =>
      judge(probe, context, /soft lockup|hard LOCKUP|blocked for more than \d+ seconds|mce: .*Hardware Error|Machine check events logged/i),
  },
  {
    ...base,
    id: "disk.fs_errors",
    group: "disk",
    title: "errors of disks in the kernel log",
    why: "checkpoints are lost or hang on a disk or server that fails",
    fix: on('sudo smartctl -a "$(findmnt -n -o SOURCE -T ~)"', "or the disk that the lines name; a server of NFS: see to the server"),
    who: "root",
    verify: on("journalctl -k --since -1h -q | grep -ciE 'i/o error|read-only'"),
    judge: (probe, _, context) =>
      judge(
        probe,
        context,
        /I\/O error|Remounting filesystem read-only|EXT4-fs error|XFS .*(?:Corruption|shutdown)|nvme.*(?:timeout|controller is down|resetting controller)|nfs: server .* not responding/i,
      ),
  },
];
