/** What runs on a seat: finds or starts the controller there, says where its socket is, and ends. Built as one file, seat.mjs, beside daemon.mjs. */

import { toProblem } from "../../cluster/errors.ts";
import { controllerSocket } from "../paths.ts";
import { findOrStartDaemon } from "./daemon-start.ts";

try {
  (await findOrStartDaemon()).close();
  process.stdout.write(`${JSON.stringify({ socket: controllerSocket() })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ problem: toProblem(error) })}\n`);
}
