/** One interface over ssh2, the system's ssh and the local machine: run a fixed command there, reach a unix socket there. */

import type { Duplex, Readable, Writable } from "node:stream";

export type RemoteExit = { readonly code: number | null; readonly signal: string | null };

export type RemoteProcess = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the process ended or the connection went (then code and signal are null). Never rejects. */
  readonly exit: Promise<RemoteExit>;
  /** Window size of a pty, in cells. */
  readonly resize: (columns: number, rows: number) => void;
  readonly kill: () => void;
};

export type Transport = {
  readonly driver: "ssh2" | "ssh" | "local";
  /** What was dialled, after HostName of ssh_config; null: this machine itself. */
  readonly address: string | null;
  /** Where sshd listens there, after Port of ssh_config. */
  readonly port: number | null;
  /** One clause: why this driver was chosen. Shown by `nexadist hosts`. */
  readonly why: string;
  /**
   * Runs `command` through the user's login shell there. `command` is a constant of ours, valid in sh, csh and fish;
   * data goes over stdin. Errors: SSH_CHANNEL when no more sessions are allowed.
   */
  readonly exec: (
    command: string,
    options?: { readonly pty?: { readonly columns: number; readonly rows: number; readonly term: string } },
  ) => Promise<RemoteProcess>;
  /** A stream to the unix socket at `path` there. Errors: STREAMLOCAL_REFUSED (the caller then proxies over exec), SOCKET_ABSENT. */
  readonly openSocket: (path: string) => Promise<Duplex>;
  /** A stream to a TCP port of its own loopback there. Errors: FORWARD_REFUSED, where that can be told; else it ends at once. */
  readonly openPort: (port: number) => Promise<Duplex>;
  /** Rejects with CONNECTION_LOST, which says `doing`, when the far end's sshd does not answer within `withinMs`; a refusal is an answer. */
  readonly probe: (withinMs: number, doing: string) => Promise<void>;
  /** Resolves once, with a reason in words, when the connection is gone for whatever cause. */
  readonly closed: Promise<string>;
  readonly close: () => void;
};

export type ReachOptions = {
  readonly connectMs: number;
  readonly acceptNewHostKeys: boolean;
  /** SSH_AUTH_SOCK lent by the viewer that asked; undefined: none. */
  readonly agentSocket: string | undefined;
  /** Environment of the asking viewer: base of `transport: local` processes and of the ssh command. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Banner lines and other words a person should see while connecting. */
  readonly notice: (text: string) => void;
};
