/** Why nvidia-smi gave no (whole) answer: by its words first, for its exit codes differ between drivers and many errors are text only. */

export type SmiProblem =
  | "not-installed"
  | "hung"
  | "driver-not-loaded"
  | "driver-mismatch"
  | "container-lost"
  | "library-missing"
  | "library-too-old"
  | "no-devices"
  | "gpu-lost"
  | "inforom-corrupt"
  | "denied"
  | "unknown-field"
  | "bad-argument"
  | "unsupported"
  | "failed";

export type SmiTrouble = {
  readonly kind: SmiProblem;
  /** The line that says so, else what is known of the end of the program. */
  readonly says: string;
  /** The GPU, where the line names one: 0000:02:00.0 */
  readonly busId?: string;
};

/** Every pattern is of the program's own text, which is not translated. Order: what is said most exactly comes first. */
const TEXTS: readonly (readonly [SmiProblem, RegExp])[] = [
  ["driver-mismatch", /Driver\/library version mismatch/i],
  ["driver-not-loaded", /couldn'?t communicate with the NVIDIA driver|Failed to initialize NVML: Driver Not Loaded|Driver Not Loaded/i],
  [
    "library-missing",
    /couldn'?t find libnvidia-ml|Failed to initialize NVML: (?:NVML )?(?:Shared )?Library Not Found|libnvidia-ml\.so[^\n]*cannot open shared object/i,
  ],
  ["library-too-old", /Failed to initialize NVML: (?:A )?Function Not Found|undefined symbol: nvml/i],
  ["denied", /Failed to initialize NVML: (?:Insufficient Permissions|GPU access blocked by the operating system)|Permission denied/i],
  ["no-devices", /No devices (?:were )?found|No supported GPUs were found/i],
  ["gpu-lost", /Unable to determine the device handle for GPU|(?<!\[)GPU is lost|GPU has fallen off the bus/i],
  ["container-lost", /Failed to initialize NVML: Unknown Error/i],
  ["unknown-field", /Field "[^"\n]{1,120}" is not a valid field to query/],
  ["inforom-corrupt", /infoROM is corrupted/i],
  ["bad-argument", /Invalid combination of input arguments|Option [^\n]{1,80} is not recognized|is not a valid (?:option|argument)/i],
  ["failed", /Failed to initialize NVML/i],
];

/** What a shell, or whoever starts programs, says of one that is not there. */
const ABSENT = /nvidia-smi: (?:command )?not found|No such file or directory[^\n]{0,40}nvidia-smi|nvidia-smi[^\n]{0,40}No such file or directory/i;

/** man nvidia-smi, RETURN VALUE; 126 and 127 are a shell's. */
const CODES: Readonly<Record<number, SmiProblem>> = {
  2: "bad-argument",
  3: "unsupported",
  4: "denied",
  6: "no-devices",
  9: "driver-not-loaded",
  12: "library-missing",
  13: "library-too-old",
  14: "inforom-corrupt",
  15: "gpu-lost",
  18: "driver-mismatch",
  126: "denied",
  127: "not-installed",
};

/** `code` null: it did not end in time. null: it ended well and complained of nothing. An answer may hold rows beside the complaint. */
export function smiTrouble(out: string, err: string, code: number | null): SmiTrouble | null {
  if (code === 127 && ABSENT.test(`${err}\n${out}`)) return { kind: "not-installed", says: "there is no nvidia-smi" };
  const lines = `${err}\n${out}`.split("\n").map((line) => line.trim());
  for (const [kind, pattern] of TEXTS) {
    const says = lines.find((line) => pattern.test(line));
    if (says === undefined) continue;
    const busId = busIdIn(says);
    return { kind, says: says.slice(0, 300), ...(busId === null ? {} : { busId }) };
  }
  if (code === 0) return null;
  if (code === null) return { kind: "hung", says: "nvidia-smi did not answer" };
  const first = lines.find((line) => line !== "");
  return { kind: CODES[code] ?? "failed", says: first === undefined ? `nvidia-smi ended with code ${code} and said nothing` : first.slice(0, 300) };
}

/** GPU0000:02:00.0 and GPU 0000:02:00.0 alike. */
export function busIdIn(text: string): string | null {
  return /(?:GPU ?|gpu )?\b([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])\b/.exec(text.replace(/GPU(?=[0-9A-Fa-f]{4})/g, "GPU "))?.[1] ?? null;
}

/** A line of complaint in the stream of rows: never a row, also where one column was asked and everything fits. */
export function isDriverText(line: string): boolean {
  return (
    TEXTS.some(([kind, pattern]) => !(kind === "gpu-lost" && /\[GPU is lost\]/i.test(line)) && pattern.test(line)) ||
    /^(?:WARNING|ERROR|Error|Unable to)\b/.test(line.trim())
  );
}
