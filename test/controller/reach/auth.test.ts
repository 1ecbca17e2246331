/** Who we are: keys of each type, a real ssh-agent, encrypted keys, and what an error says when nothing helped. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DRIVERS, failureOf, reach, runText } from "../../support/reach.ts";
import { endProcess, makeKey, SSHD, type Sshd, startSshd } from "../../support/sshd.ts";

async function withAgent(dir: string, act: (socket: string) => Promise<void>): Promise<void> {
  const socket = join(dir, "agent");
  const watcher = watch(dir);
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  while (!existsSync(socket)) await once(watcher, "change", { signal: AbortSignal.timeout(10_000) });
  watcher.close();
  try {
    await act(socket);
  } finally {
    await endProcess(agent);
    rmSync(socket, { force: true });
  }
}

const add = (socket: string, key: string): void => {
  execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
};

for (const driver of DRIVERS) {
  describe(`authentication, ${driver} driver`, { skip: SSHD === undefined && "no sshd" }, () => {
    let sshd: Sshd;
    before(async () => {
      // Own identity lines only: the default ones are added by each test through `identity`.
      sshd = await startSshd();
      writeFileSync(
        sshd.config,
        readFileSync(sshd.config, "utf8")
          .replace(/^IdentityFile .*$/m, "")
          .replace("IdentitiesOnly yes", "IdentityFile none"),
      );
    });
    after(() => sshd.stop());

    const allow = (...keys: readonly string[]): void => writeFileSync(sshd.authorizedKeys, keys.map((key) => readFileSync(`${key}.pub`, "utf8")).join(""));
    const connects = async (changes: Parameters<typeof reach>[1]): Promise<void> => {
      const transport = await reach(sshd, { driver, ...changes });
      assert.equal(await runText(transport, "echo in"), "in");
      transport.close();
      await transport.closed;
    };

    for (const type of ["ed25519", "rsa", "ecdsa"]) {
      it(`uses a key file of type ${type}`, async () => {
        const key = makeKey(join(sshd.dir, `user_${type}`), type);
        allow(key);
        await connects({ identity: key });
      });
    }

    it("names the key that was refused", async () => {
      const [good, wrong] = [makeKey(join(sshd.dir, "good"), "ed25519"), makeKey(join(sshd.dir, "wrong"), "ed25519")];
      allow(good);
      const error = await failureOf(reach(sshd, { driver, identity: wrong }));
      assert.equal(error.code, "AUTH_FAILED");
      for (const word of [wrong, "box", String(sshd.port), driver]) assert.ok(error.message.includes(word), error.message);
      assert.ok(!error.message.includes("PRIVATE KEY"));
    });

    it("uses the agent it was lent, and no other", async () => {
      const [key, other] = [makeKey(join(sshd.dir, "held"), "ed25519"), makeKey(join(sshd.dir, "held2"), "rsa")];
      allow(key);
      await withAgent(sshd.dir, async (agentSocket) => {
        add(agentSocket, other);
        add(agentSocket, key);
        await connects({ agentSocket });
        const error = await failureOf(reach(sshd, { driver, agentSocket: undefined, env: { SSH_AUTH_SOCK: agentSocket } }));
        assert.equal(error.code, "AUTH_FAILED");
      });
    });

    it("offers the host's own key first of many in an agent", async () => {
      await withAgent(sshd.dir, async (agentSocket) => {
        for (let index = 0; index < 7; index++) add(agentSocket, makeKey(join(sshd.dir, `many${index}`), "ed25519")); // MaxAuthTries is 6
        const last = join(sshd.dir, "many6");
        allow(last);
        await connects({ agentSocket, identity: `${last}` });
      });
    });

    it("says that the agent is dead", async () => {
      const error = await failureOf(reach(sshd, { driver, agentSocket: join(sshd.dir, "nobody") }));
      assert.equal(error.code, "AUTH_FAILED");
      if (driver === "ssh2") assert.match(error.message, /agent \(.*nobody/);
    });

    it("skips a key with a passphrase, says so and how to use it", async () => {
      const locked = makeKey(join(sshd.dir, "locked"), "ed25519", "a-passphrase");
      allow(locked);
      const error = await failureOf(reach(sshd, { driver, identity: locked }));
      assert.equal(error.code, "AUTH_FAILED");
      assert.ok(error.message.includes(locked), error.message);
      assert.equal(error.hint, `ssh-add ${locked}`);
    });

    it("is never asked for a password", async () => {
      const open = await startSshd({ settings: ["PasswordAuthentication yes", "KbdInteractiveAuthentication yes"] });
      rmSync(open.authorizedKeys);
      const error = await failureOf(reach(open, { driver }));
      assert.equal(error.code, "AUTH_FAILED");
      await open.stop();
    });

    it("shows the banner", async () => {
      const file = join(sshd.dir, "banner");
      writeFileSync(file, "Authorised use only.\n");
      const other = await startSshd({ settings: [`Banner ${file}`] });
      const notices: string[] = [];
      const transport = await reach(other, { driver, notices });
      assert.match(notices.join("\n"), /Authorised use only\./);
      transport.close();
      await transport.closed;
      await other.stop();
    });

    it("refuses host and user names that a shell would read", async () => {
      for (const host of ["-oProxyCommand=touch x", "a;b", "$(id)", "a b", "`id`"]) {
        const error = await failureOf(reach(sshd, { driver, host }));
        assert.equal(error.code, "UNREACHABLE");
        assert.match(error.message, /not allowed/);
      }
    });
  });
}
