/** The driver chosen for what `ssh -G` prints, and what is read from it. */

import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { describe, it } from "node:test";
import { chooseDriver } from "../../../controller/reach/choose-driver.ts";
import { connectHost } from "../../../controller/reach/connect-host.ts";
import { parseSshG, readSettings, resolveSettings } from "../../../controller/reach/ssh-config.ts";
import type { ReachOptions } from "../../../controller/reach/transport.ts";

const options: ReachOptions = { connectMs: 1, acceptNewHostKeys: false, agentSocket: "/agent", env: { USER: "me", KEYS: "/keys" }, notice: () => {} };
const STOCK =
  "user root\nhostname h\nport 22\ngssapiauthentication yes\nidentitiesonly no\nproxycommand none\nuserknownhostsfile /k1 /k2\nglobalknownhostsfile none\n";
const settings = (extra = "", target = { name: "n", host: "h" }) => readSettings(target, parseSshG(STOCK + extra), options);
const none = { securityKeys: [], certificates: [], certAuthority: undefined };

describe("chooseDriver", () => {
  it("takes ssh2 for a stock configuration, GSSAPI and all", () => {
    assert.deepEqual(chooseDriver(settings(), none, undefined), { driver: "ssh2", why: "default" });
  });

  for (const [line, name] of [
    ["proxyjump bastion", "ProxyJump"],
    ["proxycommand nc %h %p", "ProxyCommand"],
    ["pkcs11provider /lib/p11.so", "PKCS11Provider"],
    ["knownhostscommand /bin/kh", "KnownHostsCommand"],
    ["revokedhostkeys /krl", "RevokedHostKeys"],
  ] as const) {
    it(`takes ssh for ${name}`, () => {
      assert.deepEqual(chooseDriver(settings(`${line}\n`), none, undefined), { driver: "ssh", why: `ssh_config sets ${name}` });
    });
  }

  it("takes ssh for certificates, security keys and authorities", () => {
    for (const facts of [
      { ...none, certificates: ["/c"] },
      { ...none, securityKeys: ["/s"] },
      { ...none, certAuthority: "/k:3" },
    ]) {
      assert.equal(chooseDriver(settings(), facts, undefined).driver, "ssh");
    }
  });

  it("obeys NEXADIST_SSH, and has no choice without a client", () => {
    assert.equal(chooseDriver(settings("proxyjump b\n"), none, "ssh2").driver, "ssh2");
    assert.equal(chooseDriver(settings(), none, "ssh").driver, "ssh");
    assert.equal(chooseDriver({ ...settings(), hasSshClient: false }, { ...none, certificates: ["/c"] }, undefined).driver, "ssh2");
  });
});

describe("readSettings", () => {
  it("expands ~, tokens and variables as ssh does", () => {
    const { identityFiles } = settings("identityfile ~/.ssh/id_%r\nidentityfile ${KEYS}/%h-%p%%\nidentityfile none\n");
    assert.deepEqual(identityFiles, [`${userInfo().homedir}/.ssh/id_root`, "/keys/h-22%"]);
  });

  it("names the host for known_hosts by alias, else host, else [host]:port", () => {
    assert.equal(settings().keyName, "h");
    assert.equal(settings("port 2222\n").keyName, "[h]:2222");
    assert.equal(settings("port 2222\nhostkeyalias Big\n").keyName, "big");
  });

  it("takes the agent that ssh_config names, or none", () => {
    assert.equal(settings().agentSocket, "/agent");
    assert.equal(settings("identityagent none\n").agentSocket, undefined);
    assert.equal(settings("identityagent SSH_AUTH_SOCK\n").agentSocket, "/agent");
    assert.equal(settings("identityagent $KEYS\n").agentSocket, "/keys");
    assert.equal(settings("identityagent /other\n").agentSocket, "/other");
  });

  it("splits lists of known_hosts files and drops `none`", () => {
    const { userKnownHosts, globalKnownHosts } = settings();
    assert.deepEqual([userKnownHosts, globalKnownHosts], [["/k1", "/k2"], []]);
  });

  it("needs no ssh client", async () => {
    const bare = await resolveSettings({ name: "n", host: "h", port: 2222, identity: "/id" }, { ...options, env: { USER: "me", PATH: "/nowhere" } });
    assert.equal(bare.hasSshClient, false);
    assert.deepEqual([bare.hostname, bare.user, bare.keyName, bare.identityFiles], ["h", "me", "[h]:2222", ["/id"]]);
    assert.equal(chooseDriver(bare, none, undefined).driver, "ssh2");
    const forced = { ...options, connectMs: 1000, env: { USER: "me", PATH: "/nowhere", NEXADIST_SSH: "ssh" } };
    await assert.rejects(connectHost({ name: "n", host: "127.0.0.1", port: 1 }, forced), { code: "NO_SSH_CLIENT" });
  });
});
