/** Room, mounts and writing in the directories that a run uses. */

import * as z from "zod";
import { quote } from "../../launch/quote.ts";
import type { ClusterCheck, HostCheck, HostProbe, Judgement } from "../check.ts";
import { compare } from "../compare.ts";
import { on, steps } from "../cure.ts";
import { cannotSay, ended, failed, jsonOf, pass, said, skip, warn } from "../read.ts";

const mount = z.object({ point: z.string(), options: z.string(), type: z.string(), source: z.string() });
const disk = z.object({
  path: z.string(),
  exists: z.boolean(),
  nearest: z.string(),
  bytes: z.number(),
  free: z.number(),
  used: z.number(),
  inodes: z.number(),
  inodesFree: z.number(),
  mayWrite: z.boolean(),
  mount,
});
type Disk = z.infer<typeof disk>;

const base = { group: "disk", tier: "quick", scope: "host", needs: [] } as const;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const room = (bytes: number): string => (bytes < GIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`);

/** Names of the directories that were looked at. */
const asked = (probe: HostProbe): readonly string[] =>
  Object.keys(probe.sections).flatMap((name) => (name.startsWith("disk:") && name !== "disk:shm" ? [name.slice(5)] : []));

/** The worst judgement of all directories; one file system is spoken of once. A directory that cannot be looked at is an error. */
function eachDisk(probe: HostProbe, judge: (found: Disk, name: string) => Judgement): readonly Judgement[] {
  const names = asked(probe);
  if (names.length === 0) throw cannotSay("no directory was looked at");
  const seen = new Set<string>();
  const bad: Judgement[] = [];
  for (const name of names) {
    const found = jsonOf(probe, `disk:${name}`, disk);
    const judgement = judge(found, name);
    if (judgement.status === "pass" || seen.has(found.mount.point)) continue;
    seen.add(found.mount.point);
    bad.push(judgement);
  }
  return bad.length > 0 ? bad : [pass(`${names.length} directories: ${names.join(", ")}`)];
}

/** Below these a run does not come up, or its first checkpoint does not fit. Bytes. */
const NEEDS: Readonly<Record<string, readonly [fail: number, warn: number]>> = {
  state: [128 * MIB, 1 * GIB],
  tmp: [16 * MIB, 256 * MIB],
  home: [16 * MIB, 256 * MIB],
  cache: [16 * MIB, 1 * GIB],
};
const DATA: readonly [number, number] = [1 * GIB, 20 * GIB];

export const DISK: readonly HostCheck[] = [
  {
    ...base,
    id: "disk.space",
    title: "room on the disks",
    why: "a run ends when its logs, code or a checkpoint do not fit",
    fix: steps(
      on("du -xh {point} 2>/dev/null | sort -h | tail -20", "see what fills it"),
      "nexadist agent uninstall --dry-run --host {host}  # what old runs of ours left",
    ),
    who: "you",
    verify: on("df -h {path}"),
    isBlocking: true,
    proof: "broken",
    judge: (probe) =>
      eachDisk(probe, (found, name) => {
        const [least, good] = NEEDS[name] ?? DATA;
        const words = { point: found.mount.point, path: found.path };
        const observed = `${room(found.free)} free of ${room(found.bytes)} for ${name} (${found.path})`;
        if (found.free < least) return failed(observed, { expected: `${room(least)} at least, better ${room(good)}`, words });
        return found.free < good ? warn(observed, { expected: room(good), words }) : pass(observed);
      }),
  },
  {
    ...base,
    id: "disk.inodes",
    title: "files that the disks can still hold",
    why: "a disk without inodes is full, whatever df says",
    fix: on("du -x --inodes {point} 2>/dev/null | sort -n | tail -20", "see where the many files are; pack data sets into shards"),
    who: "you",
    verify: on("df -i {path}"),
    isBlocking: true,
    proof: "broken",
    judge: (probe) =>
      eachDisk(probe, (found, name) => {
        const words = { point: found.mount.point, path: found.path };
        // btrfs, ZFS and many network file systems count none.
        if (found.inodes === 0) return pass("not counted");
        const observed = `${found.inodesFree} of ${found.inodes} inodes free for ${name} (${found.path})`;
        if (found.inodesFree < 1000) return failed(observed, { expected: "1000 at least", words });
        return found.inodesFree < 0.05 * found.inodes && found.inodesFree < 100_000 ? warn(observed, { expected: "5 %", words }) : pass(observed);
      }),
  },
  {
    ...base,
    id: "disk.write",
    needs: ["disk.space", "disk.inodes", "disk.mount"],
    title: "writing where the run writes",
    why: "a run cannot keep its record or its checkpoints",
    fix: on("findmnt -T {path}; ls -ld {path}; quota -s", "read-only, not yours, or over a quota: see which"),
    who: "root",
    verify: on("touch {path}/.x && rm {path}/.x"),
    isBlocking: true,
    proof: "broken",
    judge: (probe) => {
      const names = Object.keys(probe.sections).flatMap((name) => (name.startsWith("write:") ? [name.slice(6)] : []));
      if (names.length === 0) throw cannotSay("nothing was tried");
      const bad: Judgement[] = [];
      for (const name of names) {
        const { path, mount } = jsonOf(probe, `disk:${name}`, disk);
        // Where our state goes instead is judged by host.state.
        if (name === "state" && probe.facts.stateNote !== "") continue;
        const { code, err } = ended(probe, `write:${name}`);
        if (code !== 0) {
          const fix = cureOf(said(err), path, mount.point, probe.facts.user);
          bad.push(failed(`${name} (${path}): ${said(err).replace(/^\w+: (\[Errno \d+\] )?/, "")}`, { words: { path, ...(fix === null ? {} : { fix }) } }));
          continue;
        }
        const { ms } = jsonOf(probe, `write:${name}`, z.object({ where: z.string(), bytes: z.number().min(1), ms: z.number() }));
        if (ms > 2000)
          bad.push(
            warn(`1 MiB took ${(ms / 1000).toFixed(1)} s in ${path}`, {
              expected: "under 2 s",
              words: { path, fix: on("iostat -x 1 3", "see what keeps that disk busy, or name a faster one under paths: in the cluster file") },
            }),
          );
      }
      return bad.length > 0 ? bad : pass(`tried in ${names.join(", ")}`);
    },
  },
  {
    ...base,
    id: "disk.mount",
    title: "the directories of the file",
    why: "a mount that is missing lets data land on the system's disk",
    fix: steps(on("sudo mount {path}"), on("mkdir -p {path}", "or make it; or correct paths.{name} in the cluster file")),
    who: "root",
    verify: on("findmnt -T {path}"),
    isBlocking: true,
    proof: "broken",
    judge: (probe, _, { spec }) => {
      const names = asked(probe).filter((name) => name in spec.paths || name === "code");
      if (names.length === 0) return pass("the file names none");
      const bad: Judgement[] = [];
      for (const name of names) {
        const section = probe.sections[`disk:${name}`];
        if (section?.code === null && /^no answer/.test(section.why ?? "")) {
          const path = spec.paths[name as keyof typeof spec.paths] ?? name;
          bad.push(failed(`${path} does not answer: a server of its file system is gone`, { words: { path, name } }));
          continue;
        }
        const found = jsonOf(probe, `disk:${name}`, disk);
        const words = { path: found.path, name };
        if (!found.exists) {
          // Checkpoints and scratch are made by the run where it may.
          const isMade = name !== "code" && name !== "shared" && found.mayWrite;
          bad.push((isMade ? warn : failed)(`${found.path} is not there${isMade ? `; it will be made on ${found.mount.point}` : ""}`, { words }));
        } else if (/(^|,)ro(,|$)/.test(found.mount.options) && name !== "code") bad.push(failed(`${found.path} is mounted read-only`, { words }));
        else if (/^nfs/.test(found.mount.type) && /(^|,)soft(,|$)/.test(found.mount.options))
          bad.push(warn(`${found.path} is a soft mount of NFS: a slow server loses writes`, { words }));
      }
      return bad.length > 0 ? bad : pass(names.join(", "));
    },
  },
];

/** By what the system said; null: nothing that is known. */
function cureOf(text: string, path: string, point: string, user: string): string | null {
  if (/Read-only file system/.test(text))
    return steps(on("sudo dmesg | tail -30", "errors may have made it read-only"), on(`sudo mount -o remount,rw ${quote(point)}`));
  if (!/Permission denied|Operation not permitted/.test(text)) return null;
  return path === "/tmp" ? on("sudo chmod 1777 /tmp") : on(`sudo install -d -o ${quote(user)} ${quote(path)}`, "or name another directory in the cluster file");
}

/** One source on every host: an NFS export, or the same directory of a shared file system. */
export const DISK_CLUSTER: readonly ClusterCheck[] = [
  {
    group: "disk",
    tier: "quick",
    scope: "cluster",
    needs: [],
    id: "disk.shared",
    title: "the shared directory across hosts",
    why: "ranks wait for files that others wrote elsewhere",
    fix: steps(on("findmnt -T {path}", "mount there what the other hosts have: {usual}"), "# or take paths.shared out of the cluster file"),
    who: "root",
    verify: on("findmnt -T {path}"),
    isBlocking: true,
    proof: "broken",
    judge: (probes, { spec }) => {
      const path = spec.paths.shared;
      if (path === undefined || probes.length < 2)
        return probes.map(({ host }) => ({ ...skip(path === undefined ? "the file names no shared directory" : "one host only"), host }));
      const found = probes.map((probe) => ({ host: probe.host, ...jsonOf(probe, "disk:shared", disk) }));
      const compared = compare(found.map((one) => ({ host: one.host, value: `${one.mount.source} (${one.mount.type})` })));
      return (compared?.odd ?? []).map(({ host, value }) => ({
        host,
        ...failed(`${path} is on ${value}`, { expected: compared?.usual ?? "", words: { path, usual: compared?.usual ?? "" } }),
      }));
    },
  },
];
