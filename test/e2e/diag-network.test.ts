/** The links between real hosts, each broken for real: exactly its finding appears on whom it is laid to, and none when it is mended. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { openSeat, until } from "../support/controller.ts";
import { type Lab, needsRoot, startLab } from "../support/lab.ts";

const HOSTS = ["gpu-a", "gpu-b", "gpu-c", "gpu-d"];
type Result = {
  readonly id: string;
  readonly status: string;
  readonly host: string | null;
  readonly peer?: string;
  readonly observed: string;
  readonly fix: string;
};

const file = (lab: Lab, { extra = "", env = "", hosts = HOSTS } = {}): string =>
  `cluster:\n${hosts.map((name) => `  - {host: ${name}, address: ${lab.host(name).address}${name === "gpu-b" ? extra : ""}}\n`).join("")}defaults: {gpus: 0, slots: 1, python: /opt/train${env}}\nrdzv: gpu-a:29500\n`;

async function onHost(lab: Lab, name: string, script: string): Promise<void> {
  const { exitCode, stderr } = await lab.host(name).run(["sh", "-c", script]);
  assert.equal(exitCode, 0, stderr);
}

const filter = (rules: string): string => `nft -f - <<'E'\ntable inet broken {\n chain i {\n type filter hook input priority 0\n${rules}\n }\n}\nE`;
const UNFILTER = "nft delete table inet broken";

/** A program of somebody else listens on the port until `end`. */
async function occupy(t: TestContext, lab: Lab, name: string, port: number): Promise<() => Promise<void>> {
  const [program, ...args] = [
    "scripts/lab",
    "run",
    lab.name,
    name,
    "--",
    "/usr/bin/python3",
    "-c",
    `import socket,sys\ns=socket.create_server(("", ${port}))\nprint("up", flush=True)\nsys.stdin.read()`,
  ];
  const child = spawn(program ?? "", args, { cwd: new URL("../..", import.meta.url), stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return async () => {
    const closed = once(child, "close");
    child.stdin.end();
    await closed;
  };
}

test("links broken for real", { skip: needsRoot }, async (t) => {
  const lab = await startLab(t, { hosts: 4 });
  const seat = openSeat(t, lab);
  const look = async (...words: string[]): Promise<readonly Result[]> => {
    const { out, err } = await seat.cli(["diag", "c.yaml", "--json", "--only", "network", ...words]);
    assert.ok(out.startsWith("{"), out + err);
    return (JSON.parse(out) as { readonly results: readonly Result[] }).results;
  };
  const bad = async (...words: string[]): Promise<readonly Result[]> => (await look(...words)).filter(({ status }) => status !== "pass" && status !== "skip");
  const named = (results: readonly Result[]): readonly string[] =>
    results.map(({ id, status, host, peer }) => `${status} ${id} ${host}${peer === undefined ? "" : ` ${peer}`}`).sort();
  seat.write("c.yaml", file(lab));

  await t.test("healthy: no finding, every check has looked, and the matrix is whole", async () => {
    const { out } = await seat.cli(["diag", "c.yaml", "--json", "--only", "network"]);
    const { results, matrix, isReady } = JSON.parse(out) as {
      results: Result[];
      matrix: { from: string; to: string; latencyMs: object | null }[];
      isReady: boolean;
    };
    assert.deepEqual(
      results.filter(({ status, observed }) => status !== "pass" && observed !== "tailscale is not there"),
      [],
    );
    for (const id of ["net.iface", "net.iface_env", "net.reach", "port.rdzv", "port.ephemeral", "net.latency", "net.mtu", "net.route"])
      assert.ok(
        results.some((result) => result.id === id),
        id,
      );
    assert.ok(isReady);
    assert.equal(matrix.filter(({ from, to, latencyMs }) => from !== to && latencyMs !== null).length, 12);
  });

  const faults: readonly {
    readonly what: string;
    readonly on: string;
    readonly break: string;
    readonly mend: string;
    readonly found: string;
    readonly says: RegExp;
    readonly fix: RegExp;
  }[] = [
    {
      what: "a rule drops the rendezvous port",
      on: "gpu-a",
      break: filter("tcp dport 29500 drop"),
      mend: UNFILTER,
      found: "fail port.rdzv gpu-a",
      says: /port 29500 is not reached from gpu-b, gpu-c, gpu-d \(no answer\); from no other host/,
      fix: /^ssh -t .*gpu-a 'sudo ufw allow proto tcp from 100\.66\.164\.19 to any port 29500 && .*'/,
    },
    {
      what: "a firewall lets in SSH alone",
      on: "gpu-c",
      break: filter("ct state established accept\niif lo accept\ntcp dport 22 accept\nmeta l4proto tcp reject with tcp reset"),
      mend: UNFILTER,
      found: "fail port.ephemeral gpu-c",
      says: /to gpu-c from gpu-a, gpu-b, gpu-d alike: no fresh ports reached \(refused\)/,
      fix: /^ssh -t .*gpu-c 'sudo ufw allow proto tcp from 100\.66\.164\.18 to any && .*'/,
    },
    {
      what: "large packets from its peers vanish, and no ICMP tells",
      on: "gpu-d",
      break: filter("ip saddr 100.66.164.18-100.66.164.20 meta length > 1400 drop"),
      mend: UNFILTER,
      found: "fail net.mtu gpu-d",
      says: /64 KiB never arrive, small messages do; packets of up to 1[34]\d\d bytes pass, the interface sends 1500/,
      fix: /^ssh -t .*gpu-\w 'sudo ip link set eth0 mtu 1280'\n/,
    },
    {
      what: "an interface with a smaller MTU than its peers",
      on: "gpu-b",
      break: "ip link set eth0 mtu 1300",
      mend: "ip link set eth0 mtu 1500",
      found: "warn net.mtu gpu-b",
      says: /packets of more than 130\d bytes are lost, TCP makes do/,
      fix: /^ssh -t .*gpu-\w 'sudo ip link set eth0 mtu 1280'\n/,
    },
  ];
  for (const fault of faults) {
    await t.test(fault.what, async () => {
      await onHost(lab, fault.on, fault.break);
      const found = await bad();
      await onHost(lab, fault.on, fault.mend);
      assert.deepEqual(named(found), [fault.found], JSON.stringify(found));
      assert.match(found[0]?.observed ?? "", fault.says);
      assert.match(found[0]?.fix ?? "", fault.fix);
    });
  }

  await t.test("the file names an interface that is there, and traffic to peers goes by another one", async () => {
    seat.write("c.yaml", file(lab, { extra: ", interface: other0" }));
    await onHost(
      lab,
      "gpu-b",
      "ip link add other0 type veth peer name other1 && ip addr add 100.66.164.99/32 dev other0 && ip link set other0 up && ip link set other1 up",
    );
    const found = await bad();
    await onHost(lab, "gpu-b", "ip link del other0");
    seat.write("c.yaml", file(lab));
    assert.deepEqual(named(found), ["warn net.route gpu-b"]);
    assert.match(found[0]?.observed ?? "", /^to gpu-a, gpu-c, gpu-d by eth0, its ranks are told other0$/);
    assert.match(found[0]?.fix ?? "", /\(interface: eth0\)/);
  });

  await t.test("a cut link between two hosts that the controller reaches: the two, and nobody else", async () => {
    await lab.block("gpu-b", "gpu-d");
    const found = await bad();
    const { out } = await seat.cli(["diag", "c.yaml", "--only", "network"]);
    await lab.unblock("gpu-b", "gpu-d");
    assert.deepEqual(named(found), ["fail net.reach gpu-d gpu-b"]);
    assert.match(out, /^NOT READY .*: 1 blocker on gpu-b and gpu-d\n/);
    assert.match(out, /^2 {2}gpu-b +\d\.\d\d +- +\d\.\d\d +x$/m);
    for (const line of out.split("\n").filter((each) => !/^ {4}|^ {2}verify: /.test(each))) assert.ok(line.length <= 80, line);
  });

  await t.test("hosts of a tailnet: fine, then one behind a relay, then one without a device", async () => {
    const status = readFileSync(new URL("../samples/tailscale/status-running.json", import.meta.url), "utf8");
    const install = async (name: string, via: string, hasTun = true): Promise<void> => {
      const said = status
        .replaceAll('100.101.1.1"', `${lab.host(name).address}"`)
        .replace(/"KeyExpiry": "[^"]*"/, '"KeyExpiry": "2999-01-01T00:00:00Z"')
        .replace('"TUN": true', `"TUN": ${hasTun}`);
      const program = `#!/bin/sh\ncase $1 in\nstatus) cat /root/tailscale.json ;;\nping) echo "pong from peer ($6) via ${via} in 4ms" ;;\nesac\n`;
      const { exitCode } = await lab
        .host(name)
        .run(["sh", "-c", `cat >/root/tailscale.json; printf '%s' "$0" >/usr/local/bin/tailscale; chmod +x /usr/local/bin/tailscale`, program], {
          input: said,
        });
      assert.equal(exitCode, 0);
    };
    for (const name of HOSTS) await install(name, "198.51.100.23:41641");
    const results = await look();
    assert.deepEqual(
      results.filter(({ status: of }) => of !== "pass"),
      [],
    );
    assert.equal(results.find(({ id }) => id === "ts.path")?.observed, "12 ways straight");
    await install("gpu-d", "DERP(fra)");
    const relayed = await bad();
    await install("gpu-d", "198.51.100.23:41641", false);
    const deviceless = await bad();
    for (const name of HOSTS) await onHost(lab, name, "rm /usr/local/bin/tailscale /root/tailscale.json");
    assert.deepEqual(named(relayed), ["fail ts.path gpu-d"]);
    assert.match(relayed[0]?.observed ?? "", /from gpu-d to gpu-a, gpu-b, gpu-c alike: only by a relay of Tailscale's, DERP \(fra, 4 ms\)/);
    assert.deepEqual(named(deviceless), ["fail ts.tun gpu-d"]);
  });

  await t.test("a busy rendezvous port, and its owner; a free one is taken where none is named", async () => {
    const end = await occupy(t, lab, "gpu-a", 29_500);
    const found = await bad();
    seat.write("c.yaml", file(lab).replace("rdzv: gpu-a:29500\n", ""));
    const unnamed = await bad();
    await end();
    seat.write("c.yaml", file(lab));
    assert.deepEqual(named(found), ["fail port.rdzv gpu-a"]);
    assert.match(found[0]?.observed ?? "", /port 29500 is in use by python3\S* \(pid \d+, user root\)/);
    assert.deepEqual(unnamed, []);
  });

  await t.test("names of interfaces that are not there, in the file and in its variables", async () => {
    seat.write("c.yaml", file(lab, { extra: ", interface: eth7" }));
    assert.deepEqual(named(await bad()), ["fail net.iface gpu-b"]);
    seat.write("c.yaml", file(lab, { env: ', env: {NCCL_SOCKET_IFNAME: "=ib0"}' }));
    const variables = await bad();
    assert.deepEqual(
      named(variables),
      HOSTS.map((name) => `fail net.iface_env ${name}`),
    );
    assert.match(variables[0]?.observed ?? "", /NCCL_SOCKET_IFNAME is "=ib0", which fits none of eth0$/);
    seat.write("c.yaml", file(lab));
  });

  await t.test("a link that fell to 50 Mbit/s: the host that sends over it", async () => {
    await onHost(lab, "gpu-c", "tc qdisc add dev eth0 root tbf rate 50mbit burst 256kb latency 50ms");
    const found = await bad("--full", "--only", "dist.comm_budget", "--skip", "dist.rdzv,dist.gloo,dist.nccl");
    await onHost(lab, "gpu-c", "tc qdisc del dev eth0 root");
    const [slow, budget] = found;
    assert.deepEqual(
      found.map(({ id, status, host }) => `${status} ${id} ${host}`),
      ["fail net.bandwidth gpu-c", "warn dist.comm_budget gpu-c"],
    );
    assert.match(budget?.observed ?? "", /^gradients of 1\.1 GB take \d{3}\.\d s or more a step, by gpu-c to gpu-[abd] \(\d\d Mbit\/s\)$/);
    assert.match(slow?.observed ?? "", /from gpu-c to gpu-a, gpu-b, gpu-d alike: at most \d\d Mbit\/s/);
  });

  await t.test("while a run is alive on them: its own port is no finding, and no link is filled", async () => {
    seat.write("sit.py", "import time\nimport torch.distributed as dist\ndist.init_process_group('gloo')\nprint('sat', flush=True)\ntime.sleep(600)\n");
    seat.write("two.yaml", file(lab, { hosts: ["gpu-a", "gpu-b"] }));
    const run = await seat.up(["two.yaml", "--", "sit.py"]);
    await until("its ranks meet", () => seat.log(run, "gpu-a", "rank0.out").includes("sat"), 180_000); // a bare host is set up first
    const { out, err } = await seat.cli(["diag", "two.yaml", "--json", "--full", "--only", "network,distributed"]);
    assert.equal((await seat.cli(["stop", run, "--now"])).code, 0);
    const { results, matrix } = JSON.parse(out) as { results: Result[]; matrix: { bandwidth: number | null }[] };
    assert.deepEqual(named(results.filter(({ status }) => status !== "pass" && status !== "skip")), [], err);
    assert.match(results.find(({ id }) => id === "port.rdzv")?.observed ?? "", new RegExp(`^${run} is alive and has port 29500`));
    assert.match(results.find(({ id }) => id === "dist.gloo")?.observed ?? "", /while a run is alive on gpu-a, gpu-b/);
    assert.ok(matrix.every(({ bandwidth }) => bandwidth === null));
  });

  await t.test("mended: no finding, and nobody listens or runs any more", async () => {
    assert.deepEqual(await bad(), []);
    for (const host of lab.hosts) {
      const { stdout } = await host.run(["sh", "-c", "ss -Hltn | awk '{print $4}'; pgrep -fc '[b]64decode' || true"]);
      assert.match(stdout, /^\S+:22\n(\S+:22\n)?0$/);
    }
  });
});
