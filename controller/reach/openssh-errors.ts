/** What `ssh` wrote to stderr before it gave up, as the errors that the ssh2 driver throws too. */

import type { NexaError } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { describeHostKey, findLines, knownTypes } from "./known-hosts.ts";
import type { Master } from "./openssh-master.ts";
import { describeSshText, isEarlyDrop, sshFail } from "./ssh-errors.ts";
import { hostKeyError } from "./ssh-host-keys.ts";
import { planAuth } from "./ssh-keys.ts";
import type { Ssh2Context } from "./ssh2-connect.ts";

/** Worth another try: sshd dropped us before it knew us. */
export const isDropped = (master: Master): boolean => {
  const words = master.words();
  return master.phase() !== "authentication" && isEarlyDrop(words) && describeSshText(words) === undefined && !/host key/i.test(words);
};

export async function readFailure(master: Master, context: Ssh2Context): Promise<NexaError> {
  const { settings } = context;
  const words = master.words();
  const hostKey = readHostKeyFailure(master, context);
  if (hostKey !== undefined) return hostKey;
  const said = sanitiseWord(words).trim();
  if (/Permission denied|Too many authentication failures|No more authentication methods/i.test(words)) {
    const offered = master.offeredKeys().map(sanitiseWord);
    const { skipped, fix } = await planAuth(settings); // ssh is silent about a key that it could not unlock
    const tried = ["none", ...offered].join(", ") + (skipped.length === 0 ? "" : `; skipped: ${skipped.join(", ")}`);
    return sshFail("AUTH_FAILED", settings, "ssh", { tried, said, fix });
  }
  if (/Name or service not known|nodename nor servname/i.test(words)) return sshFail("NO_SUCH_HOST", settings, "ssh");
  const network = describeSshText(words);
  if (network !== undefined) return sshFail("UNREACHABLE", settings, "ssh", { cause: `${network} (${said})` });
  if (/Unable to negotiate|no matching/i.test(words)) return sshFail("SSH_HANDSHAKE", settings, "ssh", { cause: said });
  return sshFail("UNREACHABLE", settings, "ssh", { cause: said || "ssh ended without a word" });
}

function readHostKeyFailure(master: Master, { settings, knownHosts, options }: Ssh2Context): NexaError | undefined {
  const words = master.words();
  const presented = master.hostKey() ?? { type: "?", fingerprint: "(not shown)" };
  const isRevoked = /REVOKED HOST KEY|marked as revoked/i.test(words);
  if (!isRevoked && !/IDENTIFICATION HAS CHANGED|host key is known for|Host key verification failed/i.test(words)) return undefined;
  // A jump host on the way is verified too: the name is the one that ssh speaks of.
  const name = /host key (?:is known )?for (\S+?) (?:and|has|is)/i.exec(words)?.[1] ?? settings.keyName;
  const named = { ...settings, keyName: name.toLowerCase() };
  if (isRevoked) {
    const line = findLines(knownHosts, named.keyName).find(
      ({ marker, key }) => marker === "@revoked" && describeHostKey(Buffer.from(key, "base64")).fingerprint === presented.fingerprint,
    );
    return hostKeyError("HOST_KEY_REVOKED", named, presented, "ssh", line ?? { at: "known_hosts", file: "" });
  }
  const offending = /Offending .*?key in (.+?):(\d+)/i.exec(words);
  if (offending?.[1] !== undefined)
    return hostKeyError("HOST_KEY_CHANGED", named, presented, "ssh", { file: offending[1], at: `${offending[1]}:${offending[2]}` });
  const other = findLines(knownHosts, named.keyName).find(({ marker }) => marker === "");
  if (options.acceptNewHostKeys && other !== undefined && knownTypes(knownHosts, named.keyName).length > 0) {
    return hostKeyError("HOST_KEY_CHANGED", named, presented, "ssh", other);
  }
  return hostKeyError("HOST_KEY_UNKNOWN", named, presented, "ssh", undefined);
}
