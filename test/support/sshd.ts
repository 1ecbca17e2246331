/** A real sshd of this user on a high loopback port, with its own host keys, users' keys and known_hosts; ended and removed after. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

export type HostKeyType = "ed25519" | "rsa" | "ecdsa";

export type Sshd = {
  readonly port: number;
  readonly dir: string;
  /** An ssh_config for `ssh -F`: our key, our known_hosts, nothing of the person who runs the tests. */
  readonly config: string;
  readonly knownHosts: string;
  readonly identity: string;
  readonly authorizedKeys: string;
  /** `<type> <base64>` of a host key. */
  readonly hostKey: (type: HostKeyType) => string;
  readonly log: () => string;
  /** Resolves once sshd's log holds the pattern. */
  readonly logged: (pattern: RegExp) => Promise<void>;
  /** Ends (or stops, or continues) the sshd processes that serve connections, the listener stays. */
  readonly killSessions: (signal?: NodeJS.Signals) => number;
  readonly stop: () => Promise<void>;
};

export type SshdOptions = {
  readonly settings?: readonly string[];
  readonly hostKeys?: readonly HostKeyType[];
  /** Lines for the client's ssh_config, before the defaults. */
  readonly clientConfig?: readonly string[];
  /** Known hosts text; default: this sshd's keys under [127.0.0.1]:port. */
  readonly knownHosts?: (port: number, keys: readonly string[]) => string;
};

export const SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/libexec/sshd"].find((path) => existsSync(path));

export const keygen = (args: readonly string[]): string => execFileSync("ssh-keygen", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

export const makeKey = (file: string, type: string, passphrase = ""): string => {
  keygen(["-q", "-t", type, "-N", passphrase, "-C", "test", "-f", file]);
  return file;
};

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  if (SSHD === undefined) throw new Error("no sshd on this machine");
  const dir = mkdtempSync(join(tmpdir(), "nexadist-sshd-"));
  const types = options.hostKeys ?? ["ed25519"];
  for (const type of types) makeKey(join(dir, `host_${type}`), type);
  const identity = makeKey(join(dir, "id"), "ed25519");
  const authorizedKeys = join(dir, "authorized_keys");
  writeFileSync(authorizedKeys, readFileSync(`${identity}.pub`));
  // sshd, run by root, wants its privilege separation directory.
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const hostKey = (type: HostKeyType): string =>
    readFileSync(join(dir, `host_${type}.pub`), "utf8")
      .split(" ")
      .slice(0, 2)
      .join(" ");
  const keys = types.map(hostKey);

  for (let attempt = 0; ; attempt++) {
    const port = await freePort();
    const started = await launch(dir, port, types, authorizedKeys, options.settings ?? []);
    if (started === undefined) {
      if (attempt < 5) continue; // somebody else took the port in between
      throw new Error(`sshd did not start: ${readFileSync(join(dir, "log"), "utf8")}`);
    }
    const knownHosts = join(dir, "known_hosts");
    writeFileSync(knownHosts, options.knownHosts?.(port, keys) ?? keys.map((key) => `[127.0.0.1]:${port} ${key}\n`).join(""), { mode: 0o600 });
    const config = join(dir, "config");
    const lines = [
      ...(options.clientConfig ?? []),
      "Host *",
      `UserKnownHostsFile ${knownHosts}`,
      "GlobalKnownHostsFile none",
      `IdentityFile ${identity}`,
      "IdentitiesOnly yes",
      "HashKnownHosts no",
      "UpdateHostKeys no",
    ];
    writeFileSync(config, `${lines.join("\n")}\n`);
    const log = (): string => readFileSync(join(dir, "log"), "utf8");
    return {
      port,
      dir,
      config,
      knownHosts,
      identity,
      authorizedKeys,
      hostKey,
      log,
      logged: async (pattern) => {
        while (!pattern.test(log())) await once(started.stderr ?? started, "data", { signal: AbortSignal.timeout(10_000) });
      },
      killSessions: (signal) => killChildren(started.pid ?? 0, signal),
      stop: async () => {
        killChildren(started.pid ?? 0);
        await endProcess(started);
        rmSync(dir, { recursive: true, force: true });
      },
    };
  }
}

async function launch(
  dir: string,
  port: number,
  types: readonly string[],
  authorizedKeys: string,
  settings: readonly string[],
): Promise<ChildProcess | undefined> {
  const file = join(dir, "sshd_config");
  const lines = [
    ...settings,
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    ...types.map((type) => `HostKey ${join(dir, `host_${type}`)}`),
    `PidFile ${join(dir, "pid")}`,
    `AuthorizedKeysFile ${authorizedKeys}`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin yes",
    "StrictModes no",
    "UsePAM no",
    "PrintMotd no",
    "LogLevel VERBOSE",
    ...(settings.some((line) => line.startsWith("MaxStartups")) ? [] : ["MaxStartups 100"]), // the last line counts here
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  writeFileSync(join(dir, "log"), "");
  const child = spawn(SSHD ?? "", ["-D", "-e", "-f", file], { stdio: ["ignore", "ignore", "pipe"] });
  const onExit = (): void => {
    child.kill(); // a test that crashed
    rmSync(dir, { recursive: true, force: true });
  };
  process.once("exit", onExit);
  child.once("exit", () => process.off("exit", onExit));
  child.stderr.setEncoding("utf8");
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr.on("data", (chunk: string) => {
      text += chunk;
      if (existsSync(dir)) appendFileSync(join(dir, "log"), chunk);
      if (text.includes("Server listening on")) resolve(child);
    });
    child.once("error", reject);
    child.once("exit", () => (/Address already in use/.test(text) ? resolve(undefined) : reject(new Error(`sshd ended: ${text}`))));
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Linux: /proc/PID/task/PID/children. All of these are descendants of the sshd that we started. */
function killChildren(pid: number, signal: NodeJS.Signals = "SIGKILL"): number {
  let children: number[] = [];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return 0;
  }
  for (const child of children) {
    try {
      process.kill(child, signal);
    } catch {} // it went by itself
  }
  return children.length;
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}
