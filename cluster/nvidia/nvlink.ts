/** `nvidia-smi nvlink -s` and `-e`: the links of each GPU, and what they counted. */

import { readNumber } from "./cell.ts";

export type NvlinkGpu = {
  readonly index: number;
  readonly uuid: string;
  /** none: the card has no NVLink. mig: it cannot be asked. dead: it has, and none works. links: see below. unreadable: anything else. */
  readonly state: "links" | "none" | "mig" | "dead" | "unreadable";
  /** GB/s, null: inactive. */
  readonly speeds: readonly (number | null)[];
  /** Name of the counter → sum over its links. */
  readonly errors: Readonly<Record<string, number>>;
};

const GPU = /^GPU (\d{1,3}): .{1,200} \(UUID: ((?:GPU|MIG)-[0-9A-Za-z/-]{1,80})\)\s*$/;
const SPEED = /^\s*Link (\d{1,3}): (?:([\d.]{1,10}) GB\/s|(<inactive>))\s*$/i;
const COUNT = /^\s*Link (\d{1,3}): ([A-Za-z][A-Za-z0-9 _-]{0,60}?):\s*(\S{1,40})\s*$/;
const COUNTED = /errors?|replay|recovery|crc|discard|drop/i;

export function readNvlink(out: string): readonly NvlinkGpu[] {
  const gpus: { index: number; uuid: string; state: NvlinkGpu["state"]; speeds: (number | null)[]; errors: Record<string, number>; isOdd: boolean }[] = [];
  for (const line of out.split(/\r?\n/)) {
    const head = GPU.exec(line);
    if (head !== null) gpus.push({ index: Number(head[1]), uuid: head[2] ?? "", state: "unreadable", speeds: [], errors: {}, isOdd: false });
    const gpu = gpus.at(-1);
    if (head !== null || gpu === undefined) continue;
    if (/not have or support Nvlink/i.test(line)) gpu.state = "none";
    else if (/not supported for Devices in MIG mode/i.test(line)) gpu.state = "mig";
    else if (/all links are inActive/i.test(line)) gpu.state = "dead";
    const speed = SPEED.exec(line);
    if (speed !== null) {
      gpu.state = "links";
      gpu.speeds.push(speed[2] === undefined ? null : Number(speed[2]));
      continue;
    }
    const [, , name = "", value] = COUNT.exec(line) ?? [];
    const count = value === undefined ? { na: "empty" } : readNumber(value);
    // Rates of bit errors (15e-255) and counts of packets stand beside the counts of errors.
    if (value !== undefined && !COUNTED.test(name)) gpu.state = "links";
    else if ("v" in count) {
      gpu.state = "links";
      const short = name.replace(/ (?:Errors?|Error Count)$/i, "");
      gpu.errors[short] = (gpu.errors[short] ?? 0) + count.v;
    } else if (/^\s*Link \d/.test(line)) gpu.isOdd = true;
  }
  // One line that nobody can read, and nothing is known of the links.
  return gpus.map(({ isOdd, ...gpu }) => (isOdd ? { ...gpu, state: "unreadable" } : gpu));
}
