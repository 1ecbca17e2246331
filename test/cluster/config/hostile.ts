/** Texts made to crash, stall or pollute a reader of YAML, by what each tries. */

const bomb = Array.from({ length: 10 }, (_, i) => `a${i}: &a${i} [${i === 0 ? "lol, lol" : Array.from({ length: 9 }, () => `*a${i - 1}`).join(", ")}]`).join(
  "\n",
);
const doubling = Array.from({ length: 8 }, (_, i) => `a${i}: &a${i} [${i === 0 ? "x, ".repeat(5000) : `*a${i - 1}, *a${i - 1}`}]`).join("\n");

export const HOSTILE: Readonly<Record<string, string>> = {
  "alias bomb": bomb,
  "aliases within the limit that double": doubling,
  "flow sequences 20 000 deep": "[".repeat(20_000),
  "flow sequences deep and closed": "[".repeat(60_000) + "]".repeat(60_000),
  "flow maps deep": "{a: ".repeat(20_000),
  "block sequences deep": "- ".repeat(60_000),
  "complex keys deep": "? ".repeat(60_000),
  "block maps deep": Array.from({ length: 480 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
  "10 MB": "a: x\n".repeat(2_000_000),
  "10 MB on one line": `a: ${"x".repeat(10_000_000)}`,
  "many keys": Array.from({ length: 9000 }, (_, i) => `k${i}: 1`).join("\n"),
  "many items": `tags: [${"a,".repeat(60_000)}]`,
  "many hosts": `cluster:\n${Array.from({ length: 5000 }, (_, i) => `  - host: h${i}`).join("\n")}`,
  "many ranges": `cluster:\n${"  - host: h[1-1000]\n".repeat(3000)}`,
  "many duplicate keys": "a: 1\n".repeat(20_000),
  "many documents": "---\n".repeat(30_000),
  "many quotes": '"'.repeat(120_000),
  "a long key": `${"k".repeat(100_000)}: 1`,
  "many colons": ":".repeat(100_000),
  "many anchors": "&a ".repeat(40_000),
  "many tags": "!a ".repeat(40_000),
  "many spaces": `a:${" ".repeat(120_000)}b`,
  "a long word of digits": `cluster: [{host: "${"1.".repeat(50_000)}"}]`,
  "a duration to backtrack on": `timeouts: {start: "${"1s".repeat(40_000)}x"}`,
  "NUL and control bytes": "\0\u0001\u001b]52;c;\u0007".repeat(1000),
  "not UTF-8, decoded": "\ufffd".repeat(40_000),
  "lone surrogates": "\ud800".repeat(40_000),
};
