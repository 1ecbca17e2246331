/** The screen as a person has it: the real command in a real terminal. What must never happen: a terminal that is not as before, a run that is touched. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRY, place } from "../support/cli.ts";
import { type Emulator, emulate } from "./support/emulator.ts";
import { eventsUpTo, lineOf, specOf } from "./support/stories.ts";
import { type ToldRun, toldRun } from "./support/told-run.ts";

/** What scripts/nexadist does first. */
const MEND = fileURLToPath(new URL("../../scripts/mend-tty.sh", import.meta.url));
const CTRL_C = "\u0003";
type Opened = { readonly told: ToldRun; readonly screen: Emulator; readonly acts: () => readonly string[] };

async function open(
  t: TestContext,
  args: readonly string[] = ["attach"],
  more: { env?: Record<string, string>; columns?: number; rows?: number } = {},
): Promise<Opened> {
  const told = await toldRun(t);
  const screen = onScreen(t, told, args, more);
  return { told, screen, acts: () => told.asked.flatMap(({ ask }) => (ask === "stop" || ask === "act" ? [ask] : [])) };
}

function onScreen(
  t: TestContext,
  told: ToldRun,
  args: readonly string[],
  { env = {}, ...size }: { env?: Record<string, string>; columns?: number; rows?: number } = {},
): Emulator {
  const at = place(t);
  const base = { PATH: process.env.PATH ?? "", HOME: at.home, LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color", NEXADIST_STATE_DIR: told.stateDir };
  return emulate(t, [process.execPath, ENTRY, ...args], { cwd: at.dir, env: { ...base, ...env }, ...size });
}

test("attach opens it; screens by number, resize down and up, help; d leaves the run alone and says where it stands", async (t) => {
  const { screen, acts } = await open(t);
  await screen.shows(/RUNNING.*\n 1 Overview/);
  await screen.shows(/> node-a {2}running/);
  await screen.shows(/step 18,\d+\/50,000/);
  assert.ok(screen.isAlternate());
  screen.type("3");
  await screen.shows(/H100/);
  screen.resize(50, 12);
  await screen.shows(/50x12 is too small/);
  screen.resize(130, 40);
  await screen.shows(/H100/);
  screen.type("1");
  await screen.shows(/┌─ hosts \(4\)/);
  screen.resize(80, 24);
  await screen.shows(/── logs/);
  assert.equal((screen.screen().match(/node-a {2}running/g) ?? []).length, 1, "no row of before is left");
  screen.type("?");
  await screen.shows(/Everywhere/);
  screen.type("\u001b");
  await screen.shows(/── logs/);
  screen.type("d");
  const { code, mode } = await screen.done;
  assert.deepEqual([code, mode, screen.isAlternate(), acts()], [0, "cooked", false, []]);
  assert.match(screen.screen(), /llama3-8b_20251101_121742 is running and goes on without this terminal\n {2}nexadist attach/);
});

test("Ctrl-C asks; stop is asked of the controller, the end is shown until q, its summary stays; exit as without a screen", async (t) => {
  const { told, screen } = await open(t);
  await screen.shows(/> node-a/);
  screen.type(CTRL_C);
  await screen.shows(/\[d\] detach {2}\[s\] stop/);
  const stop = told.next("stop");
  screen.type("s");
  const request = await stop;
  assert.ok(request.ask === "stop" && request.graceMs === null && request.by !== "");
  told.tellEvents([
    { at: Date.now(), type: "stop-requested", by: "t", why: "", graceMs: 0 },
    ...eventsUpTo(specOf(4), "succeeded").slice(eventsUpTo(specOf(4), "running").length),
  ]);
  told.endWatch();
  await screen.shows(/STOPPED/);
  screen.type("q");
  const { code, mode } = await screen.done;
  assert.deepEqual([code, mode, screen.isAlternate()], [9, "cooked", false]);
  assert.match(screen.screen(), /==> llama3-8b_20251101_121742 stopped after/);
});

const UP = (told: ToldRun): readonly string[] => {
  const file = join(told.stateDir, "cluster.yaml");
  writeFileSync(file, "name: another\nbackend: command\ncluster: [{ host: a, transport: local, gpus: 0, slots: 1 }]\n");
  return ["up", file, "--", "true"];
};
const END = eventsUpTo(specOf(4), "succeeded").slice(eventsUpTo(specOf(4), "running").length);

test("up leaves by itself when its run ends well: what follows it in a script goes on", async (t) => {
  const told = await toldRun(t);
  const screen = onScreen(t, told, UP(told));
  await screen.shows(/> node-a/);
  told.tellEvents(END);
  told.endWatch();
  const { code, mode } = await screen.done;
  assert.deepEqual([code, mode, screen.isAlternate()], [0, "cooked", false]);
  assert.match(screen.screen(), /==> llama3-8b_20251101_121742 succeeded after/);
});

test("up stays while somebody reads another screen", async (t) => {
  const told = await toldRun(t);
  const screen = onScreen(t, told, UP(told));
  await screen.shows(/> node-a/);
  screen.type("6");
  await screen.shows(/what happened/);
  told.tellEvents(END);
  told.endWatch();
  await screen.shows(/SUCCEEDED[\s\S]*it is over; q leaves/);
  assert.ok(screen.isAlternate());
  screen.type("q");
  assert.equal((await screen.done).code, 0);
});

for (const signal of ["SIGTERM", "SIGHUP"] as const)
  test(`${signal}: the terminal is as before, the run goes on`, async (t) => {
    const { screen, acts } = await open(t);
    await screen.shows(/> node-a/);
    await screen.signal(signal);
    const { code, mode } = await screen.done;
    assert.deepEqual([code, mode, screen.isAlternate(), acts()], [0, "cooked", false, []]);
    assert.match(screen.sent(), /\[\?25h/, "the cursor is shown again");
  });

test("a bug of the screen: the terminal is as before, the run goes on, and where it is written down is said in a line", async (t) => {
  const spec = specOf(4);
  const told = await toldRun(t, { ...spec, hosts: spec.hosts.map((host) => ({ ...host, address: [1] as unknown as string })) });
  const screen = onScreen(t, told, ["attach"]);
  const { code, mode } = await screen.done;
  assert.deepEqual([code, mode, screen.isAlternate()], [70, "cooked", false]);
  assert.match(screen.screen().replaceAll("\n", ""), /the screen broke, the run did not \(.*screen-crash\.log has why\)/);
  assert.match(readFileSync(join(told.stateDir, "screen-crash.log"), "utf8"), /TypeError[\s\S]*at /);
  assert.ok(told.asked.every(({ ask }) => ask !== "stop" && ask !== "act"));
});

test("killed by SIGKILL, the next command on that terminal puts it right", async (t) => {
  const told = await toldRun(t);
  const { HOME = "", PATH = "" } = process.env;
  const shell = emulate(t, ["sh"], {
    cwd: told.stateDir,
    env: { PATH, HOME, LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color", NEXADIST_STATE_DIR: told.stateDir, ENTRY, MEND, NODE: process.execPath, PS1: "$ " },
  });
  shell.type(`"$NODE" "$ENTRY" attach\n`);
  await shell.shows(/> node-a/);
  const marker = readdirSync(join(told.stateDir, "terminals"));
  assert.equal(marker.length, 1);
  process.kill(Number(readFileSync(join(told.stateDir, "terminals", marker[0] ?? ""), "utf8")), "SIGKILL");
  shell.type(`echo mark\n`);
  await shell.shows(/mark/);
  assert.ok(shell.isAlternate(), "nobody has put it right yet");
  shell.type(`. "$MEND"; mend_tty; echo men''ded\n`);
  await shell.shows(/mended/);
  assert.ok(!shell.isAlternate());
  assert.deepEqual(readdirSync(join(told.stateDir, "terminals")), []);
  shell.type("exit\n");
  assert.equal((await shell.done).mode, "cooked");
});

test("a controller that goes away is said; attach goes on with the next", async (t) => {
  const { told, screen } = await open(t);
  await screen.shows(/> node-a/);
  const again = told.next("watch");
  told.cutAll();
  const request = await again;
  assert.ok(request.ask === "watch" && request.from > 0, "no event is told twice");
  await screen.shows(/the controller answers again/);
  screen.type("d");
  assert.equal((await screen.done).code, 0);
});

test("nothing that a rank or a host says reaches the terminal but as text", async (t) => {
  const { told, screen } = await open(t);
  await screen.shows(/> node-a/);
  const attacks = [
    "\u001b]52;c;AAAA\u0007",
    "\u001b]0;title\u0007",
    "\u001bP1;1|x\u001b\\",
    "\u009b2J",
    "\u001b[2J",
    "\u001b[?1049l",
    "\u202e\u0000\u0008\r\u000b",
    "\u001b]8;;http://x\u0007y",
  ];
  told.tellLines(attacks.map((text, k) => lineOf("node-a", 0, Date.now(), `evil${k}${text}end`)));
  await screen.shows(/evil7/);
  screen.type("2");
  await screen.shows(/^ all ranks +following[\s\S]*evil7/m);
  screen.type("d");
  await screen.done;
  const rest = Buffer.from(screen.sent(), "latin1")
    .toString()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all that a screen of ours sends
    .replace(/\u001b\[[\d;]*[mA-HJK]|\u001b\[\?(?:25|1049|2004|2026)[hl]/g, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be left
  assert.doesNotMatch(rest, /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e]/);
});

test("NO_COLOR has no colour, a locale without UTF-8 no letter outside ASCII; --readonly offers nothing that acts", async (t) => {
  const { screen } = await open(t, ["attach", "--readonly"], { env: { NO_COLOR: "1", LANG: "C" } });
  await screen.shows(/> node-a/);
  await screen.shows(/read only/);
  screen.type("q");
  await screen.shows(/\[d\] detach {2}\[esc\] back/);
  screen.type("d");
  await screen.done;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  assert.doesNotMatch(screen.sent(), /\u001b\[(?:3[0-7]|9[0-7]|4[0-7])(?:;\d+)*m/);
  assert.doesNotMatch(screen.sent(), /[\u0080-\u00ff]/);
});

for (const [name, args, env] of [
  ["TERM=dumb", ["attach"], { TERM: "dumb" }],
  ["a screen reader", ["attach"], { NEXADIST_SCREEN_READER: "1" }],
  ["--ui=plain", ["attach", "--ui=plain"], {}],
] as const)
  test(`${name}: lines, no screen`, async (t) => {
    const { screen } = await open(t, args, { env });
    await screen.shows(/node-a r0 \| step=/);
    screen.type(CTRL_C);
    await screen.shows(/leave\?/);
    screen.type("d");
    assert.equal((await screen.done).code, 0);
    assert.doesNotMatch(screen.sent(), /\[\?1049h/);
  });

test("Ctrl-Z gives the terminal back, fg comes back to the same screen", async (t) => {
  const told = await toldRun(t);
  const { HOME = "", PATH = "" } = process.env;
  const shell = emulate(t, ["bash", "--norc", "-i"], {
    cwd: told.stateDir,
    env: { PATH, HOME, LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color", NEXADIST_STATE_DIR: told.stateDir, ENTRY, NODE: process.execPath, PS1: "$ " },
  });
  shell.type(`"$NODE" "$ENTRY" attach\n`);
  await shell.shows(/> node-a/);
  shell.type("\u001a");
  await shell.shows(/Stopped/);
  assert.ok(!shell.isAlternate());
  shell.type("fg\n");
  await shell.shows(/> node-a/);
  assert.ok(shell.isAlternate());
  shell.type("d");
  await shell.shows(/goes on without this terminal/);
  assert.ok(!shell.isAlternate());
  shell.type("exit\n");
  assert.equal((await shell.done).mode, "cooked");
});
