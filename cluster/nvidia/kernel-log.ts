/** GPU events in the kernel's log, however it was printed: dmesg, dmesg -T, journalctl -o short or short-iso. */

export type GpuEvent = {
  /** sxid: of an NVLink switch. fallen: off the bus, also without any Xid. init: the driver could not start a GPU. link: a slot that is slower than the card. */
  readonly kind: "xid" | "sxid" | "fallen" | "init" | "link";
  /** 0 where the kind has none. */
  readonly code: number;
  /** As 0000:9b:00 or 0000:9b:00.0; "": the line names none. */
  readonly busId: string;
  /** As printed, "": none. */
  readonly at: string;
  readonly text: string;
  readonly pid: number | null;
};

const TIMES = [/^\[\s*[^\]\n]{1,40}\]/, /^\d{4}-\d\d-\d\d[T ][0-9:.,]{8,16}(?:[+-]\d\d:?\d\d|Z)?/, /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d/];
const XID = /NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]{5,20})[^)\n]{0,40}\)[^:\n]{0,40}: (\d{1,5})\b,?\s*(.{0,400})/;
const SXID = /nvidia-nvswitch\d{0,4}: SXid \(PCI:([0-9a-fA-F:.]{5,20})\): (\d{1,6})\b,?\s*(.{0,400})/;
const INIT = /NVRM:.{0,120}RmInitAdapter failed|NVRM: The NVIDIA probe routine failed/;
const SLOWER = /([0-9a-fA-F:.]{5,20}): [\d.]+ Gb\/s available PCIe bandwidth, limited by .{0,200}/;
const BUS = /\b([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-9a-fA-F])?)\b/;

export function readGpuEvents(lines: readonly string[]): readonly GpuEvent[] {
  const events: GpuEvent[] = [];
  for (const [at, line] of lines.entries()) {
    // Most lines of a log are not of a GPU: one look at each.
    if (!line.includes("NVRM") && !line.includes("nvswitch") && !line.includes("fallen off") && !line.includes("available PCIe bandwidth")) continue;
    const event = readLine(line, lines, at);
    if (event !== null) events.push({ ...event, at: TIMES.map((time) => time.exec(line)?.[0]).find((found) => found !== undefined) ?? "" });
  }
  return events;
}

function readLine(line: string, lines: readonly string[], at: number): Omit<GpuEvent, "at"> | null {
  const numbered = XID.exec(line) ?? SXID.exec(line);
  if (numbered !== null) {
    const [, busId = "", code = "", text = ""] = numbered;
    const pid = /\bpid='?(\d{1,10})\b/.exec(text)?.[1];
    return { kind: line.includes("SXid") ? "sxid" : "xid", code: Number(code), busId, text: text.trim(), pid: pid === undefined ? null : Number(pid) };
  }
  if (/(?:NVRM|nvidia).*fallen off the bus/i.test(line)) {
    // The long form names the GPU some lines earlier, and no Xid at all.
    const near = lines.slice(Math.max(0, at - 3), at + 1).reverse();
    const busId = near
      .map((each) => (/NVRM|NVIDIA GPU/.test(each) ? BUS.exec(each.replace(/\(PCI ID:[^)]*\)/, ""))?.[1] : undefined))
      .find((found) => found !== undefined);
    return { kind: "fallen", code: 0, busId: busId ?? "", text: line.slice(line.indexOf("NVRM")).trim().slice(0, 400), pid: null };
  }
  if (INIT.test(line))
    return { kind: "init", code: 0, busId: BUS.exec(line)?.[1] ?? "", text: line.slice(line.indexOf("NVRM")).trim().slice(0, 400), pid: null };
  const slower = SLOWER.exec(line);
  return slower === null ? null : { kind: "link", code: 0, busId: slower[1] ?? "", text: slower[0], pid: null };
}

/** 00000000:9B:00.0 of nvidia-smi, 0000:9b:00 of the kernel: the same GPU. */
export function isSameBus(a: string, b: string): boolean {
  const short = (id: string): string => {
    const [domain = "", bus = "", device = ""] = id.toLowerCase().split(":");
    return `${domain.padStart(8, "0").slice(-4)}:${bus}:${device.split(".")[0]}`;
  };
  return a !== "" && b !== "" && short(a) === short(b);
}
