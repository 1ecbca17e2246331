/** Captured output of real tools, under test/samples: parts are divided by lines that begin with `## `. */

import { readFileSync } from "node:fs";

export type Sample = { readonly title: string; readonly text: string };

export function readSampleFile(name: string): string {
  return readFileSync(new URL(`../samples/${name}`, import.meta.url), "utf8");
}

export function readSamples(name: string): readonly Sample[] {
  return readSampleFile(name)
    .split(/^(?=## )/m)
    .filter((part) => part.startsWith("## "))
    .map((part) => {
      const end = part.indexOf("\n");
      return { title: part.slice(3, end).trim(), text: part.slice(end + 1) };
    });
}
