/**
 * Makes text from elsewhere (logs, host names, errors, banners) harmless to a terminal.
 * Allowed: printable text, tab, newline, and SGR (colour) sequences. Everything else is shown as a visible stand-in, nothing is executed.
 */

/** Longest parameter part of an SGR sequence that is let through; real ones are under 30. */
const SGR_MAX = 48;
const ESC = "\u001b";
const SGR = new RegExp(`^${ESC}\\[[0-9;:]{0,${SGR_MAX}}m`);
/** Could still become an SGR sequence when more text comes. */
const SGR_PREFIX = new RegExp(`^${ESC}(\\[[0-9;:]{0,${SGR_MAX}})?$`);
const ANY_SGR = new RegExp(`${ESC}\\[[0-9;:]{0,${SGR_MAX}}m`, "g");

/** Direction marks and overrides, invisible letters and separators, the byte order mark, interlinear, tag and supplementary selector characters: text that looks like other text, or carries some unseen. */
const isDeceptive = (c: number): boolean =>
  c === 0x00ad ||
  c === 0x034f ||
  c === 0x061c ||
  c === 0x115f ||
  c === 0x1160 ||
  (c >= 0x180b && c <= 0x180e) ||
  c === 0x200b ||
  c === 0x200e ||
  c === 0x200f ||
  (c >= 0x2028 && c <= 0x202e) ||
  (c >= 0x2060 && c <= 0x206f) ||
  c === 0x3164 ||
  c === 0xfeff ||
  c === 0xffa0 ||
  (c >= 0xfff9 && c <= 0xfffb) ||
  (c >= 0x1d173 && c <= 0x1d17a) ||
  (c >= 0xe0000 && c <= 0xe01ef);

function standIn(c: number): string | null {
  if (c === 0x09 || c === 0x0a) return null;
  if (c < 0x20) return String.fromCodePoint(0x2400 + c); // the "symbols for control characters" block
  if (c === 0x7f) return "\u2421";
  if (c >= 0x80 && c <= 0x9f) return `<${c.toString(16).toUpperCase()}>`;
  if (c >= 0xd800 && c <= 0xdfff) return "\ufffd"; // a half of a pair
  if (isDeceptive(c)) return `<U+${c.toString(16).toUpperCase().padStart(4, "0")}>`;
  return null;
}

/** Nearly all text is this, and stays as it is. */
const PLAIN = /^[\t\n\x20-\x7e]*$/;

/** Whole texts. */
export function sanitise(text: string): string {
  if (PLAIN.test(text)) return text;
  let out = "";
  for (let i = 0; i < text.length; ) {
    const c = text.codePointAt(i) ?? 0;
    if (c === 0x1b) {
      const sgr = SGR.exec(text.slice(i, i + SGR_MAX + 3));
      if (sgr !== null) {
        out += sgr[0];
        i += sgr[0].length;
        continue;
      }
    }
    const width = c > 0xffff ? 2 : 1;
    out += standIn(c) ?? text.slice(i, i + width);
    i += width;
  }
  return out;
}

/** More marks on one letter than any script needs reach into the lines above. */
const PILE = /(\p{M}{8})\p{M}+/gu;
export const withoutPiles = (text: string): string => text.replace(PILE, "$1");

/** As `sanitise`, on one line: for names, reasons and other text inside a line of ours. */
export const sanitiseWord = (text: string): string =>
  withoutPiles(
    sanitise(text)
      .replace(ANY_SGR, "")
      .replace(/[\n\t]/g, " "),
  );

/** Without colours, for a terminal or file that wants none. */
export const withoutColour = (text: string): string => text.replace(ANY_SGR, "");

export type Sanitiser = { readonly push: (bytes: Uint8Array) => string; readonly end: () => string };

/** For a byte stream: the same result as `sanitise` of the whole, wherever the chunks are cut. */
export function createSanitiser(): Sanitiser {
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  let held = "";
  const take = (text: string): string => {
    const all = held + text;
    const start = all.lastIndexOf(ESC);
    const isOpen = start >= 0 && SGR_PREFIX.test(all.slice(start));
    held = isOpen ? all.slice(start) : "";
    return sanitise(isOpen ? all.slice(0, start) : all);
  };
  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end: () => {
      const rest = take(decoder.decode()) + sanitise(held);
      held = "";
      return rest;
    },
  };
}
