/** Transport over the system's `ssh` with a ControlMaster: for what ssh2 cannot do (jump hosts, certificates, security keys, GSSAPI). */

import { setTimeout as delay } from "node:timers/promises";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { answerWithin, noAnswer } from "./answer-within.ts";
import { knownTypes } from "./known-hosts.ts";
import { isDropped, readFailure } from "./openssh-errors.ts";
import { type Master, startMaster } from "./openssh-master.ts";
import { openSession } from "./openssh-session.ts";
import { makeSocketOpener } from "./openssh-socket.ts";
import { hasUrl, LOGIN_URL_MS } from "./ssh-banner.ts";
import { retryDelayMs, sshFail, timeoutError } from "./ssh-errors.ts";
import { acceptedNotice } from "./ssh-host-keys.ts";
import { makeSessionGate, SessionRefused } from "./ssh-sessions.ts";
import type { Ssh2Context } from "./ssh2-connect.ts";
import type { Transport } from "./transport.ts";

export async function openOpenssh(context: Ssh2Context, why: string): Promise<Transport> {
  const { settings } = context;
  const master = await connectMaster(context);
  const gate = makeSessionGate();
  let reason: string | undefined;
  const closed = master.ended.then(() => {
    reason ??= sanitiseWord(lastLine(master.words())) || "the other side closed the connection";
    return reason;
  });
  const lost = () => sshFail("CONNECTION_LOST", settings, "ssh", { cause: reason ?? "the ssh master is gone" });

  const exec: Transport["exec"] = async (command, options) => {
    try {
      return await gate.enter((leave) => (reason === undefined ? openSession(master, command, options?.pty, leave) : Promise.reject(lost())));
    } catch (error) {
      if (reason !== undefined) throw lost();
      throw error instanceof SessionRefused ? sshFail("SSH_CHANNEL", settings, "ssh", { cause: error.message }, error) : error;
    }
  };

  const close = (): void => {
    reason ??= "closed by nexadist";
    master.kill();
  };
  // Past the gate: where sshd has no session left it says so, which is an answer.
  const probe: Transport["probe"] = async (withinMs, doing) => {
    const answered = openSession(master, "exit 0", undefined, () => {}).then(
      (child) => child.kill(),
      () => undefined,
    );
    await answerWithin(answered, withinMs, () => sshFail("CONNECTION_LOST", settings, "ssh", { cause: reason ?? noAnswer(doing) }));
    if (reason !== undefined) throw lost();
  };

  const sockets = makeSocketOpener(master, settings, exec, () => (reason === undefined ? undefined : lost()));
  return { driver: "ssh", address: context.settings.hostname, port: context.settings.port, why, exec, ...sockets, probe, closed, close };
}

const lastLine = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/^(Transferred:|Bytes per second|Authenticated )/.test(line))
    .at(-1) ?? "";

async function connectMaster(context: Ssh2Context): Promise<Master> {
  const { settings, options, knownHosts } = context;
  const startedMs = performance.now();
  let deadlineMs = startedMs + options.connectMs;
  // A host that is known by another key is not new, whatever type it shows now.
  const isAcceptingNew = options.acceptNewHostKeys && knownTypes(knownHosts, settings.keyName).length === 0;
  for (let attempt = 0, lastCause: string | undefined; ; attempt++) {
    const alarm = new AbortController();
    let isConnecting = true;
    const master = await startMaster(context, isAcceptingNew, {
      onBanner: (line) => {
        if (!isConnecting) return;
        options.notice(line);
        if (hasUrl(line)) deadlineMs = Math.max(deadlineMs, performance.now() + LOGIN_URL_MS);
      },
      onAccepted: (name, key) => options.notice(acceptedNotice({ ...settings, keyName: name }, key ?? { type: "?", fingerprint: "(not shown)" })),
    });
    const outcome = await Promise.race([
      master.ready.then(() => "ready" as const),
      master.ended.then(() => "ended" as const),
      untilDeadline(() => deadlineMs, alarm.signal),
    ]);
    alarm.abort();
    isConnecting = false;
    if (outcome === "ready") return master;
    if (outcome === "late") {
      master.kill();
      throw timeoutError(master.phase(), settings, "ssh", performance.now() - startedMs, master.phase() === "banner" ? lastCause : undefined);
    }
    if (!isDropped(master)) throw await readFailure(master, context);
    lastCause = `dropped before authentication (${sanitiseWord(lastLine(master.words()))})`;
    const pauseMs = retryDelayMs(attempt, Math.random());
    if (performance.now() + pauseMs >= deadlineMs) throw timeoutError("banner", settings, "ssh", performance.now() - startedMs, lastCause);
    await delay(pauseMs);
  }
}

/** The deadline moves when a banner asks a person to log in. */
async function untilDeadline(deadlineMs: () => number, signal: AbortSignal): Promise<"late"> {
  for (let leftMs = 1; leftMs > 0; leftMs = deadlineMs() - performance.now()) {
    await delay(Math.max(1, deadlineMs() - performance.now()), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
  }
  return "late";
}
