/** Brings the files of a checkpoint to hosts that lack them, from one that has them, over the links that are there. */

import { createHash } from "node:crypto";
import type { Saved } from "../../cluster/checkpoint/groups.ts";
import type { Shipment } from "../../cluster/checkpoint/last-complete.ts";
import { fail } from "../../cluster/errors.ts";
import { CHECKPOINT_PIECE, type Command, checkpointPiece } from "../../cluster/protocol.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;
/** Less the fence, which the caller of `findCheckpoint` adds. */
export type CheckpointCommand = Without<Extract<Command, { do: `checkpoint-${string}` }>, "run" | "epoch" | "controller">;
export type AskHost = (host: string, command: CheckpointCommand) => Promise<unknown>;

/** Pieces on their way at once: the link's round trip is not waited for at each. */
const WINDOW = 8;

export type Delivery = {
  readonly ask: AskHost;
  readonly root: string;
  readonly saved: Saved;
  readonly shipments: readonly Shipment[];
  readonly notice: (text: string) => void;
  readonly isWanted: () => boolean;
};

/** Errors: those of the links and of the files there, NOT_WANTED. What was begun is taken back. */
export async function bring({ ask, root, saved, shipments, notice, isWanted }: Delivery): Promise<void> {
  const total = shipments.reduce((sum, { size, to }) => sum + size * to.length, 0);
  let done = 0;
  const mustGoOn = (): void => {
    if (!isWanted()) throw fail("NOT_WANTED", { host: shipments[0]?.to[0] });
  };
  for (const shipment of shipments) {
    mustGoOn();
    const path = shipment.path === "" ? saved.name : `${saved.name}/${shipment.path}`;
    const seal = (sha256: string | null, host: string) => ask(host, { do: "checkpoint-seal", root, path, size: shipment.size, sha256, attempt: saved.attempt });
    const progress = (bytes: number): void => {
      mustGoOn();
      done += bytes * shipment.to.length;
      notice(`${saved.name} to ${shipment.to.join(", ")}: ${formatBytes(done)} of ${formatBytes(total)}`);
    };
    try {
      const sha256 = await stream(ask, root, path, shipment, progress);
      await Promise.all(shipment.to.map((host) => seal(sha256, host)));
    } catch (error) {
      await Promise.allSettled(shipment.to.map((host) => seal(null, host)));
      throw error;
    }
  }
}

/** Read once, written everywhere; the hash is of what was read. */
async function stream(ask: AskHost, root: string, path: string, { from, to, size }: Shipment, progress: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  const pieces = Math.max(1, Math.ceil(size / CHECKPOINT_PIECE));
  const read = (k: number): Promise<unknown> => ask(from, { do: "checkpoint-read", root, path, offset: k * CHECKPOINT_PIECE });
  const reading = Array.from({ length: Math.min(WINDOW, pieces) }, (_, k) => read(k));
  for (const each of reading) each.catch(() => undefined); // the first that fails is told below; the others must not be unhandled
  let id: string | null = null;
  let writing: Promise<unknown>[] = [];
  for (let k = 0; k < pieces; k++) {
    const piece = checkpointPiece.parse(await reading.shift());
    const bytes = Buffer.from(piece.data, "base64");
    const expected = Math.min(CHECKPOINT_PIECE, size - k * CHECKPOINT_PIECE);
    if (piece.size !== size || bytes.length !== expected || (id !== null && piece.id !== id))
      throw fail("CHECKPOINT_FILE", { path, why: `it changed on ${from} while it was read` });
    id = piece.id;
    hash.update(bytes);
    if (k + WINDOW < pieces) {
      const next = read(k + WINDOW);
      next.catch(() => undefined);
      reading.push(next);
    }
    const written = to.map((host) => ask(host, { do: "checkpoint-write", root, path, offset: k * CHECKPOINT_PIECE, data: piece.data }));
    for (const each of written) each.catch(() => undefined);
    if (k === 0)
      await Promise.all(written); // it makes the file
    else writing = [...writing, ...written];
    if (writing.length >= WINDOW * to.length) await Promise.all(writing.splice(0, to.length));
    progress(bytes.length);
  }
  await Promise.all(writing);
  return hash.digest("hex");
}
