/** `timeouts.connect` of the file holds for every command that dials by itself. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { place, start } from "../../support/cli.ts";
import { quitController } from "../../support/controller.ts";

test("a host that takes the connection and says nothing is given up after the file's time, and the words name it", async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => undefined))).listen(0, "127.0.0.1");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  let state = "";
  t.after(() => quitController(state)); // before its directory is removed: hooks run in this order
  const at = place(t);
  state = join(at.dir, "state");
  at.write("c.yaml", `cluster: [{host: 127.0.0.1, port: ${address.port}, gpus: 0, slots: 1}]\ntimeouts: {connect: 2s}\n`);
  for (const args of [
    ["hosts", "c.yaml"],
    ["exec", "c.yaml", "--", "true"],
    ["agent", "status", "c.yaml"],
    ["up", "c.yaml", "--dry-run"],
    ["ps", "-c", "c.yaml"],
  ]) {
    const { code, out, err } = await start(t, at, args).done;
    assert.equal(code, args[0] === "ps" ? 0 : 4, `${args.join(" ")}: ${out}${err}`);
    if (args[0] === "ps") assert.match(err, /no run is alive here or on the hosts that answered;/);
    const [, seconds = "?"] = /waited ([\d.]+) s/.exec(out + err) ?? [];
    assert.ok(Number(seconds) <= 2.5, `${args.join(" ")}: waited ${seconds} s: ${out}${err}`);
  }
});
