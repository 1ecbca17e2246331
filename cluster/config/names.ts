/** What a host, a user, a variable may be called. Each answers null when it is fine, else what is wrong, in words that need no context. */

type Check = (text: string) => string | null;

/** Text that reaches an argv or a file on a host: one line, no NUL. */
export const oneLine: Check = (text) => {
  if (text === "") return "is empty";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\u0000-\u001f\u007f\u0085\u2028\u2029]/.test(text) ? "holds a control character or a line break" : null;
};

export const checkHost: Check = (text) => {
  const control = oneLine(text);
  if (control !== null) return control;
  if (text.length > 253) return "is longer than 253 characters";
  if (text.startsWith("-")) return "starts with `-`: ssh would read it as an option";
  if (/\s/.test(text)) return "holds a space";
  if (text.includes("@")) return "holds `@`: put the user under `user:`";
  if (/[^\u0020-\u007e]/.test(text)) return "is not ASCII: write an international name in its `xn--` form";
  if (isIpv6(text)) return null;
  if (/^[\da-fA-F:.]+%/.test(text)) return "is an IPv6 address with a zone: use an address or a name that is valid without one";
  if (/^\[.*\]$/.test(text)) return "is in brackets: write an IPv6 address without them";
  if (/^[^:]+:\d+$/.test(text)) return "holds a port: put it under `port:`";
  if (/^\d+(\.\d+){3}$/.test(text) && !isIpv4(text)) return "is not an IPv4 address: each part is 0 to 255";
  if (!/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(text)) return "is not a host name or address: letters, digits, `.`, `-` and `_`";
  return null;
};

export const isIpv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255 && String(Number(part)) === part);

export function isIpv6(text: string): boolean {
  if (!text.includes(":") || !/^[\da-fA-F:.]{2,45}$/.test(text)) return false;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const plain = isIpv4(tail) ? `${text.slice(0, text.length - tail.length)}0:0` : text;
  const halves = plain.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[\da-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

export const checkUser: Check = (text) =>
  text.length <= 64 && /^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(text) ? null : "is not a user name: letters, digits, `_`, `.` and `-`, a letter or `_` first";

export const checkVariable: Check = (text) => {
  if (/^BASH_FUNC/.test(text)) return "defines a shell function, which is not a variable";
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) || text.length > 255) return "is not a variable name: letters, digits and `_`, no digit first";
  return OURS.has(text) || text.startsWith("NEXADIST_") ? "is set by nexadist for every rank" : null;
};

const OURS = new Set("RANK LOCAL_RANK GROUP_RANK ROLE_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_WORLD_SIZE ROLE_WORLD_SIZE MASTER_ADDR MASTER_PORT".split(" "));

/** Linux takes 128 KiB for one NAME=value, its NUL included. */
export const MAX_VARIABLE_BYTES = 128 * 1024 - 1;

export const checkRunName: Check = (text) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) ? null : "is not a run name: at most 64 letters, digits, `.`, `_` and `-`, a letter or digit first";

/** 15: IFNAMSIZ less its NUL. */
export const checkInterface: Check = (text) => (/^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$/.test(text) ? null : "is not the name of a network interface");

export const checkModule: Check = (text) => {
  if (/\.py$|\//.test(text)) return "is a file: put it under `script:`";
  return /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$/.test(text) ? null : "is not a module name such as pkg.train";
};
