/** Host keys against a real sshd, by both drivers: known in every form, unknown, accepted, changed, revoked. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DRIVERS, failureOf, reach, runText } from "../../support/reach.ts";
import { keygen, makeKey, SSHD, type Sshd, startSshd } from "../../support/sshd.ts";

for (const driver of DRIVERS) {
  describe(`host keys, ${driver} driver`, { skip: SSHD === undefined && "no sshd" }, () => {
    let sshd: Sshd;
    let name: string;
    let strangerKey: string;
    before(async () => {
      sshd = await startSshd({ hostKeys: ["ed25519", "rsa"] });
      name = `[127.0.0.1]:${sshd.port}`;
      makeKey(join(sshd.dir, "stranger"), "ed25519");
      strangerKey = readFileSync(join(sshd.dir, "stranger.pub"), "utf8").split(" ").slice(0, 2).join(" ");
    });
    after(() => sshd.stop());

    const know = (...lines: readonly string[]): void => writeFileSync(sshd.knownHosts, lines.join("\n"), { mode: 0o600 });
    const connects = async (): Promise<void> => {
      const transport = await reach(sshd, { driver });
      assert.equal(await runText(transport, "echo in"), "in");
      transport.close();
      await transport.closed;
    };
    const fingerprint = (): string => /SHA256:\S+/.exec(keygen(["-lf", join(sshd.dir, "host_ed25519.pub")]))?.[0] ?? "";

    const GOOD: Readonly<Record<string, () => string>> = {
      "[host]:port": () => `${name} ${sshd.hostKey("ed25519")}`,
      "a comma list with a negated stranger": () => `other,!elsewhere,${name} ${sshd.hostKey("ed25519")}`,
      wildcards: () => `[127.0.0.?]:* ${sshd.hostKey("ed25519")}`,
      "the name without its port": () => `127.0.0.1 ${sshd.hostKey("ed25519")}`,
      "only the RSA key of two": () => `${name} ${sshd.hostKey("rsa")}`,
      "CRLF, comments, blanks and a line that is no key": () => `# note\r\n\r\nnonsense\r\n@odd x y z\r\n${name} ${sshd.hostKey("ed25519")} who@where\r\n`,
      "an old key beside the right one": () => `${name} ${strangerKey}\n${name} ${sshd.hostKey("ed25519")}`,
    };
    for (const [what, line] of Object.entries(GOOD)) {
      it(`knows ${what}`, async () => {
        know(line());
        await connects();
      });
    }

    it("knows a hashed name", async () => {
      know(`${name} ${sshd.hostKey("ed25519")}\n`);
      keygen(["-H", "-f", sshd.knownHosts]);
      rmSync(`${sshd.knownHosts}.old`);
      assert.match(readFileSync(sshd.knownHosts, "utf8"), /^\|1\|/);
      await connects();
    });

    it("refuses an unknown key, with its fingerprint and the way to accept it", async () => {
      know("");
      const error = await failureOf(reach(sshd, { driver }));
      assert.equal(error.code, "HOST_KEY_UNKNOWN");
      assert.equal(error.exit, 4);
      assert.ok(error.message.includes(fingerprint()), error.message);
      assert.ok(error.message.includes("ssh-ed25519") && error.message.includes(name));
      assert.match(error.hint, /ssh-keygen -lf .*ed25519.* --accept-new-host-keys/);
      assert.equal(readFileSync(sshd.knownHosts, "utf8"), "");
    });

    it("is not fooled by a negated pattern, another port or an authority", async () => {
      know(
        `!${name},!127.0.0.1,*,[127.0.0.1]:* ${sshd.hostKey("ed25519")}`,
        `[127.0.0.1]:1 ${sshd.hostKey("ed25519")}`,
        `@cert-authority * ${sshd.hostKey("ed25519")}`,
      );
      assert.equal((await failureOf(reach(sshd, { driver }))).code, "HOST_KEY_UNKNOWN");
    });

    it("accepts and remembers a new key when asked, once, and shows its fingerprint", async () => {
      rmSync(sshd.knownHosts);
      const notices: string[] = [];
      const first = await reach(sshd, { driver, acceptNewHostKeys: true, notices });
      first.close();
      await first.closed;
      assert.ok(
        notices.some((text) => text.includes(fingerprint()) && text.includes(sshd.knownHosts)),
        notices.join("|"),
      );
      if (driver === "ssh2") assert.equal(statSync(sshd.knownHosts).mode & 0o777, 0o600);
      assert.equal(readFileSync(sshd.knownHosts, "utf8").trim(), `${name} ${sshd.hostKey("ed25519")}`);
      await connects();
      const second = await reach(sshd, { driver, acceptNewHostKeys: true });
      second.close();
      await second.closed;
      assert.equal(readFileSync(sshd.knownHosts, "utf8").trim().split("\n").length, 1);
    });

    it("stops hard at a changed key, flag or not, and names file and line", async () => {
      for (const acceptNewHostKeys of [false, true]) {
        know("# one", `${name} ${strangerKey}`, "");
        const error = await failureOf(reach(sshd, { driver, acceptNewHostKeys }));
        assert.equal(error.code, "HOST_KEY_CHANGED");
        assert.ok(error.message.includes(`${sshd.knownHosts}:2`), error.message);
        assert.ok(error.message.includes(fingerprint()));
        assert.ok(!error.hint.includes("--accept-new-host-keys"));
        assert.ok(!readFileSync(sshd.knownHosts, "utf8").includes(sshd.hostKey("ed25519")));
      }
    });

    it("takes a host that is known by another type only for a changed one", async () => {
      makeKey(join(sshd.dir, "ec"), "ecdsa");
      const other = readFileSync(join(sshd.dir, "ec.pub"), "utf8").split(" ").slice(0, 2).join(" ");
      rmSync(join(sshd.dir, "ec"));
      know(`${name} ${other}`, "");
      assert.equal((await failureOf(reach(sshd, { driver, acceptNewHostKeys: true }))).code, "HOST_KEY_CHANGED");
      assert.equal(readFileSync(sshd.knownHosts, "utf8").trim(), `${name} ${other}`);
    });

    it("stops hard at a revoked key, known as it may be", async () => {
      know(`@revoked * ${sshd.hostKey("ed25519")}`, `${name} ${sshd.hostKey("ed25519")}`, "");
      for (const acceptNewHostKeys of [false, true]) {
        const error = await failureOf(reach(sshd, { driver, acceptNewHostKeys }));
        assert.equal(error.code, "HOST_KEY_REVOKED");
        assert.ok(error.message.includes(`${sshd.knownHosts}:1`), error.message);
      }
    });

    it("knows nobody from a file that is absent", async () => {
      rmSync(sshd.knownHosts);
      assert.equal((await failureOf(reach(sshd, { driver }))).code, "HOST_KEY_UNKNOWN");
      assert.equal(existsSync(sshd.knownHosts), false);
    });

    it("appends after a last line without its newline", async () => {
      know(`elsewhere ${strangerKey}`);
      const transport = await reach(sshd, { driver, acceptNewHostKeys: true });
      transport.close();
      await transport.closed;
      const lines = readFileSync(sshd.knownHosts, "utf8").trim().split("\n");
      if (driver === "ssh2") assert.deepEqual(lines, [`elsewhere ${strangerKey}`, `${name} ${sshd.hostKey("ed25519")}`]);
    });
  });
}
