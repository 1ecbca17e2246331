/** known_hosts, pure: verdicts against what ssh-keygen finds, patterns against a plain model, any text without a crash. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { describeHostKey, findLines, formatKnownHost, judgeHostKey, knownTypes, parseKnownHosts } from "../../../controller/reach/known-hosts.ts";
import { keygen } from "../../support/sshd.ts";

const blob = (type: string, seed: number): Buffer => {
  const part = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.alloc(32, seed))]);
};
const key = (type: string, seed: number) => describeHostKey(blob(type, seed));
const [ed1, ed2, rsa] = [key("ssh-ed25519", 1), key("ssh-ed25519", 2), key("ssh-rsa", 3)];
const judge = (text: string, name: string, presented = ed1) => judgeHostKey(parseKnownHosts("f", text), name, presented).kind;

describe("known_hosts", () => {
  it("reads type and fingerprint from a key", () => {
    assert.equal(ed1.type, "ssh-ed25519");
    assert.match(ed1.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it("finds what it wrote, plain and hashed, and nothing else", () => {
    fc.assert(
      fc.property(fc.domain(), fc.integer({ min: 1, max: 65_535 }), fc.boolean(), (host, port, hashed) => {
        const name = (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
        const text = formatKnownHost(name, ed1, hashed);
        assert.equal(judge(text, name), "known");
        assert.equal(judge(text, name, ed2), "changed");
        assert.equal(judge(text, name, rsa), "unknown");
        assert.equal(judge(text, `x${name}`), "unknown");
        if (hashed) assert.ok(!text.includes(host));
      }),
    );
  });

  it("agrees with ssh-keygen -F", () => {
    const dir = mkdtempSync(join(tmpdir(), "nexadist-known-"));
    try {
      const file = join(dir, "kh");
      const patterns = ["gpu1", "gpu?", "*.lab", "!bad.lab,*.lab", "[gpu1]:2222", "[gpu*]:*", "a,b,gpu1", "GPU1", "*", "!gpu1,*", "g*u*1"];
      const names = ["gpu1", "gpu12", "x.lab", "bad.lab", "[gpu1]:2222", "[gpu9]:22", "b"];
      for (const pattern of patterns) {
        writeFileSync(file, `${pattern} ${ed1.type} AAAAC3NzaC1lZDI1NTE5AAAAIGyS3qV2xXxq4p1kGvLqkG4nGvY0bQ2V7k0gqk0b1mWl\n`);
        for (const name of names) {
          let isFound = false;
          try {
            isFound = keygen(["-F", name, "-f", file]).includes(" found");
          } catch {} // exit 1: not found
          const lines = findLines(parseKnownHosts(file, `${pattern} ${ed1.type} ${ed1.key}`), name);
          assert.equal(lines.length > 0, isFound, `${pattern} for ${name}`);
        }
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it("lets a revocation win, and an authority accept no plain key", () => {
    assert.equal(judge(`h ${ed1.type} ${ed1.key}\n@revoked * ${ed1.type} ${ed1.key}`, "h"), "revoked");
    assert.equal(judge(`@revoked * ${ed2.type} ${ed2.key}\nh ${ed1.type} ${ed1.key}`, "h"), "known");
    assert.equal(judge(`@cert-authority * ${ed1.type} ${ed1.key}`, "h"), "unknown");
  });

  it("takes an equal key under the name without port, but no other for a change", () => {
    assert.equal(judge(`h ${ed1.type} ${ed1.key}`, "[h]:2222"), "known");
    assert.equal(judge(`h ${ed2.type} ${ed2.key}`, "[h]:2222"), "unknown");
  });

  it("lists the types to ask for, in the file's order", () => {
    assert.deepEqual(knownTypes(parseKnownHosts("f", `h ${rsa.type} ${rsa.key}\nh ${ed1.type} ${ed1.key}\ng x AAAA`), "h"), ["ssh-rsa", "ssh-ed25519"]);
  });

  it("survives any text, and never knows a host from it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.string(), (text, name) => {
        assert.notEqual(judge(text, name), "known");
      }),
    );
  });

  it("matches a hostile pattern quickly", () => {
    assert.equal(judge(`${"*a".repeat(2_000)}b ${ed1.type} ${ed1.key}`, "a".repeat(4_000)), "unknown");
  });
});
