/** Words that people put in front of a launcher, `env FOO=1 nohup torchrun …` or `bash -c '…'`, taken off again. */

import { splitCommand } from "./words.ts";

/** Options with a value in the next word, by letter or long name; `words`: how many of the program's own come before what it starts. */
type Wrapper = { readonly valued?: string; readonly words?: number; readonly verb?: true };

/** coreutils 9.7, util-linux 2.41, numactl 2.0.19, sudo 1.9, uv 0.9, poetry 2.2, conda 25, hatch 1.14, Slurm 24.11. */
const WRAPPERS: Readonly<Record<string, Wrapper>> = {
  env: { valued: "u unset C chdir" },
  nohup: {},
  exec: { valued: "a" },
  command: {},
  time: { valued: "f format o output" },
  nice: { valued: "n adjustment" },
  ionice: { valued: "c class n classdata" },
  setsid: {},
  chrt: { valued: "T sched-runtime P sched-period D sched-deadline", words: 1 },
  numactl: { valued: "N cpunodebind C physcpubind i interleave w weighted-interleave m membind p preferred P preferred-many" },
  taskset: { words: 1 },
  stdbuf: { valued: "i input o output e error" },
  timeout: { valued: "k kill-after s signal", words: 1 },
  sudo: { valued: "u user g group h host p prompt C close-from D chdir R chroot T command-timeout r role t type" },
  uv: {
    verb: true,
    valued: "p python extra group only-group no-group no-extra with with-editable with-requirements env-file directory project package index default-index",
  },
  poetry: { verb: true, valued: "C directory P project" },
  pipenv: { verb: true },
  pdm: { verb: true, valued: "p project" },
  rye: { verb: true },
  hatch: { verb: true, valued: "e env p project" },
  srun: {
    valued:
      "N nodes n ntasks c cpus-per-task G gpus gpus-per-node gpus-per-task ntasks-per-node p partition w nodelist x exclude t time J job-name A account q qos mem o output e error C constraint D chdir",
  },
  pixi: { verb: true, valued: "e environment manifest-path" },
  conda: { verb: true, valued: "n name p prefix cwd" },
  mamba: { verb: true, valued: "n name p prefix cwd" },
  micromamba: { verb: true, valued: "n name p prefix r root-prefix cwd" },
};

export type Bare = {
  readonly argv: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** What was taken off, as it was typed. */
  readonly off: readonly (readonly string[])[];
};

/** `argv` without its wrappers and assignments; itself where it has none. */
export function unwrap(argv: readonly string[]): Bare {
  const env: (readonly [string, string])[] = [];
  const off: (readonly string[])[] = [];
  let rest = argv;
  for (;;) {
    const assigned = /^([A-Za-z_]\w*)=(.*)$/s.exec(rest[0] ?? "");
    const length = assigned === null ? lengthOf(rest) : 1;
    if (length === 0) return { argv: rest, env, off };
    if (assigned === null) off.push(rest.slice(0, length));
    else env.push([assigned[1] ?? "", assigned[2] ?? ""]);
    rest = rest.slice(length);
  }
}

/** How many words the wrapper at the start is; 0: there is none. */
function lengthOf(argv: readonly string[]): number {
  const wrapper = WRAPPERS[(argv[0] ?? "").replace(/^.*\//, "")];
  if (wrapper === undefined) return 0;
  const valued = new Set(wrapper.valued?.split(" "));
  let own = wrapper.words ?? 0;
  let verb = wrapper.verb !== true;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") return i + 1;
    if (word.startsWith("-") && word !== "-") {
      // -oL and --output=L hold their value.
      if (valued.has(word.replace(/^--?/, "")) && (word.startsWith("--") || word.length === 2 || word.length > 3)) i++;
    } else if (!verb) {
      if (word !== "run") return 0;
      verb = true;
    } else if (own > 0) own--;
    else return i;
  }
  return 0;
}

/** `bash -lc 'text' …`: the text; null: no such call. */
export function shellText(argv: readonly string[]): string | null {
  if (!/^(.*\/)?(ba|da|z|k)?sh$/.test(argv[0] ?? "")) return null;
  const at = argv.findIndex((word, k) => k > 0 && /^-\w*c\w*$/.test(word));
  return at === -1 || argv.slice(1, at).some((word) => !/^[-+]/.test(word)) ? null : (argv[at + 1] ?? null);
}

export type Piece = {
  readonly words: readonly string[];
  /** Words as they were typed, since a shell would have had to expand something in them. */
  readonly isRaw: boolean;
  readonly others: readonly string[];
};

/** The commands of a shell's text, each with the others; quotes around a separator are not understood, which leaves raw words. */
export function piecesOf(text: string): readonly Piece[] {
  const redirections: string[] = [];
  const parts = text
    .replaceAll("\\\n", " ")
    .replace(/(?<=\s)(\d*|&)>>?\s*(&\d|[^\s;|&]+)/g, (all) => {
      redirections.push(all);
      return "";
    })
    .split(/&&|\|\||[;\n|&]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return parts.map((part, k) => {
    const split = splitCommand(part);
    return { words: split.ok ? split.words : part.split(/\s+/), isRaw: !split.ok, others: [...parts.filter((_, other) => other !== k), ...redirections] };
  });
}
