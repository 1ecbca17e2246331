/** What of a command's environment changes how it reaches a host by SSH. Hosts that are reached unlike do not share a link. */

import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";

export type ReachEnv = Readonly<Record<string, string>>;

const NAMES = ["NEXADIST_SSH", "NEXADIST_SSH_CONFIG", "PATH"] as const;

/** Only what matters here: the rest of an environment is not for a disk. */
export const reachEnv = (env: Readonly<Record<string, string | undefined>>): ReachEnv =>
  Object.fromEntries(NAMES.map((name) => [name, env[name]]).filter((pair): pair is [string, string] => pair[1] !== undefined));

/** The controller stands in another directory: a path of the person's is made absolute before it travels there. */
export function absoluteReach(env: Readonly<Record<string, string>>, cwd: string): Record<string, string> {
  const { NEXADIST_SSH_CONFIG: config } = env;
  return config === undefined || config === "" || isAbsolute(config) ? { ...env } : { ...env, NEXADIST_SSH_CONFIG: resolve(cwd, config) };
}

/** Equal for environments that reach hosts alike: two PATHs that find the same `ssh` are. */
export const reachKey = (env: ReachEnv): string => JSON.stringify([env.NEXADIST_SSH ?? "", env.NEXADIST_SSH_CONFIG ?? "", sshOf(env.PATH ?? "")]);

function sshOf(path: string): string {
  const programs = path.split(delimiter).map((dir) => join(dir, "ssh"));
  return programs.find(isExecutable) ?? "";
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
