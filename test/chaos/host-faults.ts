/** Faults of hosts, links and disks. */

import type { RunState } from "../../cluster/run/state.ts";
import type { Fault } from "./fault.ts";
import type { Luck } from "./luck.ts";
import { raise, SMALL_DISK, type World } from "./world.ts";

/** A member whose disk keeps what is on it. */
const lasting = (world: World, { members }: RunState, luck: Luck): string => luck.pick(members.filter((name) => world.host(name).name !== SMALL_DISK));

const unseen = (event: { readonly type: string }): boolean => event.type === "host-unseen";
const seenAsSilent = (world: World, state: RunState, hosts: readonly string[]): Promise<unknown> =>
  world.wait(state.spec.run, "it is seen to be silent", (_, now) => hosts.every((name) => now.hosts[name]?.seen === false));

/** As long as a loss would take, and more. */
const PAST_LOST_MS = 8000;
const pastLost = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAST_LOST_MS)); // that it lasts is what is tested

export const hostFaults: readonly Fault[] = [
  {
    name: "power-off",
    about: "a host loses its power; a spare takes over",
    expect: "restart",
    kinds: ["host-lost"],
    undoWhen: "trains again",
    strike: async (world, state, luck) => {
      const victim = lasting(world, state, luck);
      const at = Date.now();
      await world.host(victim).kill();
      return { at, who: victim, host: victim, gone: [victim], undo: () => world.host(victim).boot() };
    },
  },
  {
    name: "reboot",
    about: "a host is started again",
    expect: "restart",
    kinds: ["host-rebooted"],
    strike: async (world, state, luck) => {
      const victim = lasting(world, state, luck);
      const at = Date.now();
      await world.host(victim).kill();
      await world.host(victim).boot();
      return { at, who: victim, host: victim, gone: [victim] };
    },
  },
  {
    name: "rdzv-link-down",
    about: "the cable of the rendezvous host is pulled; a spare takes over",
    expect: "restart",
    kinds: ["host-lost"],
    undoWhen: "trains again",
    strike: async (world, { members }) => {
      const victim = members[0] ?? raise("no members");
      const at = Date.now();
      await world.host(victim).link("down");
      return { at, who: victim, host: victim, gone: [victim], undo: () => world.host(victim).link("up") };
    },
  },
  {
    name: "host-freeze",
    about: "all of a host stands still; a spare takes over",
    expect: "restart",
    kinds: ["host-lost"],
    undoWhen: "trains again",
    strike: async (world, { members }, luck) => {
      const victim = luck.pick(members);
      const at = Date.now();
      await world.host(victim).freeze();
      return { at, who: victim, host: victim, gone: [victim], undo: () => world.host(victim).thaw() };
    },
  },
  {
    name: "link-cut",
    about: "the link from the controller to one host is cut",
    expect: "untouched",
    sign: unseen,
    strike: async (world, state, luck) => {
      const victim = luck.pick(state.members);
      const { name } = world.host(victim);
      const at = Date.now();
      await world.lab.block("controller", name);
      await seenAsSilent(world, state, [victim]);
      await pastLost();
      return { at, who: victim, undo: () => world.lab.unblock("controller", name) };
    },
  },
  {
    name: "all-links-cut",
    about: "the controller is cut off from all hosts",
    expect: "untouched",
    sign: unseen,
    strike: async (world, state) => {
      const at = Date.now();
      for (const { name } of world.lab.hosts) await world.lab.block("controller", name);
      await seenAsSilent(world, state, state.members);
      await pastLost();
      const undo = async (): Promise<void> => {
        for (const { name } of world.lab.hosts) await world.lab.unblock("controller", name);
      };
      return { at, who: "all", undo };
    },
  },
  {
    name: "one-way",
    about: "packets from one host to the controller are lost, the other way is open",
    expect: "untouched",
    sign: unseen,
    strike: async (world, state, luck) => {
      const victim = luck.pick(state.members);
      const { name } = world.host(victim);
      const at = Date.now();
      await world.lab.block(name, "controller", "oneway");
      await seenAsSilent(world, state, [victim]);
      await pastLost();
      return { at, who: victim, undo: () => world.lab.unblock(name, "controller", "oneway") };
    },
  },
  {
    name: "disk-full",
    about: "the disk of a host is full for 8 s",
    expect: "untouched",
    sign: (event) => event.type === "log-gap",
    mayGap: true,
    fits: (world, { members }) => members.includes(world.lab.host(SMALL_DISK).address),
    strike: async (world) => {
      const host = world.lab.host(SMALL_DISK);
      const at = Date.now();
      await host.run(["sh", "-c", "cat /dev/zero > /root/fill 2>/dev/null; true"]);
      await pastLost();
      return { at, who: host.address, undo: async () => void (await host.run(["rm", "/root/fill"])) };
    },
  },
];
