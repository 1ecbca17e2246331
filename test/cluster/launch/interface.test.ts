/** The interface by which peers reach a host. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseInterface, isLoopback } from "../../../cluster/launch/interface.ts";
import { someFacts, someHost } from "./fixtures.ts";

const facts = someFacts({
  interfaces: [
    { name: "lo", mtu: 65_536, up: true, addresses: ["127.0.0.1", "::1"] },
    { name: "eth0", mtu: 1500, up: true, addresses: ["10.0.0.5", "fe80::1%eth0"] },
    { name: "tailscale0", mtu: 1280, up: true, addresses: ["100.66.164.18", "fd7a:115c::1"] },
  ],
});

function named(addresses: readonly string[], over = {}): string {
  const choice = chooseInterface(someHost("h", over), facts, addresses);
  return choice.ok ? `${choice.name} ${choice.family}` : choice.error.code;
}

test("the one that holds the peers' address, in its family", () => {
  assert.equal(named(["10.0.0.5"]), "eth0 AF_INET");
  assert.equal(named(["100.66.164.18"]), "tailscale0 AF_INET");
  assert.equal(named(["fd7a:115c::1"]), "tailscale0 AF_INET6");
  assert.equal(named(["FD7A:115C::1"]), "tailscale0 AF_INET6");
  assert.equal(named(["203.0.113.1", "10.0.0.5"]), "eth0 AF_INET");
});

test("any of 127/8 is the loopback", () => assert.equal(named(["127.0.0.7"]), "lo AF_INET"));

test("the file's word wins and must exist", () => {
  assert.equal(named(["100.66.164.18"], { interface: "eth0" }), "eth0 AF_INET");
  assert.equal(named(["100.66.164.18"], { interface: "ib0" }), "INTERFACE_MISSING");
});

test("nothing is guessed", () => {
  assert.equal(named(["203.0.113.1"]), "INTERFACE_UNKNOWN");
  assert.equal(named(["gpu-a"]), "INTERFACE_UNKNOWN");
  assert.equal(named([]), "INTERFACE_UNKNOWN");
});

test("loopback is told from names and addresses", () => {
  for (const address of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) assert.ok(isLoopback(address), address);
  for (const address of ["10.0.0.1", "127.example.org", "gpu-a", "::2"]) assert.ok(!isLoopback(address), address);
});
