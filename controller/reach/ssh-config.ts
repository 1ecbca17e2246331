/** What ssh_config says about a host, asked of the system's `ssh -G`; plain defaults where there is no ssh client. */

import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { fail } from "../../cluster/errors.ts";
import type { ReachOptions } from "./transport.ts";

/** A host as the cluster file names it. */
export type Target = { readonly name: string; readonly host: string; readonly user?: string; readonly port?: number; readonly identity?: string };

export type SshSettings = {
  readonly target: Target;
  /** Address to dial, after HostName. */
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** The name under which known_hosts files list the host: HostKeyAlias, `host` or `[host]:port`. */
  readonly keyName: string;
  readonly identityFiles: readonly string[];
  readonly certificateFiles: readonly string[];
  readonly identitiesOnly: boolean;
  readonly agentSocket: string | undefined;
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  readonly hashKnownHosts: boolean;
  /** Every other key of `ssh -G`, lower case, last value. Empty without an ssh client. */
  readonly raw: ReadonlyMap<string, string>;
  readonly hasSshClient: boolean;
};

/** Arguments before `--` that make `ssh` see the target as the cluster file means it. */
export function sshArguments(target: Target, env: ReachOptions["env"]): string[] {
  return [
    ...(env.NEXADIST_SSH_CONFIG ? ["-F", env.NEXADIST_SSH_CONFIG] : []),
    ...(target.user === undefined ? [] : ["-l", target.user]),
    ...(target.port === undefined ? [] : ["-p", String(target.port)]),
    ...(target.identity === undefined ? [] : ["-i", target.identity]),
  ];
}

/** Environment for our own `ssh` processes: the viewer's, with the agent that it lent and no other. */
export function sshEnvironment(options: ReachOptions): Record<string, string> {
  const entries = Object.entries(options.env).filter((pair): pair is [string, string] => pair[1] !== undefined && pair[0] !== "SSH_AUTH_SOCK");
  return { ...Object.fromEntries(entries), ...(options.agentSocket === undefined ? {} : { SSH_AUTH_SOCK: options.agentSocket }) };
}

export async function resolveSettings(target: Target, options: ReachOptions): Promise<SshSettings> {
  refuseShellCharacters(target);
  const result = await execa("ssh", ["-G", ...sshArguments(target, options.env), "--", target.host], {
    env: sshEnvironment(options),
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    timeout: options.connectMs,
  });
  if (result.code === "ENOENT") return defaultSettings(target, options);
  if (result.exitCode !== 0) {
    const cause = result.timedOut ? "ssh -G did not answer (a `Match exec` that hangs?)" : `ssh_config: ${result.stderr.trim() || "ssh -G failed"}`;
    throw fail("UNREACHABLE", {
      host: target.name,
      user: target.user ?? "?",
      address: target.host,
      port: target.port ?? 22,
      driver: "ssh",
      cause,
      fix: `ssh -G -- ${target.host}`,
    });
  }
  return readSettings(target, parseSshG(result.stdout), options);
}

/** `ssh -G` as key → values, in order. */
export function parseSshG(text: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    const space = line.indexOf(" ");
    if (space <= 0) continue;
    const key = line.slice(0, space).toLowerCase();
    values.set(key, [...(values.get(key) ?? []), line.slice(space + 1).trim()]);
  }
  return values;
}

export function readSettings(target: Target, values: ReadonlyMap<string, readonly string[]>, options: ReachOptions): SshSettings {
  const last = (key: string): string | undefined => values.get(key)?.at(-1);
  const all = (key: string): readonly string[] => (values.get(key) ?? []).filter((value) => value !== "none");
  const address = last("hostname") ?? target.host;
  const port = Number(last("port") ?? target.port ?? 22);
  const user = last("user") ?? target.user ?? loginName(options);
  const alias = last("hostkeyalias");
  const expand = (path: string) => expandPath(path, { n: target.host, h: address, p: String(port), r: user, k: alias ?? address }, options.env);
  const files = (key: string) => (last(key) ?? "").split(/\s+/).filter((path) => path !== "" && path !== "none" && path !== "/dev/null");
  return {
    target,
    hostname: address,
    port,
    user,
    keyName: (alias ?? (port === 22 ? address : `[${address}]:${port}`)).toLowerCase(),
    identityFiles: all("identityfile").map(expand),
    certificateFiles: all("certificatefile").map(expand),
    identitiesOnly: last("identitiesonly") === "yes",
    agentSocket: agentOf(last("identityagent"), options, expand),
    userKnownHosts: files("userknownhostsfile").map(expand),
    globalKnownHosts: files("globalknownhostsfile").map(expand),
    hashKnownHosts: last("hashknownhosts") === "yes",
    raw: new Map([...values].map(([key, list]) => [key, list.at(-1) ?? ""])),
    hasSshClient: true,
  };
}

function defaultSettings(target: Target, options: ReachOptions): SshSettings {
  const ssh = join(userInfo().homedir, ".ssh");
  const names = ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) => join(ssh, name));
  const values = new Map([
    ["identityfile", target.identity === undefined ? names : [target.identity]],
    ["userknownhostsfile", [join(ssh, "known_hosts")]],
    ["globalknownhostsfile", ["/etc/ssh/ssh_known_hosts"]],
  ]);
  return { ...readSettings(target, values, options), raw: new Map(), hasSshClient: false };
}

const loginName = (options: ReachOptions): string => options.env.USER ?? userInfo().username;

function agentOf(configured: string | undefined, options: ReachOptions, expand: (path: string) => string): string | undefined {
  if (configured === undefined || configured === "SSH_AUTH_SOCK") return options.agentSocket;
  if (configured === "none") return undefined;
  if (configured.startsWith("$")) return options.env[configured.slice(1)];
  return expand(configured);
}

/** `~`, ${NAME} and the %-tokens of ssh_config(5); OpenSSH takes the home of passwd, not $HOME. */
function expandPath(path: string, tokens: Readonly<Record<string, string>>, env: ReachOptions["env"]): string {
  const { username, uid, homedir: home } = userInfo();
  const own: Record<string, string> = { "%": "%", d: home, u: username, i: String(uid), l: hostname(), L: hostname().split(".")[0] ?? "", ...tokens };
  return path
    .replace(/^~(?=\/|$)/, () => home || homedir())
    .replace(/\$\{(\w+)\}/g, (_, name: string) => env[name] ?? "")
    .replace(/%(.)/g, (whole, letter: string) => own[letter] ?? whole);
}

/** ssh hands host and user to a shell inside ProxyCommand (CVE-2023-51385): nothing that a shell reads may pass. */
function refuseShellCharacters(target: Target): void {
  for (const [what, text] of [
    ["host", target.host],
    ["user", target.user ?? "x"],
  ] as const) {
    if (/^[^\s\p{Cc}'"`$;&|<>(){}*?!#\\-][^\s\p{Cc}'"`$;&|<>(){}*?!#\\]*$/u.test(text)) continue;
    throw fail("UNREACHABLE", {
      host: target.name,
      user: target.user ?? "?",
      address: target.host,
      port: target.port ?? 22,
      driver: "none",
      cause: `the ${what} name has a character that is not allowed there`,
      fix: `correct \`${what}:\` in the cluster file`,
    });
  }
}
