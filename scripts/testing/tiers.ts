/** Which test files there are, in which order they run, and what a machine must have for each tier. */

import { accessSync, constants, globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";

export type Tier = { readonly name: string; readonly globs: readonly string[]; readonly concurrency: number; readonly needs: readonly string[] };

const cores = availableParallelism();

/** Cheap first. What waits for processes and links most of its time shares the cores two by two; no test may depend on having one to itself. */
export const tiers: readonly Tier[] = [
  { name: "unit", globs: ["test/arch/**", "test/cluster/**"], concurrency: cores, needs: [] },
  {
    name: "integration",
    globs: ["test/agent/**", "test/controller/**", "test/python/**", "test/tui/**", "test/scripts/**"],
    concurrency: Math.max(2, Math.floor(cores / 2)),
    needs: [],
  },
  { name: "e2e", globs: ["test/e2e/**"], concurrency: 2, needs: ["root", "sshd", "ip", "nft", "ps"] },
];

/** Test files of a tier, those that hold one of `words` in their path when there are any. */
export function filesOf(tier: Tier, root: string, words: readonly string[]): string[] {
  return globSync(
    tier.globs.map((glob) => `${glob}/*.test.ts`),
    { cwd: root },
  )
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
}

export const missingFor = (tier: Tier): string[] => tier.needs.filter((need) => (need === "root" ? process.getuid?.() !== 0 : !isOnPath(need)));

function isOnPath(tool: string): boolean {
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((dir) => {
    try {
      accessSync(join(dir, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
