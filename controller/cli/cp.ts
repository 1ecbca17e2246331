/** `cp`: files and directories to or from one host, with sh and coreutils there. */

import { EXIT, fail } from "../../cluster/errors.ts";
import { sanitiseWord } from "../../cluster/sanitise.ts";
import { formatBytes } from "../../cluster/view/bytes.ts";
import { namedHost } from "./ad-hoc-host.ts";
import type { Run } from "./commands.ts";
import type { Context } from "./context.ts";
import { download, localTarget } from "./cp-download.ts";
import { parsePlace } from "./cp-paths.ts";
import { planCopies, planWords } from "./cp-plan.ts";
import { checkSource, remoteTarget, upload } from "./cp-upload.ts";
import { withHost } from "./reach-host.ts";

const usage = (what: string): Error => fail("USAGE", { what, fix: "nexadist cp FILE… HOST:DIR   or   nexadist cp HOST:FILE… DIR" });

export const cp: Run = async (context, [paths], options) => {
  const places = (Array.isArray(paths) ? paths : []).map(String).map(parsePlace);
  const target = places.pop();
  if (target === undefined || places.length === 0) throw usage("cp needs a source and a target");
  const names = new Set([...places, target].map((place) => place.host).filter((name) => name !== null));
  const [name] = names;
  if (names.size > 1) throw usage(`cp goes between this machine and one host, not ${[...names].join(" and ")}`);
  if (name === undefined) throw usage("neither side names a host");
  const isUpload = target.host !== null;
  if (places.some((place) => (place.host === null) !== isUpload)) throw usage("all sources must be on the same side");
  const host = await namedHost(context, name);
  const show = (path: string, isThere: boolean): string => sanitiseWord(isThere ? `${name}:${path}` : path);
  if (isUpload) for (const { path } of places) await checkSource(path);
  const here = isUpload ? null : await localTarget(target.path, places.length > 1);
  if (options.dryRun === true) {
    const sources = places.map(({ path }) => path);
    const plan = await withHost(host, context, options, (transport) => planCopies({ transport, host }, sources, target.path, isUpload));
    if (context.json) context.printJson({ isDryRun: true, host: name, copies: plan });
    else for (const each of plan) context.print(`would copy ${show(each.from, !isUpload)} -> ${show(each.to, isUpload)} (${planWords(each)})`);
    return EXIT.ok;
  }
  const copied = await withHost(host, context, options, async (transport) => {
    const peer = { transport, host };
    const into = here ?? (await remoteTarget(peer, target.path, places.length > 1));
    const done: { from: string; to: string; bytes: number; notes: readonly string[] }[] = [];
    for (const { path } of places) {
      const meter = createMeter(context, path);
      const { path: to, notes } = await (isUpload ? upload : download)(peer, path, into, meter.add);
      const bytes = meter.end();
      done.push({ from: path, to, bytes, notes });
      for (const note of notes) context.say(sanitiseWord(note));
      context.say(`${show(path, !isUpload)} -> ${show(to, isUpload)} (${formatBytes(bytes)})`);
    }
    return done;
  });
  if (context.json) context.printJson({ host: name, copied });
  return EXIT.ok;
};

/** Bytes so far, on a terminal, ten times a second at most. */
function createMeter(context: Context, path: string): { add: (bytes: number) => void; end: () => number } {
  const isShown = process.stderr.isTTY === true && !context.quiet && !context.json;
  let bytes = 0;
  let shownAt = 0;
  return {
    add: (more) => {
      bytes += more;
      const now = Date.now();
      if (!isShown || now - shownAt < 100) return;
      shownAt = now;
      process.stderr.write(`\r\u001b[2K${sanitiseWord(path)} ${formatBytes(bytes)}`);
    },
    end: () => {
      if (shownAt > 0) process.stderr.write("\r\u001b[2K");
      return bytes;
    },
  };
}
