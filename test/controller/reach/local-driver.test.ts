/** The local driver keeps the interface of the SSH drivers. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openLocal } from "../../../controller/reach/local-driver.ts";
import { failureOf, gather, runText } from "../../support/reach.ts";

const { PATH } = process.env;
const env = { PATH, MARK: "mine" };

describe("local driver", () => {
  it("runs in the home directory with the viewer's environment and no other", async () => {
    const transport = openLocal("here", { env });
    assert.equal(await runText(transport, 'pwd; echo "$MARK"; env | grep -c npm_ || true'), `${homedir()}\nmine\n0`);
    transport.close();
    assert.equal(await transport.closed, "closed by nexadist");
    assert.equal((await failureOf(transport.exec("true"))).code, "CONNECTION_LOST");
  });

  it("keeps output for a late reader, and tells exits and signals", async () => {
    const transport = openLocal("here", { env });
    const process = await transport.exec("echo out; echo err >&2; exit 5");
    await process.exit;
    const { stdout, stderr, exit } = await gather(process);
    assert.deepEqual([stdout.toString(), stderr.toString(), exit], ["out\n", "err\n", { code: 5, signal: null }]);
    const sleeper = await transport.exec("cat & cat; wait");
    sleeper.kill();
    assert.deepEqual(await sleeper.exit, { code: null, signal: "SIGTERM" });
    transport.close();
  });

  it("reaches a socket, and names one that is absent", async () => {
    const transport = openLocal("here", { env });
    const path = join(tmpdir(), `nexadist-local-${process.pid}.sock`);
    const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(path);
    await once(server, "listening");
    const socket = await transport.openSocket(path);
    socket.end("z");
    const [chunk] = (await once(socket, "data")) as [Buffer];
    assert.equal(chunk.toString(), "z");
    await new Promise((resolve) => server.close(resolve));
    assert.equal((await failureOf(transport.openSocket(path))).code, "SOCKET_ABSENT");
    transport.close();
  });
});
