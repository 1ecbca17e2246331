/** `cp` from a host. What the host says is checked: nothing is written outside the target, whatever names it tells. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { fail } from "../../cluster/errors.ts";
import { isBeneath, joinRemote, lastPart, remoteWord } from "./cp-paths.ts";
import { ask, type Copied, type CopyPeer, hasLocalTar, type Progress } from "./cp-upload.ts";
import { runScript } from "./remote-script.ts";
import { whyNot } from "./why-not.ts";

export type LocalTarget = { readonly path: string; readonly isDirectory: boolean };

/** Before a host is reached, so that nothing is made yet: the directory itself may be new, not the one it is in. Errors: COPY_REFUSED. */
export async function localTarget(target: string, many: boolean): Promise<LocalTarget> {
  const found = await stat(target).catch(() => null);
  const isDirectory = many || target.endsWith("/") || found?.isDirectory() === true;
  const within = isDirectory && found !== null ? target : dirname(target);
  if (!(await isLocalDirectory(within))) throw fail("COPY_REFUSED", { what: `${within} is not a directory here` });
  return { path: target, isDirectory };
}

const isLocalDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

export async function download(peer: CopyPeer, source: string, target: LocalTarget, progress: Progress): Promise<Copied> {
  const path = target.isDirectory ? join(target.path, lastPart(source)) : target.path;
  const word = remoteWord(source);
  const kind = (
    await ask(
      peer,
      `t=${word}\nif test -d "$t"; then command -v tar >/dev/null && echo tar || echo each; elif test -f "$t"; then echo file; else printf '%s is no file there\\n' "$t" >&2; exit 1; fi\n`,
    )
  ).trim();
  const there = await stat(path).catch(() => null);
  if (kind === "file") {
    if (there?.isDirectory()) throw fail("COPY_REFUSED", { what: `${path} is a directory here, ${source} is a file` });
    if (target.isDirectory) await mkdir(target.path, { recursive: true });
    await downloadFile(peer, source, path, progress);
    return { path, notes: [] };
  }
  if (there !== null && !there.isDirectory()) throw fail("COPY_REFUSED", { what: `${path} is a file here, ${source} is a directory` });
  await mkdir(path, { recursive: true });
  if (kind === "tar" && (await hasLocalTar())) await downloadTar(peer, word, path, progress);
  else return { path, notes: await downloadEach(peer, source, path, progress) };
  return { path, notes: [] };
}

const write = async (stream: Writable, data: Buffer): Promise<void> => {
  if (!stream.write(data)) await once(stream, "drain");
};

/** The first line tells size and mode, then the bytes; renamed into place when all are there. */
async function downloadFile(peer: CopyPeer, source: string, path: string, progress: Progress): Promise<void> {
  const part = `${path}.${randomBytes(6).toString("hex")}.part`;
  const file = createWriteStream(part, { flags: "wx", mode: 0o600 });
  const errors: Buffer[] = [];
  let head: Buffer | null = Buffer.alloc(0);
  let said = { size: -1, mode: 0o644 };
  let got = 0;
  try {
    await once(file, "open").catch((cause: unknown) => {
      throw fail("COPY_REFUSED", { what: `cannot write ${path}: ${whyNot(cause)}` });
    });
    const take = async (data: Buffer): Promise<void> => {
      let rest = data;
      if (head !== null) {
        head = Buffer.concat([head, data]);
        const end = head.indexOf(10);
        if (end < 0) return;
        const [, size, flag] = /^\s*(\d+) ([fx])$/.exec(head.subarray(0, end).toString("utf8")) ?? [];
        said = { size: Number(size ?? -1), mode: flag === "x" ? 0o755 : 0o644 };
        rest = head.subarray(end + 1);
        head = null;
      }
      if (rest.length === 0) return;
      got += rest.length;
      progress(rest.length);
      await write(file, rest);
    };
    const script = `t=${remoteWord(source)}\nif test -x "$t"; then m=x; else m=f; fi\nprintf '%s %s\\n' "$(wc -c <"$t" | tr -d ' ')" $m && cat "$t"\n`;
    const exit = await runScript(peer.transport, peer.host, script, { onOut: take, onErr: (data) => void errors.push(data) });
    file.end();
    await once(file, "close");
    if (exit.code !== 0 || got !== said.size) {
      const why = Buffer.concat(errors).toString("utf8").trim().slice(-300) || `${got} of ${said.size} bytes came`;
      throw fail("COPY_REFUSED", { what: `${peer.host.name}:${source} did not arrive whole: ${why}` });
    }
    await chmod(part, said.mode & ~process.umask());
    await rename(part, path);
  } finally {
    file.destroy();
    await rm(part, { force: true });
  }
}

async function downloadTar(peer: CopyPeer, word: string, path: string, progress: Progress): Promise<void> {
  // tar itself refuses absolute names, `..` and writing through links that the archive brought.
  const tar = spawn("tar", ["-C", path, "-xof", "-"], { stdio: ["pipe", "ignore", "pipe"] });
  const said: Buffer[] = [];
  const errors: Buffer[] = [];
  tar.stdin.on("error", () => undefined);
  tar.stderr.on("data", (data: Buffer) => void said.push(data));
  const ended = new Promise<number | null>((resolve) => tar.once("close", resolve));
  try {
    const exit = await runScript(peer.transport, peer.host, `exec tar -C ${word} -cf - .\n`, {
      onOut: async (data) => {
        progress(data.length);
        if (!tar.stdin.destroyed && !tar.stdin.write(data)) await Promise.race([once(tar.stdin, "drain"), ended]);
      },
      onErr: (data) => void errors.push(data),
    });
    tar.stdin.end();
    const code = await ended;
    if (exit.code !== 0) throw fail("COPY_REFUSED", { what: `${peer.host.name}: ${Buffer.concat(errors).toString("utf8").trim().slice(-300)}` });
    if (code !== 0) throw fail("COPY_REFUSED", { what: `tar could not write ${path}: ${Buffer.concat(said).toString("utf8").trim().slice(-300)}` });
  } finally {
    tar.kill();
  }
}

/** Without tar: the list of names first, then file by file. Links are not followed and not made, but told. */
async function downloadEach(peer: CopyPeer, source: string, path: string, progress: Progress): Promise<readonly string[]> {
  const listed = await ask(peer, `cd ${remoteWord(source)} && find . -type f -print0\n`);
  for (const name of listed.split("\0")) {
    const inner = name.replace(/^\.\//, "");
    if (inner === "") continue;
    if (!isBeneath(inner)) throw fail("COPY_REFUSED", { what: `${peer.host.name} told the name ${inner}, which leads outside` });
    await mkdir(dirname(join(path, inner)), { recursive: true });
    await downloadFile(peer, joinRemote(source === "" ? "~" : source, inner), join(path, inner), progress);
  }
  const links = await ask(peer, `cd ${remoteWord(source)} && find . -type l -print0\n`);
  return links
    .split("\0")
    .filter((name) => name !== "")
    .map((name) => `${name.replace(/^\.\//, "")} is a link and was left out: ${peer.host.name} has no tar`);
}
