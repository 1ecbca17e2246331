/** `init`: writes a first cluster file, from ssh's configuration, a hostfile, or what the person answers. What is there is not written over. */

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { type FirstFile, firstFile } from "../../cluster/config/first-file.ts";
import { expandRange, splitOutsideBrackets } from "../../cluster/config/host-range.ts";
import { type HostLine, parseHostfile } from "../../cluster/config/hostfile.ts";
import { checkHost, checkUser } from "../../cluster/config/names.ts";
import { parseClusterText } from "../../cluster/config/parse.ts";
import { fail } from "../../cluster/errors.ts";
import type { Run } from "./commands.ts";
import { hostsOfSsh } from "./complete-lists.ts";
import { configError, homeOf, nodeFiles } from "./config-disk.ts";
import type { Context } from "./context.ts";
import { whyNot } from "./why-not.ts";

/** Stand in many configurations, and train nothing. */
const NO_HOSTS: ReadonlySet<string> = new Set(["github.com", "gitlab.com", "bitbucket.org", "ssh.dev.azure.com", "codeberg.org"]);
const INCLUDES_MOST = 100;

export const init: Run = async (context, [named], options) => {
  const name = typeof named === "string" ? named : "cluster.yaml";
  const path = resolve(context.cwd, name);
  if (existsSync(path) && !context.yes && options.force !== true)
    throw fail("USAGE", {
      what: `${name} is there already`,
      fix: `name another file: nexadist init other.yaml; or write over it: nexadist init ${name} --force`,
    });
  const wanted = await readWishes(context, options.fromSshConfig === true, typeof options.fromHostfile === "string" ? options.fromHostfile : null);
  const text = firstFile(wanted);
  const parsed = parseClusterText(text, name);
  if (!parsed.ok) throw configError(parsed.problems);
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw fail("USAGE", { what: `${name} cannot be written: ${whyNot(error)}`, fix: "name another file: nexadist init other.yaml" }, error);
  }
  if (context.json) context.printJson({ file: path, hosts: wanted.hosts.map(({ host }) => host) });
  else {
    const flag = name === "cluster.yaml" ? "" : ` ${name}`;
    context.say(`wrote ${name} with ${wanted.hosts.length} host${wanted.hosts.length === 1 ? "" : "s"}; take out those that are not to train`);
    context.say(`  next: nexadist diag${flag}   then: nexadist up${flag}`);
  }
  return 0;
};

async function readWishes(context: Context, fromSsh: boolean, hostfile: string | null): Promise<FirstFile> {
  if (fromSsh && hostfile !== null)
    throw fail("USAGE", { what: "--from-ssh-config and --from-hostfile exclude each other", fix: "nexadist init --from-hostfile FILE" });
  const plain = { gpus: null, script: null };
  if (hostfile !== null) return { ...plain, hosts: readHostfile(context, hostfile), whence: hostfile };
  const known = sshHosts(homeOf(context.env));
  if (fromSsh) {
    if (known.length === 0) throw fail("USAGE", { what: "~/.ssh/config names no host", fix: "nexadist init   asks for them; or --from-hostfile FILE" });
    return { ...plain, hosts: known.map((host) => ({ host, slots: null, user: null })), whence: "~/.ssh/config" };
  }
  if (!context.isInteractive)
    throw fail("USAGE", { what: "nobody can be asked for the hosts: this is no terminal", fix: "nexadist init --from-ssh-config   or   --from-hostfile FILE" });
  return ask(context, known);
}

function readHostfile(context: Context, name: string): readonly HostLine[] {
  const read = nodeFiles.read(resolve(context.cwd, name));
  if (!read.ok) throw fail("CLUSTER_FILE", { file: name, why: read.why, named: true });
  const parsed = parseHostfile(read.text);
  if (!parsed.ok) throw fail("CONFIG", { what: `${name}:${parsed.line}: ${parsed.why}`, fix: "a line is: host slots=8" });
  return parsed.hosts;
}

/** With what it includes, as ssh reads it: relative to ~/.ssh. */
function sshHosts(home: string): readonly string[] {
  const dir = join(home, ".ssh");
  const found: string[] = [];
  const seen = new Set<string>();
  const read = (path: string): void => {
    if (seen.has(path) || seen.size > INCLUDES_MOST) return;
    seen.add(path);
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch {
      return; // ssh does without it too
    }
    for (const [, patterns = ""] of text.matchAll(/^\s*Include\s+(.+)$/gim))
      for (const pattern of patterns.split(/\s+/).map((word) => word.replaceAll('"', "").replace(/^~(?=\/)/, home)))
        for (const file of globSync(isAbsolute(pattern) ? pattern : join(dir, pattern)).sort()) read(file);
    found.push(...hostsOfSsh(text));
  };
  read(join(dir, "config"));
  return [...new Set(found)].filter((host) => !NO_HOSTS.has(host) && /^[\w.-]+$/.test(host));
}

async function ask(context: Context, known: readonly string[]): Promise<FirstFile> {
  const asking = createInterface({ input: process.stdin, output: process.stderr, completer: (line: string) => completed(line, known) });
  const gone = new AbortController();
  asking.on("close", () => gone.abort()).on("SIGINT", () => asking.close());
  const until = async <T>(question: string, take: (text: string) => T | string): Promise<T> => {
    for (;;) {
      const taken = take((await asking.question(question, { signal: gone.signal })).trim());
      if (typeof taken !== "string") return taken;
      process.stderr.write(`  ${taken}\n`);
    }
  };
  try {
    if (known.length > 0) process.stderr.write(`hosts of ~/.ssh/config: ${known.join(" ")}\n`);
    const hosts = await until("hosts (names or addresses, also gpu[1-4], with spaces between): ", hostsFrom);
    const gpus = await until("GPUs of each (enter: those that are free): ", (text) =>
      text === "" ? { count: null } : /^[1-9]\d{0,2}$/.test(text) ? { count: Number(text) } : "a number from 1",
    );
    const script = await until("script (enter: a test of all ranks): ", (text) =>
      text === "" ? { path: null } : existsSync(resolve(context.cwd, text)) ? { path: text } : "there is no such file here",
    );
    return { hosts, gpus: gpus.count, script: script.path, whence: "what was answered" };
  } catch (error) {
    if (gone.signal.aborted) throw fail("USAGE", { what: "nothing was written", fix: "nexadist init asks again" });
    throw error;
  } finally {
    asking.close();
  }
}

function hostsFrom(text: string): readonly HostLine[] | string {
  const words = text.split(/\s+/).flatMap(splitOutsideBrackets);
  if (words.length === 0) return "at least one";
  const hosts: HostLine[] = [];
  for (const word of words) {
    const [, user = null, range = ""] = /^(?:([\w.-]+)@)?([\w.[\],-]+)$/.exec(word) ?? [];
    const expanded = expandRange(range);
    if (range === "" || !expanded.ok) return `${word}: ${expanded.ok ? "no name of a host" : expanded.why}`;
    const wrong = expanded.names.map((host) => checkHost(host)).find((why) => why !== null) ?? (user === null ? null : checkUser(user));
    if (wrong != null) return `${word} ${wrong}`;
    hosts.push(...expanded.names.map((host) => ({ host, slots: null, user })));
  }
  return hosts;
}

function completed(line: string, known: readonly string[]): [string[], string] {
  const word = line.split(/\s+/).at(-1) ?? "";
  return [known.filter((host) => host.startsWith(word)), word];
}
