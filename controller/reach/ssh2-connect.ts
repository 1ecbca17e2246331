/** One connection by ssh2: dialled, host key verified, authenticated; tried again while sshd drops us early and time is left. */

import { setTimeout as delay } from "node:timers/promises";
import type { Client, ConnectConfig, ServerHostKeyAlgorithm } from "ssh2";
import ssh2 from "ssh2";
import type { NexaError } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { type KnownHostLine, knownTypes } from "./known-hosts.ts";
import { hasUrl, LOGIN_URL_MS } from "./ssh-banner.ts";
import type { SshSettings } from "./ssh-config.ts";
import { describeErrno, isEarlyDrop, retryDelayMs, type SshPhase, sshFail, timeoutError } from "./ssh-errors.ts";
import { verifyHostKey } from "./ssh-host-keys.ts";
import { type AuthPlan, planAuth } from "./ssh-keys.ts";
import type { ReachOptions } from "./transport.ts";

const KEEPALIVE_MS = 15_000;
const KEEPALIVE_MISSES = 4;

export type Ssh2Context = { readonly settings: SshSettings; readonly options: ReachOptions; readonly knownHosts: readonly KnownHostLine[] };

class EarlyDrop extends Error {}

export async function connectSsh2(context: Ssh2Context): Promise<Client> {
  const startedMs = performance.now();
  const deadline = { atMs: startedMs + context.options.connectMs };
  const auth = await planAuth(context.settings);
  for (let attempt = 0, lastCause: string | undefined; ; attempt++) {
    try {
      return await connectOnce(context, auth, deadline, lastCause);
    } catch (error) {
      if (!(error instanceof EarlyDrop)) throw error;
      lastCause = error.message;
      const pauseMs = retryDelayMs(attempt, Math.random());
      if (performance.now() + pauseMs >= deadline.atMs) {
        throw timeoutError("banner", context.settings, "ssh2", performance.now() - startedMs, lastCause);
      }
      await delay(pauseMs);
    }
  }
}

function connectOnce(context: Ssh2Context, auth: AuthPlan, deadline: { atMs: number }, lastCause: string | undefined): Promise<Client> {
  const { settings, options, knownHosts } = context;
  const client = new ssh2.Client();
  let phase: SshPhase = "dial";
  let greeting = "";
  const said: string[] = [];
  const tried: string[] = [];
  let denial: NexaError | undefined;

  const toError = (error: Error & { code?: string | number; level?: string }): Error => {
    if (denial !== undefined) return denial;
    const errno = describeErrno(typeof error.code === "string" ? error.code : undefined);
    const words = sanitiseWord([greeting, error.message].filter(Boolean).join("; ")).trim();
    if (error.code === "ENOTFOUND") return sshFail("NO_SUCH_HOST", settings, "ssh2", {}, error);
    if (phase === "dial" && errno !== undefined && error.code !== "ECONNRESET") {
      return sshFail("UNREACHABLE", settings, "ssh2", { cause: errno }, error);
    }
    if (phase === "banner") {
      if (isEarlyDrop(words) || error.code === "ECONNRESET") return new EarlyDrop(`dropped before its banner (${words})`);
      return sshFail("UNREACHABLE", settings, "ssh2", { cause: `what listens there speaks no SSH: ${words}` }, error);
    }
    if (phase === "handshake") {
      if (error.code === "ECONNRESET" || isEarlyDrop(words)) return new EarlyDrop(`dropped during the handshake (${words})`);
      return sshFail("SSH_HANDSHAKE", settings, "ssh2", { cause: words }, error);
    }
    if (phase === "authentication") return authError(settings, auth, tried, [...said, ...(error.level === "client-authentication" ? [] : [words])]);
    return sshFail("UNREACHABLE", settings, "ssh2", { cause: errno ?? words }, error);
  };

  return new Promise<Client>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const startedMs = performance.now();
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      client.removeAllListeners();
      client.on("error", () => {}); // a late error of a connection given up
      act();
    };
    const giveUp = (error: Error): void =>
      settle(() => {
        client.destroy();
        reject(error);
      });
    const arm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(
        () => giveUp(timeoutError(phase, settings, "ssh2", performance.now() - startedMs, phase === "banner" ? lastCause : undefined)),
        Math.max(1, deadline.atMs - performance.now()),
      );
    };
    arm();
    const config: ConnectConfig = {
      host: settings.hostname,
      port: settings.port,
      username: settings.user,
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      strictVendor: false,
      ...addressOf(settings),
      algorithms: { serverHostKey: orderHostKeyAlgorithms(knownTypes(knownHosts, settings.keyName)) },
      debug: (line) => {
        if (phase === "banner" && line.startsWith("Remote ident")) phase = "handshake";
      },
      hostVerifier: (blob: Buffer, verify: (isGood: boolean) => void): void => {
        verifyHostKey(blob, knownHosts, settings, options, "ssh2").then(
          (error) => {
            denial = error;
            verify(error === undefined);
          },
          (error: Error) => giveUp(error),
        );
      },
      authHandler: (_left, _partial, next) => {
        const plan = auth.methods[tried.length];
        if (plan === undefined) {
          next(false as never); // ssh2 takes false for "no more"; its types do not say so
          return;
        }
        tried.push(plan.says());
        next(plan.method);
      },
    };
    client.on("connect", () => {
      client.setNoDelay(true); // Nagle costs 45 ms a round trip here, the handshake's too
      phase = "banner";
    });
    client.on("greeting", (text) => {
      greeting = text;
    });
    client.on("handshake", () => {
      phase = "authentication";
    });
    client.on("banner", (text) => {
      said.push(sanitiseWord(text).trim());
      options.notice(text);
      if (!hasUrl(text)) return;
      deadline.atMs = Math.max(deadline.atMs, performance.now() + LOGIN_URL_MS);
      arm();
    });
    client.on("error", (error: Error & { level?: string }) => {
      if (error.level === "agent") return; // ssh2 goes on with the next method; the plan says what was wrong
      giveUp(toError(error));
    });
    client.on("close", () => giveUp(toError(new Error("Connection closed by the other side"))));
    client.on("ready", () => settle(() => resolve(client)));
    client.connect(config);
  });
}

function authError(settings: SshSettings, auth: AuthPlan, tried: readonly string[], said: readonly string[]): NexaError {
  const says = auth.methods.slice(0, tried.length).map(({ says }) => says());
  const skipped = auth.skipped.length === 0 ? "" : `; skipped: ${auth.skipped.join(", ")}`;
  return sshFail("AUTH_FAILED", settings, "ssh2", { tried: `${says.join(", ")}${skipped}`, said: said.join(" ") || undefined, fix: auth.fix });
}

const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

function orderHostKeyAlgorithms(known: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string): boolean => known.includes(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  return [...HOST_KEY_ALGORITHMS.filter(isKnown), ...HOST_KEY_ALGORITHMS.filter((algorithm) => !isKnown(algorithm))];
}

function addressOf(settings: SshSettings): ConnectConfig {
  const family = settings.raw.get("addressfamily");
  const bind = settings.raw.get("bindaddress");
  return {
    ...(family === "inet" ? { forceIPv4: true } : family === "inet6" ? { forceIPv6: true } : {}),
    ...(bind === undefined || bind === "none" ? {} : { localAddress: bind }),
  };
}
