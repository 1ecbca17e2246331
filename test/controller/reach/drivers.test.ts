/** Both SSH drivers against one real sshd: bytes, exits, many at a time, sockets, loss. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Transport } from "../../../controller/reach/transport.ts";
import { DRIVERS, failureOf, gather, reach, runText } from "../../support/reach.ts";
import { SSHD, type Sshd, startSshd } from "../../support/sshd.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

for (const driver of DRIVERS) {
  describe(`${driver} driver`, { skip: SSHD === undefined && "no sshd" }, () => {
    let sshd: Sshd;
    let transport: Transport;
    before(async () => {
      sshd = await startSshd();
      transport = await reach(sshd, { driver });
    });
    after(async () => {
      transport.close();
      assert.equal(await transport.closed, "closed by nexadist");
      await sshd.stop();
    });

    it("says which driver it is and why", () => {
      assert.equal(transport.driver, driver);
      assert.equal(transport.why, `NEXADIST_SSH=${driver}`);
    });

    it("carries 8 MB of any bytes both ways", async () => {
      const bytes = randomBytes(8 << 20);
      const process = await transport.exec("cat");
      process.stdin.end(bytes);
      const { stdout, stderr, exit } = await gather(process);
      assert.equal(sha256(stdout), sha256(bytes));
      assert.equal(stderr.length, 0);
      assert.deepEqual(exit, { code: 0, signal: null });
    });

    it("loses nothing when the reader comes late", async () => {
      const process = await transport.exec("echo early; echo words >&2");
      await process.exit;
      const { stdout, stderr } = await gather(process);
      assert.equal(stdout.toString(), "early\n");
      assert.equal(stderr.toString(), "words\n");
    });

    it("keeps exit codes and stderr apart", async () => {
      const process = await transport.exec("echo out; echo err >&2; exit 7");
      const { stdout, stderr, exit } = await gather(process);
      assert.equal(stdout.toString(), "out\n");
      assert.equal(stderr.toString(), "err\n");
      assert.deepEqual(exit, { code: 7, signal: null });
    });

    it("never calls a death by signal a success", async () => {
      const { exit } = await gather(await transport.exec("kill -KILL $$"));
      assert.deepEqual(exit, driver === "ssh2" ? { code: null, signal: "SIGKILL" } : { code: 255, signal: null });
    });

    it("runs 12 commands at once, at most 8 sessions at a time", async () => {
      const marks = await Promise.all(Array.from({ length: 12 }, (_, index) => runText(transport, `echo ${index}`)));
      assert.deepEqual(
        marks,
        Array.from({ length: 12 }, (_, index) => String(index)),
      );
      const held = await Promise.all(Array.from({ length: 8 }, () => transport.exec("cat")));
      let hasNinth = false;
      const ninth = transport.exec("echo nine").then((process) => {
        hasNinth = true;
        return gather(process);
      });
      assert.equal(await echoLine(held[0]), "ping");
      assert.equal(hasNinth, false);
      for (const process of held) process.stdin.end();
      await Promise.all(held.slice(1).map(gather));
      assert.equal((await ninth).stdout.toString(), "nine\n");
    });

    it("gives a pty of the size asked for", async () => {
      const process = await transport.exec("test -t 0 && stty size && echo $TERM", { pty: { columns: 97, rows: 33, term: "vt100" } });
      const { stdout } = await gather(process);
      assert.match(stdout.toString(), /33 97\r?\nvt100/);
    });

    it("ends a command's input when it is killed from here", async () => {
      const process = await transport.exec("cat");
      process.kill();
      await process.exit;
    });

    describe("sockets", () => {
      let server: Server;
      const path = join(tmpdir(), `nexadist-echo-${process.pid}-${driver}.sock`);
      before(async () => {
        server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(path);
        await once(server, "listening");
      });
      after(() => server.close());

      it("echoes through a unix socket there, several at a time", async () => {
        const echo = async (): Promise<void> => {
          const socket = await transport.openSocket(path);
          const bytes = randomBytes(1 << 20);
          const chunks: Buffer[] = [];
          socket.on("data", (chunk: Buffer) => chunks.push(chunk));
          socket.end(bytes);
          await once(socket, "end");
          assert.equal(sha256(Buffer.concat(chunks)), sha256(bytes));
        };
        await Promise.all([echo(), echo(), echo()]);
      });

      it("hears first words of the other side", async () => {
        const greeter = createServer((socket) => socket.on("error", () => {}).write("hello"));
        const greeting = `${path}.greet`;
        await once(greeter.listen(greeting), "listening");
        const socket = await transport.openSocket(greeting);
        const [chunk] = (await once(socket, "data")) as [Buffer];
        assert.equal(chunk.toString(), "hello");
        const closed = once(socket, "close");
        socket.destroy();
        await closed;
        await new Promise((resolve) => greeter.close(resolve));
      });

      it("says that a socket is absent", async () => {
        const error = await failureOf(transport.openSocket(`${path}.absent`));
        assert.equal(error.code, "SOCKET_ABSENT");
        assert.ok(error.message.includes(`${path}.absent`));
      });
    });

    it("tells at once when the connection is gone, and says so afterwards", async () => {
      const doomed = await reach(sshd, { driver });
      const process = await doomed.exec("cat");
      process.stdout.resume();
      process.stderr.resume();
      let isClosed = false;
      void doomed.closed.then(() => {
        isClosed = true;
      });
      assert.equal(await runText(doomed, "echo alive"), "alive");
      assert.equal(isClosed, false);
      assert.ok(sshd.killSessions() > 0);
      assert.ok((await doomed.closed).length > 0);
      assert.deepEqual(await process.exit, { code: null, signal: null });
      assert.equal((await failureOf(doomed.exec("true"))).code, "CONNECTION_LOST");
      assert.equal((await failureOf(doomed.openSocket("/tmp/x"))).code, "CONNECTION_LOST");
      transport.close();
      await transport.closed;
      transport = await reach(sshd, { driver });
    });

    it("tells a far end that is silent from one that is slow", async () => {
      const silent = await reach(sshd, { driver });
      const helper = await silent.exec("exec sleep 60"); // a program that takes nothing and says nothing
      await silent.probe(10_000, "waiting");
      try {
        sshd.killSessions("SIGSTOP");
        const error = await failureOf(silent.probe(300, "uploading node, 3 of 42 MB"));
        assert.deepEqual([error.code, error.exit], ["CONNECTION_LOST", 4]);
        assert.match(error.message, /it no longer answers, while uploading node, 3 of 42 MB/);
      } finally {
        sshd.killSessions("SIGCONT");
      }
      await silent.probe(10_000, "waiting");
      helper.kill();
      silent.close();
      await silent.closed;
      assert.equal((await failureOf(silent.probe(10_000, "waiting"))).code, "CONNECTION_LOST");
    });

    it("leaves no directory behind", async () => {
      const other = await reach(sshd, { driver, env: { XDG_RUNTIME_DIR: sshd.dir } });
      const made = (): string[] => readdirSync(sshd.dir).filter((name) => name.startsWith("nexadist-ssh-"));
      assert.equal(made().length, driver === "ssh" ? 1 : 0);
      other.close();
      await other.closed;
      assert.deepEqual(made(), []);
    });
  });
}

/** One line through a command that echoes. */
async function echoLine(process: Awaited<ReturnType<Transport["exec"]>> | undefined): Promise<string> {
  assert.ok(process !== undefined);
  process.stdin.write("ping\n");
  const [chunk] = (await once(process.stdout, "data")) as [Buffer];
  process.stdout.resume();
  process.stderr.resume();
  return chunk.toString().trim();
}
