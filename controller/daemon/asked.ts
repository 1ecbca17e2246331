/** One request of one viewer, and how answers go to it: a viewer that does not read costs a bounded amount of memory. */

import type { Socket } from "node:net";
import type { Answer, Item } from "../../cluster/viewer.ts";

/** Beyond this a viewer is too slow for log lines and output: they are left out or ended, never queued. In bytes. */
export const SLOW = 8 * 1024 * 1024;

/** `cancelled`: by the viewer, or because it is gone. */
export type Asked = { readonly socket: Socket; readonly id: number; readonly cancelled: AbortSignal };

export const isSlow = ({ socket }: Asked): boolean => socket.writableLength > SLOW;

/** false: wait for `drained` before more, unless it must not wait. A viewer that lets events pile up is cut off; it comes back and is told them again. */
export function say(socket: Socket, message: Answer): boolean {
  if (socket.destroyed) return true;
  const hasRoom = socket.write(`${JSON.stringify(message)}\n`);
  if (socket.writableLength > 2 * SLOW) socket.destroy();
  return hasRoom;
}

export const tell = ({ socket, id }: Asked, item: Item): boolean => say(socket, { id, item });

/** Tells it and waits until the viewer has room again; false: nobody wants more. */
export async function tellAndWait(asked: Asked, item: Item): Promise<boolean> {
  if (asked.cancelled.aborted) return false;
  if (!tell(asked, item)) await drained(asked);
  return !asked.cancelled.aborted;
}

/** Until the viewer has room again, or nobody wants more. */
export function drained({ socket, cancelled }: Asked): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed || cancelled.aborted || !socket.writableNeedDrain) return resolve();
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      cancelled.removeEventListener("abort", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
    cancelled.addEventListener("abort", done);
  });
}
