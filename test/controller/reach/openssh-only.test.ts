/** What only the system's ssh can do, chosen without being told: jump hosts, certificates; and that its master never outlives us. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { failureOf, reach, runText } from "../../support/reach.ts";
import { keygen, makeKey, SSHD, type Sshd, startSshd } from "../../support/sshd.ts";

const connects = async (sshd: Sshd, host: string, why: RegExp): Promise<void> => {
  const transport = await reach(sshd, { host });
  assert.equal(transport.driver, "ssh");
  assert.match(transport.why, why);
  assert.equal(await runText(transport, "echo in"), "in");
  transport.close();
  await transport.closed;
};

describe("what needs the system's ssh", { skip: SSHD === undefined && "no sshd" }, () => {
  it("goes through a jump host, and says which of the two is unknown", async () => {
    const jump = await startSshd();
    const inner = await startSshd();
    writeFileSync(jump.authorizedKeys, readFileSync(`${inner.identity}.pub`));
    const entry = `Host inner\nHostName 127.0.0.1\nPort ${inner.port}\nProxyJump 127.0.0.1:${jump.port}\n`;
    writeFileSync(inner.config, entry + readFileSync(inner.config, "utf8"));
    const [innerLine, jumpLine] = [`[127.0.0.1]:${inner.port} ${inner.hostKey("ed25519")}\n`, `[127.0.0.1]:${jump.port} ${jump.hostKey("ed25519")}\n`];

    writeFileSync(inner.knownHosts, innerLine + jumpLine);
    await connects(inner, "inner", /ProxyJump/);
    assert.match(jump.log(), /Accepted publickey/);

    for (const [known, unknownPort] of [
      [innerLine, jump.port],
      [jumpLine, inner.port],
    ] as const) {
      writeFileSync(inner.knownHosts, known);
      const error = await failureOf(reach(inner, { host: "inner" }));
      assert.equal(error.code, "HOST_KEY_UNKNOWN");
      assert.ok(error.message.includes(`[127.0.0.1]:${unknownPort}`), error.message);
    }

    writeFileSync(inner.knownHosts, "");
    const notices: string[] = [];
    const transport = await reach(inner, { host: "inner", acceptNewHostKeys: true, notices });
    assert.equal(await runText(transport, "echo both"), "both");
    transport.close();
    await transport.closed;
    assert.equal(readFileSync(inner.knownHosts, "utf8").trim().split("\n").length, 2);
    for (const sshd of [jump, inner])
      assert.ok(
        notices.some((text) => text.includes(`:${sshd.port}`) && text.includes("SHA256:")),
        notices.join("|"),
      );

    writeFileSync(jump.authorizedKeys, "");
    assert.equal((await failureOf(reach(inner, { host: "inner" }))).code, "AUTH_FAILED");
    await jump.stop();
    assert.match((await failureOf(reach(inner, { host: "inner" }))).message, /connection refused/);
    await inner.stop();
  });

  it("runs a ProxyCommand", async () => {
    const sshd = await startSshd();
    const python = `python3 -c "import socket,sys,threading,os
s=socket.create_connection(('127.0.0.1',${sshd.port}))
def up():
  while (b:=os.read(0,65536)): s.sendall(b)
  s.shutdown(1)
threading.Thread(target=up,daemon=True).start()
while (b:=s.recv(65536)): os.write(1,b)"`;
    const script = join(sshd.dir, "proxy.sh");
    writeFileSync(script, `exec ${python}\n`);
    writeFileSync(sshd.config, `Host via\nHostName 127.0.0.1\nPort ${sshd.port}\nProxyCommand sh ${script}\n${readFileSync(sshd.config, "utf8")}`);
    await connects(sshd, "via", /ProxyCommand/);
    await sshd.stop();
  });

  it("shows a user certificate, beside the key or named", async () => {
    const sshd = await startSshd();
    const ca = makeKey(join(sshd.dir, "ca"), "ed25519");
    writeFileSync(sshd.authorizedKeys, `cert-authority ${readFileSync(`${ca}.pub`, "utf8")}`);
    const user = userInfo().username;
    keygen(["-q", "-s", ca, "-I", "test", "-n", user, `${sshd.identity}.pub`]);
    writeFileSync(sshd.config, `Host here\nHostName 127.0.0.1\nPort ${sshd.port}\n${readFileSync(sshd.config, "utf8")}`);
    await connects(sshd, "here", /user certificate .*id-cert\.pub/);
    assert.match(sshd.log(), /Accepted publickey .*CERT/);
    await sshd.stop();
  });

  it("trusts a host by its authority's line, and no host without a certificate", async () => {
    for (const isSigned of [true, false]) {
      const sshd = await startSshd({ knownHosts: () => "" });
      const ca = makeKey(join(sshd.dir, "ca"), "ed25519");
      const line = `@cert-authority [127.0.0.1]:* ${readFileSync(`${ca}.pub`, "utf8")}`;
      if (!isSigned) {
        writeFileSync(sshd.knownHosts, line);
        const error = await failureOf(reach(sshd));
        assert.equal(error.code, "HOST_KEY_UNKNOWN");
        assert.equal(error.data["driver"], "ssh");
        await sshd.stop();
        continue;
      }
      keygen(["-q", "-s", ca, "-I", "host", "-h", "-n", "127.0.0.1", join(sshd.dir, "host_ed25519.pub")]);
      const signed = await startSshd({
        settings: [`HostKey ${join(sshd.dir, "host_ed25519")}`, `HostCertificate ${join(sshd.dir, "host_ed25519-cert.pub")}`],
        hostKeys: [],
      });
      writeFileSync(signed.knownHosts, line);
      const transport = await reach(signed);
      assert.equal(transport.driver, "ssh");
      assert.match(transport.why, /@cert-authority at .*:1/);
      assert.equal(await runText(transport, "echo signed"), "signed");
      transport.close();
      await transport.closed;
      await signed.stop();
      await sshd.stop();
    }
  });

  it("ends its master when this process is killed", async () => {
    const sshd = await startSshd();
    const entry = fileURLToPath(new URL("../../support/reach-and-wait.ts", import.meta.url));
    const child = spawn(process.execPath, [entry, sshd.config, String(sshd.port)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: sshd.dir, XDG_RUNTIME_DIR: "" },
    });
    await once(child.stdout, "data"); // connected
    const name = readdirSync(sshd.dir).find((entry) => entry.startsWith("nexadist-ssh-"));
    assert.ok(name !== undefined);
    const dir = join(sshd.dir, name);
    const watcher = watch(sshd.dir);
    child.kill("SIGKILL");
    while (existsSync(dir)) await once(watcher, "change", { signal: AbortSignal.timeout(10_000) });
    watcher.close();
    await sshd.stop();
  });
});
