/** Cures as commands: what a shell hands to ssh, and a shell there to the program, is what was meant, whatever fills it; and it goes to the host that it is for. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { CHECKS } from "../../../cluster/diag/catalogue.ts";
import { commandOn, cureText, on, openCure, steps } from "../../../cluster/diag/cure.ts";
import { findingOf } from "../../../cluster/diag/report.ts";
import type { HostSpec } from "../../../cluster/spec.ts";
import { hostSpec } from "../../support/probes.ts";

const plain = (name: string): HostSpec => hostSpec(name);
const reached: HostSpec = { ...plain("gpu-b"), sshHost: "b.lan", user: "ada", port: 2222, identity: "/home/me/my key" };
const local: HostSpec = { ...plain("here"), transport: "local" };

/** Runs `line` where `ssh` is a program that prints its arguments, and runs the last of them in a sh of its own, as sshd does. */
function shell(line: string): { readonly argv: readonly string[]; readonly said: string } {
  const fake = 'ssh() { for a; do printf "%s\\036" "$a"; done; printf "\\035"; sh -c "$a"; }';
  const { stdout, status } = spawnSync("sh", ["-c", `${fake}\n${line}`], { encoding: "utf8" });
  assert.equal(status, 0, line);
  const [argv = "", said = ""] = stdout.split("\u001d");
  return { argv: argv.split("\u001e").slice(0, -1), said };
}

test("a command goes to the host as the run reaches it; the local machine's is bare", () => {
  assert.equal(commandOn(plain("gpu-a"), "gpu-a", "nvidia-smi -L"), "ssh gpu-a 'nvidia-smi -L'");
  assert.equal(commandOn(reached, "gpu-b", "sudo reboot"), "ssh -t -p 2222 -i '/home/me/my key' ada@b.lan 'sudo reboot'");
  assert.equal(commandOn(local, "here", "sudo reboot"), "sudo reboot");
  assert.equal(commandOn(null, "gpu-z", "true", "-v"), "ssh -v gpu-z 'true'");
  assert.equal(
    cureText(on("true", "why", { host: "{from}" }), { from: "gpu-b", host: "gpu-a" }, [reached]),
    "ssh -p 2222 -i '/home/me/my key' ada@b.lan 'true'  # why",
  );
  assert.equal(openCure(steps(on("kill {pid}"), "# {note}")), "ssh <host> 'kill <pid>'\n# <note>");
  assert.equal(cureText(on("dpkg-query -W -f '${Package}'"), { host: "a" }, []), "ssh a 'dpkg-query -W -f '\\''${Package}'\\'''", "what is the shell's stays");
});

test("any word that fills a command arrives as one argument, and runs nothing", () => {
  const word = fc.string({ unit: "binary", maxLength: 24 }).map((text) => text.replace(/\p{Cc}|\p{Cs}/gu, "'$("));
  fc.assert(
    fc.property(word, word, (value, name) => {
      const { argv, said } = shell(cureText(on("printf %s {value}"), { host: `h${name}`, value }, []));
      assert.deepEqual([argv[0], argv.length, said], [`h${name}`, 2, value]);
    }),
    {
      numRuns: 60,
      examples: [
        ["'; touch /tmp/x; '", "$(id)"],
        ["", ""],
        ["`id`", "a b"],
        ["\\", "'"],
      ],
    },
  );
});

test("no mark of a template reaches a person, and no word can forge one", () => {
  const [open, part, close] = ["\u0001", "\u0002", "\u0003"];
  const text = cureText(`${on("cat {path}")} {path}`, { host: "a", path: `${open}b${part}${part}rm -rf ~${close}` }, []);
  for (const mark of [open, part, close]) assert.ok(!text.includes(mark));
  assert.match(text, /^ssh a 'cat /);
  assert.doesNotMatch(text, /ssh b/);
});

test("of every check: what runs on a host is a command for that host; nothing of sudo is left for the machine of the reader", () => {
  for (const check of CHECKS) {
    const result = { id: check.id, host: "gpu-b", peer: "gpu-a", status: "fail", observed: "", words: { from: "gpu-b" } } as const;
    const { fix, verify } = findingOf(check, result, { file: "c.yaml", hosts: [plain("gpu-a"), reached] });
    for (const line of `${fix}\n${verify}`.split("\n")) {
      const bare = line
        .replace(/ssh (?:-\S+ |'[^']*' |\d+ )*\S+ '(?:[^']|'\\'')*'/g, "")
        .replace(/nexadist exec .* -- .*/, "")
        .replace(/#.*$/, "");
      assert.doesNotMatch(bare, /\bsudo\b|nvidia-smi|journalctl|\bon gpu-b\b/, `${check.id}: ${line}`);
      if (line.includes("ssh ")) assert.doesNotMatch(line, /ssh gpu-b\b/, `${check.id}: with the user and the port of the run: ${line}`);
    }
  }
});
