/** `cp` to a host: files by cat, directories by tar where both sides have it, else file by file. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { fail } from "../../cluster/errors.ts";
import { quote } from "../../cluster/launch/quote.ts";
import type { HostSpec } from "../../cluster/spec.ts";
import type { Transport } from "../reach/transport.ts";
import { joinRemote, remoteWord } from "./cp-paths.ts";
import { runScript } from "./remote-script.ts";
import { whyNot } from "./why-not.ts";

export type CopyPeer = { readonly transport: Transport; readonly host: HostSpec };
export type Progress = (bytes: number) => void;
/** `notes`: what was left out and why. */
export type Copied = { readonly path: string; readonly notes: readonly string[] };

/** What the shell says of itself in front of its complaint helps nobody: `sh: 3: `, `sh: line 3: `, `sh: eval: line 3: `. */
const withoutShell = (said: string): string => said.replace(/^(?:\S*\/)?(?:sh|bash|dash|ash|busybox): (?:eval: )?(?:line )?\d+: /gm, "");

/** Runs lines there; what they say on stderr is the reason when they fail. Gives stdout. */
export async function ask(peer: CopyPeer, script: string, input?: AsyncIterable<Uint8Array>): Promise<string> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const exit = await runScript(peer.transport, peer.host, script, {
    onOut: (data) => void out.push(data),
    onErr: (data) => void err.push(data),
    ...(input === undefined ? {} : { input }),
  });
  if (exit.code !== 0)
    throw fail("COPY_REFUSED", { what: `${peer.host.name}: ${withoutShell(Buffer.concat(err).toString("utf8").trim().slice(-500)) || `exit ${exit.code}`}` });
  return Buffer.concat(out).toString("utf8");
}

/** Where `source` goes: into a directory that is there, else the target itself. `many`: the target must be a directory. */
export async function remoteTarget(peer: CopyPeer, target: string, many: boolean): Promise<{ path: string; isDirectory: boolean }> {
  const word = remoteWord(target);
  const wantsDirectory = many || target.endsWith("/");
  const kind = (
    await ask(
      peer,
      `if test -d ${word}; then echo dir; elif test -e ${word}; then echo file; ${wantsDirectory ? `else mkdir -p ${word} && echo dir; fi` : "else echo none; fi"}\n`,
    )
  ).trim();
  if (wantsDirectory && kind !== "dir") throw fail("COPY_REFUSED", { what: `${peer.host.name}:${target} is not a directory` });
  return { path: target, isDirectory: kind === "dir" };
}

/** Before a host is reached. Errors: COPY_REFUSED. */
export async function checkSource(source: string): Promise<void> {
  const handle = await open(source, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw fail("COPY_REFUSED", { what: `cannot read ${source}: ${whyNot(cause)}` });
  });
  await handle.close();
}

export async function upload(peer: CopyPeer, source: string, target: { path: string; isDirectory: boolean }, progress: Progress): Promise<Copied> {
  const found = await stat(source).catch((cause: unknown) => {
    throw fail("COPY_REFUSED", { what: `cannot read ${source}: ${whyNot(cause)}` });
  });
  const path = target.isDirectory ? joinRemote(target.path, basename(source) === "." ? "" : basename(source)) : target.path;
  if (found.isDirectory()) await uploadDirectory(peer, source, path, progress);
  else if (found.isFile()) await uploadFile(peer, source, path, progress);
  else throw fail("COPY_REFUSED", { what: `${source} is neither a file nor a directory` });
  return { path, notes: [] };
}

async function uploadFile(peer: CopyPeer, source: string, path: string, progress: Progress): Promise<void> {
  const { size, mode } = await stat(source);
  const word = remoteWord(path);
  // Beside its place, then renamed: nobody sees half a file, and a cut connection leaves the old one.
  const part = `"$t".${randomBytes(6).toString("hex")}.part`;
  const script = [
    `t=${word}; p=${part}`,
    `if test -d "$t"; then printf '%s is a directory there\\n' "$t" >&2; exit 1; fi`,
    `d=\${t%/*}; test -n "$d" || d=/`,
    `if ! test -d "$d"; then printf 'there is no directory %s there\\n' "$d" >&2; exit 1; fi`,
    `if ! test -w "$d"; then printf '%s cannot be written there: permission denied\\n' "$d" >&2; exit 1; fi`,
    `trap 'rm -f "$p"; exit 1' HUP INT TERM`,
    `cat >"$p" && test "$(wc -c <"$p")" -eq ${size} && chmod ${(mode & 0o777).toString(8)} "$p" && mv -f "$p" "$t" && exit 0`,
    `rm -f "$p"; printf '%s did not arrive whole\\n' "$t" >&2; exit 1`,
  ].join("\n");
  await ask(peer, `${script}\n`, size === 0 ? emptyInput() : counted(createReadStream(source, { end: size - 1, highWaterMark: 256 * 1024 }), progress));
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {}

async function* counted(stream: Readable, progress: Progress): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    yield chunk;
    progress(chunk.length);
  }
}

export const hasLocalTar = (): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn("tar", ["--version"], { stdio: "ignore" });
    child.once("error", () => resolve(false)).once("exit", (code) => resolve(code === 0));
  });

async function uploadDirectory(peer: CopyPeer, source: string, path: string, progress: Progress): Promise<void> {
  const word = remoteWord(path);
  const prepared = await ask(
    peer,
    `t=${word}\nif test -e "$t" && ! test -d "$t"; then printf '%s is a file there\\n' "$t" >&2; exit 1; fi\nmkdir -p "$t" && { command -v tar >/dev/null && echo tar || echo plain; }\n`,
  );
  if (prepared.trim() !== "tar" || !(await hasLocalTar())) return uploadEach(peer, source, path, progress);
  const tar = spawn("tar", ["-C", source, "-cf", "-", "."], { stdio: ["ignore", "pipe", "pipe"] });
  // Node throws away what a child that has ended left unread: taken over at once.
  const archive = tar.stdout.pipe(new PassThrough());
  let said = "";
  tar.stderr.on("data", (data: Buffer) => {
    said += data.toString("utf8");
  });
  const ended = new Promise<number | null>((resolve) => tar.once("close", resolve));
  try {
    await ask(peer, `tar -C ${word} -xof -\n`, counted(archive, progress));
  } finally {
    tar.kill();
  }
  if ((await ended) !== 0) throw fail("COPY_REFUSED", { what: `tar could not read ${source}: ${said.trim().slice(-300)}` });
}

async function uploadEach(peer: CopyPeer, source: string, path: string, progress: Progress): Promise<void> {
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = joinRemote(path, entry.name);
    if (entry.isSymbolicLink()) await ask(peer, `rm -f ${remoteWord(to)} && ln -s ${quote(await readlink(from))} ${remoteWord(to)}\n`);
    else if (entry.isDirectory()) {
      await ask(peer, `mkdir -p ${remoteWord(to)}\n`);
      await uploadEach(peer, from, to, progress);
    } else if ((await lstat(from)).isFile()) await uploadFile(peer, from, to, progress);
  }
}
