/** `notify:` in a cluster file: what is understood, what is refused, and that no URL of a webhook is ever shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { WEBHOOKS } from "../../../cluster/notify/spec.ts";
import { refused, resolved } from "./resolving.ts";

const HOSTS = "cluster: [{host: a}, {host: b}]\n";
const TOKEN = "https://hooks.example.com/services/T0/s3cr3t";

test("absent: nobody is told; an empty map: terminals that show the run ring", () => {
  assert.equal(resolved(HOSTS).spec.notify, undefined);
  const { spec, secrets } = resolved(`${HOSTS}notify: {}\n`);
  assert.deepEqual(spec.notify, { on: ["failed", "recovered", "hang", "ended"], webhooks: 0, command: null, isBell: true });
  assert.equal(secrets[WEBHOOKS], undefined);
});

test("webhooks: written out, from the environment, from a file; the spec holds how many there are, no value", () => {
  const text = `${HOSTS}notify: {on: [failed, hang], webhook: [env:HOOK, 'file:hook.txt', '${TOKEN}'], bell: false}\n`;
  const { spec, secrets, effective } = resolved(text, {
    environment: { HOOK: `${TOKEN}1` },
    disk: { "/proj/conf/hook.txt": `${TOKEN}2\n`, "/proj/train.py": "" },
    argv: ["train.py"],
  });
  assert.deepEqual(spec.notify, { on: ["failed", "hang"], webhooks: 3, command: null, isBell: false });
  assert.deepEqual(Object.values(secrets[WEBHOOKS] ?? {}), [`${TOKEN}1`, `${TOKEN}2`, TOKEN]);
  assert.ok(!JSON.stringify(spec).includes("s3cr3t"));
  assert.ok(!JSON.stringify(effective).includes("s3cr3t"));
  assert.deepEqual((effective.config as { notify: { webhook: unknown } }).notify.webhook, ["env:HOOK", "file:/proj/conf/hook.txt", "$webhook"]);
  assert.deepEqual(Object.keys(spec.secretNames), [], "they are no variable of any rank");
  assert.deepEqual(spec.code.kind === "snapshot" ? spec.code.keepOut : null, ["/proj/conf/hook.txt"], "a file that holds one does not travel");
  assert.equal(resolved(`${HOSTS}notify: {webhook: '${TOKEN}'}\n`).spec.notify?.webhooks, 1);
});

test("the command: a line or words; a path is the file's, a bare name is found on PATH", () => {
  const command = (yaml: string): unknown => resolved(`${HOSTS}notify: {command: ${yaml}}\n`).spec.notify?.command;
  assert.deepEqual(command("notify-send nexadist"), ["notify-send", "nexadist"]);
  assert.deepEqual(command("./tell.sh 'two words'"), ["/proj/conf/tell.sh", "two words"]);
  assert.deepEqual(command("[../tell.sh, a/b]"), ["/proj/tell.sh", "a/b"]);
  assert.deepEqual(command("/opt/tell -x"), ["/opt/tell", "-x"]);
});

test("the person's own settings may name them for every run", () => {
  const { spec } = resolved(HOSTS, { user: "notify: {command: tell}\n" });
  assert.deepEqual(spec.notify?.command, ["tell"]);
});

test("what is refused is refused with its place, and no word of a URL", () => {
  for (const [yaml, why] of [
    ["{webhook: env:ABSENT}", /3:20|2:19: notify\.webhook: ABSENT is not set/],
    ["{webhook: 'file:absent.txt'}", /cannot read \/proj\/conf\/absent\.txt/],
    ["{webhook: 'ftp://h/s3cr3t'}", /expected a URL that begins with https/],
    ["{webhook: 's3cr3t'}", /expected a URL that begins with https/],
    ["{webhook: 'https://u:s3cr3t@h/x'}", /a user or password in a URL/],
    [`{webhook: ['${TOKEN}', 3]}`, /notify\.webhook\[1\]: expected a URL/],
    [`{webhook: '${TOKEN}', on: [crashed]}`, /notify\.on\[0\]: expected one of failed, recovered, hang, ended/],
    ["{command: 'tell | cat'}", /no shell runs this/],
    ["{web_hook: x}", /did you mean `webhook`/],
    ["{bell: loud}", /expected true or false/],
  ] as const) {
    const said = refused(`${HOSTS}notify: ${yaml}\n`);
    assert.match(said, why, yaml);
    assert.ok(!said.includes("s3cr3t"), said);
  }
});
