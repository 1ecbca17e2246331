/** Which SSH driver carries a host, and why: a pure function of what ssh_config and the files beside it say. */

import type { SshSettings } from "./ssh-config.ts";

export type DriverChoice = { readonly driver: "ssh2" | "ssh"; readonly why: string };

/** What the disk says about the files that ssh_config names. */
export type ConfigFacts = {
  /** Existing identity files of a security key (sk-…). */
  readonly securityKeys: readonly string[];
  /** Existing user certificates: CertificateFile, or `<identity>-cert.pub`. */
  readonly certificates: readonly string[];
  /** Place of a @cert-authority line that matches the host. */
  readonly certAuthority: string | undefined;
};

/** Settings that ssh2 cannot honour; key of `ssh -G` → its name in ssh_config. */
const ONLY_SSH = [
  ["proxycommand", "ProxyCommand"],
  ["proxyjump", "ProxyJump"],
  ["pkcs11provider", "PKCS11Provider"],
  ["knownhostscommand", "KnownHostsCommand"],
  ["revokedhostkeys", "RevokedHostKeys"],
  ["bindinterface", "BindInterface"],
] as const;

export function chooseDriver(settings: SshSettings, facts: ConfigFacts, forced: string | undefined): DriverChoice {
  if (forced === "ssh" || forced === "ssh2") return { driver: forced, why: `NEXADIST_SSH=${forced}` };
  if (!settings.hasSshClient) return { driver: "ssh2", why: "no ssh client here, so ssh_config is not read" };
  for (const [key, name] of ONLY_SSH) {
    const value = settings.raw.get(key);
    if (value !== undefined && value !== "" && value !== "none") return { driver: "ssh", why: `ssh_config sets ${name}` };
  }
  if (facts.certificates[0] !== undefined) return { driver: "ssh", why: `user certificate ${facts.certificates[0]}` };
  if (facts.securityKeys[0] !== undefined) return { driver: "ssh", why: `security key ${facts.securityKeys[0]}` };
  if (facts.certAuthority !== undefined) return { driver: "ssh", why: `@cert-authority at ${facts.certAuthority}` };
  return { driver: "ssh2", why: "default" };
}
