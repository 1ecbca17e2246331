/** What /proc and df tell, from real texts; what is not there is absent, never 0. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readDf, readMounts } from "../../../agent/telemetry/disks.ts";
import { readCpu, readDiskBytes, readHost, readMemory, readNets, readPressure } from "../../../agent/telemetry/host-numbers.ts";
import { sampleSchema } from "../../../cluster/telemetry/sample.ts";

test("CPU time busy and in all; waiting for a disk is no work, and guests are in their host's time already", () => {
  assert.deepEqual(readCpu("cpu  100 10 50 800 40 0 5 5 90 0\ncpu0 1 2 3 4\n"), { all: 1010, busy: 170 });
  assert.equal(readCpu(""), null);
});

test("memory in bytes; a kernel without MemAvailable or swap tells neither", () => {
  const memory = readMemory("MemTotal:       24684084 kB\nMemFree:        100 kB\nMemAvailable:   12345678 kB\nSwapTotal: 1000 kB\nSwapFree: 400 kB\n");
  assert.equal(memory.memoryTotalBytes, 24684084 * 1024);
  assert.ok(Math.abs((memory.memoryAvailableBytes ?? 0) - 12345678 * 1024) < 4 * 2 ** 20);
  assert.equal(memory.swapUsedBytes, 600 * 1024);
  assert.deepEqual(readMemory("MemTotal: 5 kB\n"), { memoryTotalBytes: 5120 });
});

test("pressure of the last 10 s", () => {
  assert.equal(readPressure("some avg10=90.15 avg60=75.04 avg300=56.55 total=10168579033\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"), 90.15);
  assert.equal(readPressure(""), undefined);
});

test("interfaces but the loopback and a container's ends; a name glued to its first number is read", () => {
  const head =
    "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes\n";
  const nets = readNets(
    `${head}    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0:4242 7 3 2 0 0 0 0 99 8 1 5 0 0 0 0\nveth12: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\ntailscale0: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n`,
  );
  assert.deepEqual(Object.keys(nets), ["eth0", "tailscale0"]);
  assert.deepEqual(nets.eth0, { rxBytes: 4242, rxErrors: 3, rxDropped: 2, txBytes: 99, txErrors: 1, txDropped: 5 });
});

test("whole disks, not their parts; a host without one tells nothing", () => {
  const text =
    " 8 0 sda 1 0 100 0 1 0 10 0 0 0 0\n 8 1 sda1 1 0 100 0 1 0 10 0 0 0 0\n 259 0 nvme0n1 1 0 4 0 1 0 2 0 0 0 0\n 7 0 loop0 1 0 9 0 0 0 0 0 0 0 0\n";
  assert.deepEqual(readDiskBytes(text), { read: 104 * 512, written: 12 * 512 });
  assert.equal(readDiskBytes(" 7 0 loop0 1 0 9 0 0 0 0 0 0 0 0\n"), null);
});

test("disks that can be written to, each device once; what df cannot look at costs nothing else", () => {
  const mounts = readMounts(
    [
      "/dev/sda1 / ext4 rw,relatime 0 0",
      "tmpfs /run tmpfs rw 0 0",
      "tmpfs /dev/shm tmpfs rw 0 0",
      "/dev/loop3 /snap/core squashfs ro 0 0",
      "/dev/sdb /data\\040set xfs rw 0 0",
      "/dev/sda1 /var/lib/docker ext4 rw 0 0",
      "nas:/vol /home nfs4 rw 0 0",
      "/dev/sdc /ro ext4 ro,relatime 0 0",
      "tmpfs /root tmpfs rw 0 0",
    ].join("\n"),
    "/root/.local/state/nexadist",
  );
  const disks = readDf(
    [
      "Filesystem     1024-blocks      Used Available Capacity Mounted on",
      "/dev/sda1        100000000  50000000  40960000      56% /",
      "/dev/sda1        100000000  50000000  40960000      56% /var/lib/docker",
      "tmpfs             10000000         0  10000000       0% /dev/shm",
      "tmpfs             10000000         0  10000000       0% /run",
      "/dev/loop3           10000     10000         0     100% /snap/core",
      "/dev/sdb         100000000         0 100000000       0% /data set",
      "df: /home: Stale file handle",
      "/dev/sdc           1000000   1000000         0     100% /ro",
      "tmpfs               300000    300000         0     100% /root",
    ].join("\n"),
    mounts,
  );
  assert.deepEqual(Object.keys(disks).sort(), ["/", "/data set", "/dev/shm", "/root"]);
  assert.deepEqual(disks["/"], { totalBytes: 102400000000, freeBytes: 40960000 * 1024 });
});

test("this very machine: within the bounds of a sample", () => {
  const host = readHost();
  host.now();
  const sample = sampleSchema.parse({ gpus: {}, processes: {}, disks: {}, host: host.now(), nets: host.nets() });
  assert.ok((sample.host.memoryTotalBytes ?? 0) > 0);
  assert.ok((sample.host.cpus ?? 0) > 0);
});
