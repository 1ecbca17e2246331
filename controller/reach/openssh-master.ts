/** The ControlMaster of one host: an `ssh` of our own in a private directory, which ends when this process does, however it ends. */

import { existsSync, type FSWatcher, watch } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { sshArguments, sshEnvironment } from "./ssh-config.ts";
import type { SshPhase } from "./ssh-errors.ts";
import type { Ssh2Context } from "./ssh2-connect.ts";

/** sun_path holds 107 bytes; ssh appends 17 of its own while it makes the socket. */
const PATH_BYTES = 90;
const KEPT_LINES = 60;

/**
 * Argument 1: the directory; the rest: arguments for ssh. ssh -N reads no stdin, so a small watcher does: at its end (our death) it ends ssh.
 * A signal that comes just before its poll() wakes ssh only at the next keepalive, hence the second one. The directory goes in every
 * case, also when the shell has a word about it and our end of its stderr is gone (SIGPIPE).
 */
const WATCHED = `d=$1; shift; trap '' PIPE; exec 3<&0; ssh "$@" </dev/null 3<&- & p=$!; (read -r x <&3; exec 3<&-; kill "$p"; sleep 1; kill -9 "$p") >/dev/null 2>&1 & w=$!; exec 3<&-
trap 'kill "$p"' TERM INT HUP; wait "$p"; s=$?; exec 2>/dev/null; kill "$w"; rm -rf -- "$d"; exit "$s"`;

export type PresentedKey = { readonly type: string; readonly fingerprint: string };

export type Master = {
  readonly dir: string;
  readonly controlPath: string;
  readonly env: Record<string, string>;
  /** The last lines of stderr without debug noise. */
  readonly words: () => string;
  /** What a host (ours, or a jump host on the way) presented last. */
  readonly hostKey: () => PresentedKey | undefined;
  readonly offeredKeys: () => readonly string[];
  readonly phase: () => Exclude<SshPhase, "ready">;
  /** Resolves when sessions can be opened; if the master ends before, it never settles. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly kill: () => void;
};

export type MasterListener = {
  readonly onBanner: (line: string) => void;
  /** ssh put a new host key into known_hosts. */
  readonly onAccepted: (name: string, key: PresentedKey | undefined) => void;
};

export async function startMaster(context: Ssh2Context, isAcceptingNew: boolean, listener: MasterListener): Promise<Master> {
  const { settings, options } = context;
  const dir = await makePrivateDir(options.env.XDG_RUNTIME_DIR);
  const controlPath = join(dir, "c");
  const config = join(dir, "config");
  await writeFile(config, masterConfig(options.env.NEXADIST_SSH_CONFIG, isAcceptingNew), { mode: 0o600 });
  const env = { ...sshEnvironment(options), SSH_ASKPASS_REQUIRE: "never" };
  const target = sshArguments(settings.target, { ...options.env, NEXADIST_SSH_CONFIG: config });
  const argv = [...target, "-v", "-M", "-N", "-T", "-a", "-x", "-S", controlPath, ...MASTER_OPTIONS, "--", settings.target.host];
  const child = execa("sh", ["-c", WATCHED, "sh", dir, ...argv], {
    env,
    extendEnv: false,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "pipe",
    buffer: false,
    reject: false,
    detached: true,
  });
  child.stdin.on("error", () => {});

  const kept: string[] = [];
  const offered: string[] = [];
  let key: PresentedKey | undefined;
  let phase: Exclude<SshPhase, "ready"> = "dial";
  createInterface({ input: child.stderr }).on("line", (line) => {
    const debug = /^debug\d: (.*)$/.exec(line)?.[1];
    if (debug === undefined) {
      kept.push(line);
      if (kept.length > KEPT_LINES) kept.shift();
      const added = /^Warning: Permanently added '([^']*)'/.exec(line)?.[1];
      if (added !== undefined) listener.onAccepted(added, key);
      else if (phase === "authentication" && !OWN_WORDS.test(line)) listener.onBanner(line);
      return;
    }
    const presented = /^Server host key: (\S+) (SHA256:\S+)/.exec(debug);
    if (presented?.[1] !== undefined && presented[2] !== undefined) key = { type: presented[1], fingerprint: presented[2] };
    const offer = /^Offering public key: (.*?)(?: explicit)?$/.exec(debug)?.[1];
    if (offer !== undefined) offered.push(offer);
    if (/^(Connection established|Executing proxy command)/.test(debug)) phase = "banner";
    else if (debug.startsWith("Remote protocol version")) phase = "handshake";
    else if (debug.startsWith("SSH2_MSG_NEWKEYS received")) phase = "authentication";
  });

  const ended = child.then(() => rm(dir, { recursive: true, force: true }));
  return {
    dir,
    controlPath,
    env,
    words: () => kept.join("\n"),
    hostKey: () => key,
    offeredKeys: () => offered,
    phase: () => phase,
    ready: whenFile(dir, "c", () => true),
    ended,
    kill: () => child.stdin.destroy(),
  };
}

/** Lines of ssh itself while it authenticates; every other line is a banner of the far side. */
const OWN_WORDS =
  /^(Authenticated to |Authenticated using |Transferred: |Bytes per second|Connection (closed|reset)|Received disconnect|Disconnected from |.*: Permission denied|Host key verification failed|sign_and_send_pubkey|agent |Load key )/;

/** A forward, a command or a tty that ssh_config asks for is not for this connection. */
const MASTER_OPTIONS = [
  "ClearAllForwardings=yes",
  "PermitLocalCommand=no",
  "RemoteCommand=none",
  "RequestTTY=no",
  "ForkAfterAuthentication=no",
  "ControlPersist=no",
].flatMap((option) => ["-o", option]);

/** A file rather than options, because ssh hands -F, and no option, on to the ssh of a jump host. The first value found counts. */
function masterConfig(userConfig: string | undefined, isAcceptingNew: boolean): string {
  const includes = userConfig === undefined ? [join(userInfo().homedir, ".ssh/config"), "/etc/ssh/ssh_config"] : [userConfig];
  return `Host *
  BatchMode yes
  StrictHostKeyChecking ${isAcceptingNew ? "accept-new" : "yes"}
  ServerAliveInterval 15
  ServerAliveCountMax 4
${includes.map((file) => `  Include "${file}"\n`).join("")}`;
}

async function makePrivateDir(runtimeDir: string | undefined): Promise<string> {
  const isShort = (base: string): boolean => Buffer.byteLength(join(base, "nexadist-ssh-XXXXXX/c")) <= PATH_BYTES;
  for (const base of [runtimeDir, tmpdir()]) {
    if (base === undefined || !base.startsWith("/") || !isShort(base)) continue;
    const dir = await mkdtemp(join(base, "nexadist-ssh-")).catch(() => undefined); // 0700 by definition
    if (dir !== undefined) return dir;
  }
  return mkdtemp("/tmp/nexadist-ssh-");
}

/**
 * Resolves once `name` in `dir` exists and `isDone`; ssh links its control socket into place when it is authenticated.
 * Never when `dir` is gone: the master has ended then, and callers wait for the end of a process as well.
 */
export function whenFile(dir: string, name: string, isDone: () => boolean, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!existsSync(dir)) return;
    const watcher = watchDir(dir, signal, () => look());
    const look = (): void => {
      if (!existsSync(dir)) watcher?.close();
      if (!existsSync(join(dir, name)) || !isDone()) return;
      watcher?.close();
      resolve();
    };
    watcher?.on("error", () => watcher.close());
    look();
  });
}

function watchDir(dir: string, signal: AbortSignal | undefined, look: () => void): FSWatcher | null {
  try {
    return watch(dir, signal === undefined ? {} : { signal }, look);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null; // gone in this very moment
    throw error;
  }
}
