/** Reaches a host by SSH: resolve ssh_config, choose the driver, connect; the other driver where the first one cannot. */

import { access, readFile } from "node:fs/promises";
import { execa } from "execa";
import { fail, NexaError } from "../../cluster/errors.ts";
import { type ConfigFacts, chooseDriver } from "./choose-driver.ts";
import type { KnownHostLine } from "./known-hosts.ts";
import { openOpenssh } from "./openssh-driver.ts";
import { resolveSettings, type SshSettings, sshEnvironment, type Target } from "./ssh-config.ts";
import { findCertAuthority, readKnownHosts } from "./ssh-host-keys.ts";
import { openSsh2 } from "./ssh2-driver.ts";
import type { ReachOptions, Transport } from "./transport.ts";

export async function connectHost(target: Target, options: ReachOptions): Promise<Transport> {
  const settings = await resolveSettings(target, options);
  const knownHosts = await readKnownHosts(settings);
  const forced = options.env.NEXADIST_SSH;
  const choice = chooseDriver(settings, await gatherFacts(settings, knownHosts), forced);
  const context = { settings, options, knownHosts };
  if (choice.driver === "ssh" && !settings.hasSshClient) throw fail("NO_SSH_CLIENT", { host: target.name });
  if (choice.driver === "ssh") return openOpenssh(context, choice.why);
  try {
    return await openSsh2(context, choice.why);
  } catch (error) {
    const why = forced === undefined && settings.hasSshClient ? await reasonForSsh(error, settings, options) : undefined;
    if (why === undefined) throw error;
    return await openOpenssh(context, why).catch((second: unknown) => {
      // Both refused: the first error names the keys that were tried.
      throw second instanceof NexaError && second.code !== "AUTH_FAILED" ? second : error;
    });
  }
}

async function gatherFacts(settings: SshSettings, knownHosts: readonly KnownHostLine[]): Promise<ConfigFacts> {
  const certificates = [...settings.certificateFiles, ...settings.identityFiles.map((file) => `${file}-cert.pub`)];
  const kinds = await Promise.all(settings.identityFiles.map(isSecurityKey));
  const exist = await Promise.all(certificates.map(doesExist));
  return {
    securityKeys: settings.identityFiles.filter((_, index) => kinds[index]),
    certificates: certificates.filter((_, index) => exist[index]),
    certAuthority: findCertAuthority(knownHosts, settings),
  };
}

const doesExist = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

async function isSecurityKey(file: string): Promise<boolean> {
  if (!(await doesExist(file))) return false;
  const publicText = await readFile(`${file}.pub`, "utf8").catch(() => "");
  return publicText.startsWith("sk-") || (publicText === "" && /_sk$/.test(file));
}

/** Why the system's ssh may do what ssh2 just could not; undefined: it would fare no better. */
async function reasonForSsh(error: unknown, settings: SshSettings, options: ReachOptions): Promise<string | undefined> {
  if (!(error instanceof NexaError)) return undefined;
  if (error.code === "SSH_HANDSHAKE" && /no matching/i.test(error.message)) return "ssh2 has no algorithm that the host accepts";
  if (error.code !== "AUTH_FAILED") return undefined;
  const env = sshEnvironment(options);
  if (settings.agentSocket !== undefined) {
    const listed = await execa("ssh-add", ["-L"], { env: { ...env, SSH_AUTH_SOCK: settings.agentSocket }, extendEnv: false, reject: false, timeout: 5_000 });
    if (/^(sk-|\S*-cert-v01@)/m.test(listed.stdout ?? "")) return "the agent holds a security key or a certificate, which ssh2 cannot use";
  }
  // Stock Debian prints `gssapiauthentication yes` for everybody: only a live Kerberos ticket makes it worth a try.
  if (settings.raw.get("gssapiauthentication") === "yes") {
    const ticket = await execa("klist", ["-s"], { env, extendEnv: false, reject: false, timeout: 5_000 });
    if (ticket.exitCode === 0) return "GSSAPI, after ssh2's authentication failed";
  }
  return undefined;
}
