/** A stretch of a log that is not there, at its place: never shown as blanks. */

import { sanitiseWord } from "../sanitise.ts";
import type { LogGap } from "../viewer.ts";
import { formatBytes } from "./bytes.ts";

export const formatGap = ({ from, to, why }: LogGap): string => `── gap: ${formatBytes(to - from)} not kept (${sanitiseWord(why)}) ──`;
