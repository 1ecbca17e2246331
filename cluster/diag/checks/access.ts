/** Whether a host can be reached and used at all. */

import * as z from "zod";
import type { HostCheck } from "../check.ts";
import { on, steps } from "../cure.ts";
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
    title: "an answer from the host",
    why: "a run needs every host",
    fix: steps(
      on("true", "see where it stops", { options: "-v" }),
      "# it times out: the host is off, or a firewall or a VPN is between (tailscale ping {host})",
      "# it is refused: no sshd runs; on the console of {host}: sudo systemctl enable --now ssh",
    ),
    who: "you",
    verify: on("true"),
    isBlocking: true,
    judge: (probe) => {
      const { driver, connectMs } = jsonOf(probe, "reach", reachShape);
      const observed = driver === "local" ? "this machine" : `reached in ${(connectMs / 1000).toFixed(1)} s`;
      if (driver === "local" || connectMs <= SLOW_MS) return pass(observed);
      const fix = on("true", "see what takes the time: often UseDNS, GSSAPI or a slow login script there", { options: "-v" });
      return warn(observed, { expected: `at most ${SLOW_MS / 1000} s`, words: { fix } });
    },
  },
  {
    ...base,
    id: "ssh.auth",
    proof: "broken",
    title: "a login with our key",
    why: "nothing can be started there",
    fix: "ssh-copy-id {host}  # or name the right `user` and `identity` of {host} in the cluster file",
    who: "you",
    verify: on("true", "", { options: "-o BatchMode=yes" }),
    isBlocking: true,
    judge: (probe) => (jsonOf(probe, "reach", reachShape).driver === "local" ? pass("no SSH is needed") : pass("logged in")),
  },
  {
    ...base,
    id: "ssh.hostkey",
    proof: "broken",
    title: "the key that the host shows",
    why: "somebody else may answer in its place",
    fix: steps(on("true", "compare the fingerprint with that of the machine, then accept it"), "# after a reinstallation first: ssh-keygen -R {host}"),
    who: "you",
    verify: on("true"),
    isBlocking: true,
    judge: (probe) => (jsonOf(probe, "reach", reachShape).driver === "local" ? pass("no SSH is needed") : pass("its key is known")),
  },
  {
    ...base,
    id: "ssh.session",
    proof: "broken",
    title: "a command in an SSH session",
    why: "nothing can be started there",
    fix: steps(on("echo ok", "must print ok"), "# a ForceCommand, MaxSessions or a login script that ends early keeps it from that"),
    who: "admin",
    verify: on("echo ok"),
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
    title: "a Python (3.9 or newer) for the agent",
    why: "what starts and ends ranks there is written in it",
    fix: on("sudo apt install python3", "or: sudo dnf install python3"),
    who: "root",
    verify: on("python3 --version"),
    isBlocking: true,
    judge: ({ facts }) => pass(`${facts.helperPython.path} ${facts.helperPython.version}`),
  },
  {
    ...base,
    id: "ssh.clean_shell",
    proof: "broken",
    title: "what login files print",
    why: "scp, rsync and other programs read that text as data",
    fix: steps(
      on("sed -i '1i case $- in *i*) ;; *) return;; esac' ~/.bashrc", "ends ~/.bashrc at its top where there is no terminal"),
      "# nexadist diag --fix does it, and keeps the file as it was",
    ),
    who: "you",
    verify: `${on("true")} | wc -c  # 0`,
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
    title: "the kernel log",
    why: "GPU errors and kills for want of memory are told there only",
    fix: on("sudo usermod -aG adm,systemd-journal {user}", "then log in anew"),
    who: "root",
    verify: on("journalctl -k -n 1 -q"),
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
