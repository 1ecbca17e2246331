/** Whether a host can be reached and used at all. */

import * as z from "zod";
import type { HostCheck } from "../check.ts";
import { ended, jsonOf, kernelLog, notLooked, pass, said, warn } from "../read.ts";

/** What the controller itself saw on the way: made by controller/diag/probe-host.ts. */
export const reachShape = z.object({ driver: z.string(), connectMs: z.number(), noise: z.string() });

const base = { group: "access", tier: "quick", scope: "host", needs: [] } as const;

/** s until a prompt: more makes every command of a launch wait. */
const SLOW_MS = 3000;

export const ACCESS: readonly HostCheck[] = [
  {
    ...base,
    id: "ssh.reachable",
    proof: "broken",
    title: "the host answers",
    why: "a run needs every host",
    fix: "ssh -v {host} true  # timeout: the host is off, or a network (tailscale ping {host}) or firewall is between; refused: sudo systemctl enable --now ssh there",
    who: "you",
    verify: "ssh {host} true",
    isBlocking: true,
    judge: (probe) => {
      const { driver, connectMs } = jsonOf(probe, "reach", reachShape);
      const observed = driver === "local" ? "this machine" : `reached in ${(connectMs / 1000).toFixed(1)} s`;
      if (driver === "local" || connectMs <= SLOW_MS) return pass(observed);
      const fix = "see what takes the time: time ssh -v {host} true; often UseDNS, GSSAPI or a slow login script there";
      return warn(observed, { expected: `at most ${SLOW_MS / 1000} s`, words: { fix: fix.replace("{host}", probe.host) } });
    },
  },
  {
    ...base,
    id: "ssh.auth",
    proof: "broken",
    title: "the host takes our key",
    why: "nothing can be started there",
    fix: "ssh-copy-id {host}; or name the right user: and identity: for {host} in the cluster file",
    who: "you",
    verify: "ssh -o BatchMode=yes {host} true",
    isBlocking: true,
    judge: (probe) => (jsonOf(probe, "reach", reachShape).driver === "local" ? pass("no SSH is needed") : pass("logged in")),
  },
  {
    ...base,
    id: "ssh.hostkey",
    proof: "broken",
    title: "the host is who it says",
    why: "somebody else may answer in its place",
    fix: "ssh {host} true  # compare the fingerprint with that of the machine, then accept it; after a reinstallation first: ssh-keygen -R {host}",
    who: "you",
    verify: "ssh {host} true",
    isBlocking: true,
    judge: (probe) => (jsonOf(probe, "reach", reachShape).driver === "local" ? pass("no SSH is needed") : pass("its key is known")),
  },
  {
    ...base,
    id: "ssh.session",
    proof: "broken",
    title: "a session runs what it is told",
    why: "nothing can be started there",
    fix: "ssh {host} 'echo ok'  # must print ok; a ForceCommand, MaxSessions or a login script that ends early keeps it from that",
    who: "admin",
    verify: "ssh {host} 'echo ok'",
    isBlocking: true,
    judge: (probe) => {
      jsonOf(probe, "reach", reachShape);
      return pass("it did");
    },
  },
  {
    ...base,
    id: "host.python",
    proof: "broken",
    title: "a Python 3.9 or newer for the agent",
    why: "what starts and ends ranks there is written in it",
    fix: "sudo apt install python3  # on {host}; or dnf install python3",
    who: "root",
    verify: "ssh {host} python3 --version",
    isBlocking: true,
    judge: ({ facts }) => pass(`${facts.helperPython.path} ${facts.helperPython.version}`),
  },
  {
    ...base,
    id: "ssh.clean_shell",
    proof: "broken",
    title: "login files print nothing",
    why: "scp, rsync and other programs read that text as data",
    fix: "put at the top of ~/.bashrc on {host}: case $- in *i*) ;; *) return;; esac",
    who: "you",
    verify: "ssh {host} true | wc -c  # 0",
    mend: {
      what: "ends ~/.bashrc at its top for sessions without a terminal; the file as it was is kept beside it",
      script: [
        'f=$HOME/.bashrc; b=$f.before-nexadist; test -f "$f" || { echo "there is no ~/.bashrc: another file prints"; exit 1; }',
        'test ! -e "$b" || { echo "$b is there already"; exit 1; }',
        `cp -p "$f" "$b" && { printf '%s\\n' 'case $- in *i*) ;; *) return;; esac'; cat "$b"; } > "$f"`,
      ].join("\n"),
      undo: "mv ~/.bashrc.before-nexadist ~/.bashrc",
    },
    isBlocking: false,
    judge: (probe) => {
      const noise = jsonOf(probe, "reach", reachShape).noise.trim();
      if (noise === "") return pass("silent");
      return warn(`a login file prints ${JSON.stringify(noise.split("\n")[0]?.slice(0, 60))}`, { expected: "nothing" });
    },
  },
  {
    ...base,
    id: "sys.klog",
    proof: "unproven",
    title: "the kernel log can be read",
    why: "GPU errors and kills for want of memory are told there only",
    fix: "sudo usermod -aG adm,systemd-journal {user}  # on {host}, then log in anew",
    who: "root",
    verify: "ssh {host} journalctl -k -n 1 -q",
    isBlocking: false,
    judge: (probe) => {
      const { container, user } = jsonOf(probe, "login", loginShape);
      const { code, err } = ended(probe, "kernel_log");
      // In a container no right of the user's helps.
      if (code !== 0 && container !== "") throw notLooked(`in a container (${container}) it cannot be read`);
      if (code !== 0) return warn(`${user} may not read it: ${said(err).replace(/^\w+: /, "")}`, { words: { user } });
      kernelLog(probe);
      return pass("readable");
    },
  },
];

export const loginShape = z.object({ user: z.string(), uid: z.number(), groups: z.array(z.string()), container: z.string() });
