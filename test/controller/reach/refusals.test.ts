/** Hosts that cannot be reached, refuse us, or refuse part of what we ask: both drivers, real sshd and sockets. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DRIVERS, failureOf, gather, reach, runText } from "../../support/reach.ts";
import { freePort, SSHD, type Sshd, type SshdOptions, startSshd } from "../../support/sshd.ts";

async function withSshd(options: SshdOptions, act: (sshd: Sshd) => Promise<void>): Promise<void> {
  const sshd = await startSshd(options);
  try {
    await act(sshd);
  } finally {
    await sshd.stop();
  }
}

/** A unix socket that echoes, for the time of `act`. */
async function withEcho(name: string, act: (path: string) => Promise<void>): Promise<void> {
  const path = join(tmpdir(), `nexadist-${process.pid}-${name}.sock`);
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(path);
  await once(server, "listening");
  try {
    await act(path);
  } finally {
    server.close();
  }
}

for (const driver of DRIVERS) {
  describe(`refusals, ${driver} driver`, { skip: SSHD === undefined && "no sshd" }, () => {
    it("names a refused port", () =>
      withSshd({}, async (sshd) => {
        const port = await freePort();
        const error = await failureOf(reach(sshd, { driver, port }));
        assert.equal(error.code, "UNREACHABLE");
        assert.match(error.message, /connection refused/);
        assert.ok(error.message.includes("box") && error.message.includes(String(port)) && error.message.includes(driver));
      }));

    it("names a host that has no address", () =>
      withSshd({}, async (sshd) => {
        const error = await failureOf(reach(sshd, { driver, host: "no-such-host.invalid" }));
        assert.ok(["NO_SUCH_HOST", "UNREACHABLE"].includes(error.code), "the second where no resolver can be asked");
        assert.match(error.message, /host name not found/);
      }));

    it("names a server that says nothing", () =>
      withSshd({}, async (sshd) => {
        const sockets = new Set<{ destroy: () => void }>();
        const server = createServer((socket) => sockets.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
        await once(server, "listening");
        const address = server.address();
        assert.ok(typeof address === "object" && address !== null);
        const error = await failureOf(reach(sshd, { driver, port: address.port, connectMs: 1_500 }));
        assert.equal(error.code, "BANNER_STALL");
        for (const socket of sockets) socket.destroy();
        server.close();
      }));

    it("names what is no SSH server", () =>
      withSshd({}, async (sshd) => {
        const server = createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
        await once(server, "listening");
        const address = server.address();
        assert.ok(typeof address === "object" && address !== null);
        const error = await failureOf(reach(sshd, { driver, port: address.port, connectMs: 1_500 }));
        assert.equal(error.code, "UNREACHABLE");
        server.close();
      }));

    it("waits out MaxStartups", () =>
      withSshd({ settings: ["MaxStartups 1"] }, async (sshd) => {
        const holder = connect(sshd.port, "127.0.0.1");
        await once(holder, "data"); // its banner: the only unauthenticated place is taken
        const reaching = reach(sshd, { driver });
        await sshd.logged(/MaxStartups/);
        holder.destroy();
        const transport = await reaching;
        assert.equal(await runText(transport, "echo in"), "in");
        transport.close();
        await transport.closed;
      }));

    it("takes turns under MaxSessions 1", () =>
      withSshd({ settings: ["MaxSessions 1"] }, async (sshd) => {
        const transport = await reach(sshd, { driver });
        const said = await Promise.all([1, 2, 3, 4].map((index) => runText(transport, `echo ${index}`)));
        assert.deepEqual(said, ["1", "2", "3", "4"]);
        await withEcho(`turns-${driver}`, async (path) => {
          const held = await transport.exec("cat");
          await transport.probe(10_000, "waiting"); // a refusal is an answer
          const socket = await transport.openSocket(path); // sockets are no sessions
          socket.end("x");
          const [chunk] = (await once(socket, "data")) as [Buffer];
          assert.equal(chunk.toString(), "x");
          held.stdin.end();
          await gather(held);
        });
        transport.close();
        await transport.closed;
      }));

    it("says when not even one session is allowed", () =>
      withSshd({ settings: ["MaxSessions 0"] }, async (sshd) => {
        const transport = await reach(sshd, { driver });
        assert.equal((await failureOf(transport.exec("true"))).code, "SSH_CHANNEL");
        transport.close();
        await transport.closed;
      }));

    // OpenSSH counts unix sockets as TCP forwards too: AllowTcpForwarding no refuses both.
    for (const setting of ["AllowTcpForwarding no", "AllowStreamLocalForwarding no", "DisableForwarding yes"]) {
      it(`tells ${setting} from an absent socket`, () =>
        withSshd({ settings: [setting] }, async (sshd) => {
          const transport = await reach(sshd, { driver });
          await withEcho(`refused-${driver}`, async (path) => {
            assert.equal((await failureOf(transport.openSocket(path))).code, "STREAMLOCAL_REFUSED");
          });
          assert.equal(await runText(transport, "echo still"), "still");
          transport.close();
          await transport.closed;
        }));
    }

    it("hands over what a ForceCommand says, and does not call an unseen socket absent", () =>
      withSshd({ settings: ["ForceCommand echo forced"] }, async (sshd) => {
        const transport = await reach(sshd, { driver });
        assert.equal(await runText(transport, "echo asked"), "forced");
        assert.equal((await failureOf(transport.openSocket("/tmp/nexadist-none.sock"))).code, "STREAMLOCAL_REFUSED");
        transport.close();
        await transport.closed;
      }));
  });
}

describe("algorithms", { skip: SSHD === undefined && "no sshd" }, () => {
  it("goes on when no key algorithm is shared with ssh2", () =>
    withSshd({ settings: ["KexAlgorithms sntrup761x25519-sha512@openssh.com"] }, async (sshd) => {
      const transport = await reach(sshd);
      assert.equal(transport.driver, "ssh");
      assert.match(transport.why, /algorithm/);
      transport.close();
      await transport.closed;
      assert.equal((await failureOf(reach(sshd, { driver: "ssh2" }))).code, "SSH_HANDSHAKE");
    }));
});
