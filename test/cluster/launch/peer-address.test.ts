/** What peers call a host. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { withPeerAddress } from "../../../cluster/launch/peer-address.ts";
import type { HostSpec } from "../../../cluster/spec.ts";

const host = (more: Partial<HostSpec>): HostSpec => ({ name: "gpu-a", transport: "ssh", address: "gpu-a", env: {}, gpus: { kind: "auto" }, ...more });

test("an alias of ssh_config becomes the address that SSH dialled", () => assert.equal(withPeerAddress(host({}), "10.0.0.7").address, "10.0.0.7"));
test("an address of the file is never replaced", () => assert.equal(withPeerAddress(host({ address: "100.66.164.18" }), "10.0.0.7").address, "100.66.164.18"));
test("a host of this machine keeps its own", () => assert.equal(withPeerAddress(host({}), null).address, "gpu-a"));
