/** What ssh2 may offer to prove who we are: none, the agent's keys, key files; never a password. Says what it left out and why. */

import { readFile } from "node:fs/promises";
import type { AnyAuthMethod, BaseAgent, IdentityCallback, ParsedKey, SignCallback, SigningRequestOptions } from "ssh2";
import ssh2 from "ssh2";
import type { SshSettings } from "./ssh-config.ts";

export type AuthPlan = {
  /** In order; each a method for ssh2 and what to call it when all failed. */
  readonly methods: readonly { readonly method: AnyAuthMethod; readonly says: () => string }[];
  /** Keys that exist and cannot be used, each with the reason. */
  readonly skipped: readonly string[];
  /** A command that would help, where a key was skipped for want of a passphrase. */
  readonly fix: string | undefined;
};

export async function planAuth(settings: SshSettings): Promise<AuthPlan> {
  const username = settings.user;
  const methods: { method: AnyAuthMethod; says: () => string }[] = [{ method: { type: "none", username }, says: () => "none" }];
  const skipped: string[] = [];
  let fix: string | undefined;
  const keys = await Promise.all(settings.identityFiles.map(readIdentity));
  const seen: AgentSeen = { usable: 0, problem: undefined };
  if (settings.agentSocket !== undefined) {
    const preferred = keys.flatMap((key) => (key.publicBlob === undefined ? [] : [key.publicBlob]));
    const agent = makeAgent(settings.agentSocket, preferred, settings.identitiesOnly, seen);
    methods.push({ method: { type: "agent", username, agent }, says: () => describeAgent(seen) });
  }
  for (const key of keys) {
    if (key.state === "absent") continue;
    if (key.state === "good") methods.push({ method: { type: "publickey", username, key: key.pem }, says: () => key.file });
    else {
      skipped.push(`${key.file} (${key.reason})`);
      if (key.state === "encrypted") fix ??= `ssh-add ${key.file}`;
    }
  }
  return { methods, skipped, fix };
}

type Identity = { readonly file: string; readonly publicBlob: Buffer | undefined } & (
  | { readonly state: "absent" }
  | { readonly state: "good"; readonly pem: Buffer }
  | { readonly state: "encrypted" | "unusable"; readonly reason: string }
);

async function readIdentity(file: string): Promise<Identity> {
  const publicText = await readFile(`${file}.pub`, "utf8").catch(() => "");
  const parsedPublic = publicText === "" ? undefined : ssh2.utils.parseKey(publicText);
  const fromPub = parsedPublic === undefined || parsedPublic instanceof Error ? undefined : parsedPublic.getPublicSSH();
  const pem = await readFile(file).catch((error: NodeJS.ErrnoException) => error.code ?? "unreadable");
  if (typeof pem === "string") {
    if (pem === "ENOENT" || pem === "ENOTDIR") return { file, publicBlob: fromPub, state: "absent" };
    return { file, publicBlob: fromPub, state: "unusable", reason: pem === "EACCES" ? "not readable" : pem };
  }
  const key = ssh2.utils.parseKey(pem);
  if (key instanceof Error) {
    const isEncrypted = /encrypted|passphrase/i.test(key.message);
    return { file, publicBlob: fromPub, state: isEncrypted ? "encrypted" : "unusable", reason: isEncrypted ? "has a passphrase" : key.message };
  }
  if (!key.isPrivateKey()) return { file, publicBlob: key.getPublicSSH(), state: "absent" }; // a public key names a key of the agent
  return { file, publicBlob: fromPub ?? key.getPublicSSH(), state: "good", pem };
}

type AgentSeen = { usable: number; problem: string | undefined };

const describeAgent = (seen: AgentSeen): string => `agent (${seen.problem ?? (seen.usable === 1 ? "1 key" : `${seen.usable} keys`)})`;

/** The agent with the host's own keys first (sshd counts every offer against MaxAuthTries), and only those under IdentitiesOnly. */
function makeAgent(socket: string, preferred: readonly Buffer[], isOnlyPreferred: boolean, seen: AgentSeen): BaseAgent {
  const inner = new ssh2.OpenSSHAgent(socket);
  class HostAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(callback: IdentityCallback<ParsedKey>): void {
      inner.getIdentities((error, listed) => {
        if (error || listed === undefined) {
          seen.problem = `${socket}: ${error?.message ?? "no keys"}`;
          callback(error ?? new Error("the agent lists no keys"), undefined);
          return;
        }
        const keysOf = listed
          .map((entry) => ("pubKey" in entry ? entry.pubKey : entry))
          .filter((key): key is ParsedKey => typeof key === "object" && "getPublicSSH" in key);
        const rank = (key: ParsedKey): number => preferred.findIndex((blob) => blob.equals(key.getPublicSSH()));
        const order = (key: ParsedKey): number => (rank(key) < 0 ? preferred.length : rank(key));
        const chosen = keysOf.filter((key) => !isOnlyPreferred || rank(key) >= 0).toSorted((a, b) => order(a) - order(b));
        seen.usable = chosen.length;
        callback(undefined, chosen);
      });
    }
    override sign(key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, callback?: SignCallback): void {
      if (typeof options === "function") inner.sign(key, data, options);
      else inner.sign(key, data, options, callback);
    }
  }
  return new HostAgent();
}
