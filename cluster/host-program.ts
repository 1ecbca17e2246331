/** The host helper as one program text, and the fixed command that runs it from stdin on a host where nothing of ours is installed. */

/** Files of python/, each after those it imports; the last one is the program. */
export const HOST_PARTS = [
  "shim_proc",
  "shim_cgroup",
  "host_wire",
  "host_net",
  "host_session",
  "host_facts",
  "host_store",
  "host_agent",
  "host_clean",
  "host_audit",
  "host_look",
  "host_reap",
  "host_uninstall",
  "host",
] as const;
export type HostPart = (typeof HOST_PARTS)[number];

/** The program that `diag` runs on a host, made in the same way. */
export const PROBE_PARTS = [
  "host_wire",
  "host_net",
  "host_session",
  "host_facts",
  "claims",
  "probe_claims",
  "probe_setup",
  "probe_disk",
  "probe_gpu",
  "probe_gpu_work",
  "probe_net",
  "probe_python",
  "probe_calls",
  "probe_jobs",
  "probe_sections",
  "probe",
] as const;

/** Exit status of HOST_COMMAND when no Python of 3.9 or newer is there. */
export const NO_PYTHON = 97;

/** Said by HOST_COMMAND then, and nothing more until its stdin ends. */
export const NO_PYTHON_SAID = "nexadist: no Python 3.9 or newer";

/**
 * Valid in sh, csh and fish; holds no data. stdin: base64 of `hostProgram`, a newline, the request as one line of JSON, the payload.
 * The version check stands before stdin is touched, so that the next Python can be tried.
 */
export const HOST_COMMAND = [
  "exec sh -c 'for p in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do ",
  "command -v $p >/dev/null 2>&1 || continue; ",
  `$p -I -S -c "import sys;sys.version_info<(3,9) and sys.exit(${NO_PYTHON});import base64;`,
  'exec(compile(base64.b64decode(sys.stdin.buffer.readline()),chr(104),chr(101)+chr(120)+chr(101)+chr(99)))"; ',
  // A wrapper that finds no Python of its own (pyenv without a version: 1, 127) has not touched stdin: the next one may do.
  `r=$?; case $r in ${NO_PYTHON}) ;; 1|126|127) e=$r ;; *) exit $r ;; esac; done; `,
  // sshd loses the status of a program that ends while more is written to it than a pipe holds: all is taken first.
  `[ "$e" ] || echo ${NO_PYTHON_SAID}; cat >/dev/null; exit \${e:-${NO_PYTHON}}'`,
].join("");

/** Python text that makes a module of each part, then runs the last as the program. */
export function hostProgram(sources: Readonly<Record<string, string>>, names: readonly string[] = HOST_PARTS): string {
  const parts = JSON.stringify(names.map((name) => [name, sources[name]]));
  // JSON without non-ASCII characters is a Python literal, surrogate pairs aside; those cannot be in our sources (a test looks).
  const literal = JSON.stringify(parts).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return [
    "import json, sys, types",
    `parts = json.loads(${literal})`,
    "for name, text in parts[:-1]:",
    "    module = types.ModuleType(name)",
    "    sys.modules[name] = module",
    '    exec(compile(text, name + ".py", "exec"), module.__dict__)',
    'exec(compile(parts[-1][1], parts[-1][0] + ".py", "exec"), {"__name__": "__main__"})',
  ].join("\n");
}
