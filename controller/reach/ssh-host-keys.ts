/** The known_hosts files of a host: read those that can be read, judge a presented key, remember a new one when asked. */

import { appendFile, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fail, type NexaError } from "../../cluster/errors.ts";
import { describeHostKey, findLines, formatKnownHost, type HostKey, judgeHostKey, type KnownHostLine, parseKnownHosts } from "./known-hosts.ts";
import type { SshSettings } from "./ssh-config.ts";
import type { ReachOptions } from "./transport.ts";

export async function readKnownHosts(settings: SshSettings): Promise<KnownHostLine[]> {
  const files = [...settings.userKnownHosts, ...settings.globalKnownHosts];
  // A file that is absent or unreadable knows nobody, as in ssh: the key is then unknown, never accepted.
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return files.flatMap((file, index) => parseKnownHosts(file, texts[index] ?? ""));
}

export const findCertAuthority = (lines: readonly KnownHostLine[], settings: SshSettings): string | undefined =>
  findLines(lines, settings.keyName).find((line) => line.marker === "@cert-authority")?.at;

/** Undefined: the key is good. An unknown key is good, and remembered, only where the options say so and the host has no other key. */
export async function verifyHostKey(
  blob: Buffer,
  lines: readonly KnownHostLine[],
  settings: SshSettings,
  options: ReachOptions,
  driver: string,
): Promise<NexaError | undefined> {
  const presented = describeHostKey(blob);
  const verdict = judgeHostKey(lines, settings.keyName, presented);
  switch (verdict.kind) {
    case "known":
      return undefined;
    case "revoked":
      return hostKeyError("HOST_KEY_REVOKED", settings, presented, driver, verdict.line);
    case "changed":
      return hostKeyError("HOST_KEY_CHANGED", settings, presented, driver, verdict.line);
    case "unknown":
      if (!options.acceptNewHostKeys) return hostKeyError("HOST_KEY_UNKNOWN", settings, presented, driver, undefined);
      // New to us in this type only: what an attacker in between without the old key would show.
      if (verdict.otherTypeAt !== undefined) return hostKeyError("HOST_KEY_CHANGED", settings, presented, driver, verdict.otherTypeAt);
      await rememberHostKey(settings, presented);
      options.notice(acceptedNotice(settings, presented));
      return undefined;
  }
}

export function hostKeyError(
  code: "HOST_KEY_UNKNOWN" | "HOST_KEY_CHANGED" | "HOST_KEY_REVOKED",
  settings: SshSettings,
  presented: Pick<HostKey, "type" | "fingerprint">,
  driver: string,
  line: Pick<KnownHostLine, "at" | "file"> | undefined,
): NexaError {
  return fail(code, {
    host: settings.target.name,
    user: settings.user,
    address: settings.hostname,
    port: settings.port,
    driver,
    keyName: settings.keyName,
    type: presented.type,
    fingerprint: presented.fingerprint,
    keyFile: `/etc/ssh/ssh_host_${keyKind(presented.type)}_key.pub`,
    at: line?.at,
    file: line?.file,
  });
}

export const acceptedNotice = (settings: SshSettings, presented: Pick<HostKey, "type" | "fingerprint">): string =>
  `${settings.target.name}: accepted new host key ${presented.type} ${presented.fingerprint} of ${settings.keyName}, now in ${settings.userKnownHosts[0]}`;

const keyKind = (type: string): string => (type.startsWith("ecdsa") ? "ecdsa" : type.includes("rsa") ? "rsa" : type.replace(/^ssh-/, ""));

async function rememberHostKey(settings: SshSettings, presented: HostKey): Promise<void> {
  const file = settings.userKnownHosts[0];
  if (file === undefined) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const line = formatKnownHost(settings.keyName, presented, settings.hashKnownHosts);
  await appendFile(file, `${(await endsMidLine(file)) ? "\n" : ""}${line}`, { mode: 0o600 });
}

async function endsMidLine(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { size } = await handle.stat();
    if (size === 0) return false;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] !== 0x0a;
  } finally {
    await handle.close();
  }
}
