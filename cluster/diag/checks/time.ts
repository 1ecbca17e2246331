/** Clocks: of a host against ours, in step or not, and where the kernel takes the time from. */

import * as z from "zod";
import type { HostCheck } from "../check.ts";
import { on } from "../cure.ts";
import { failed, filesOf, jsonOf, notLooked, pass, warn } from "../read.ts";

const base = { group: "time", scope: "host", needs: [], who: "root" } as const;

const seconds = (ms: number): string => `${(Math.abs(ms) / 1000).toFixed(Math.abs(ms) < 10_000 ? 2 : 0)} s`;

export const TIME: readonly HostCheck[] = [
  {
    ...base,
    id: "time.skew",
    tier: "quick",
    title: "the clock beside this machine's",
    why: "logs of different hosts cannot be put in order; past a minute tokens and certificates fail",
    fix: on("sudo timedatectl set-ntp true && sudo systemctl restart systemd-timesyncd", "with chrony: sudo chronyc makestep; a container: on its host"),
    verify: `date +%s.%N; ${on("date +%s.%N")}`,
    isBlocking: false,
    proof: "broken",
    judge: ({ clock }) => {
      if (clock === null) throw notLooked("its clock was not measured");
      const { offsetMs, errorMs } = clock;
      const surely = Math.max(0, Math.abs(offsetMs) - errorMs);
      const observed = `${seconds(offsetMs)} ${offsetMs > 0 ? "ahead" : "behind"} (± ${Math.ceil(errorMs)} ms)`;
      if (surely > 60_000) return failed(observed, { expected: "under 0.1 s" });
      return surely > 100 ? warn(observed, { expected: "under 0.1 s" }) : pass(observed);
    },
  },
  {
    ...base,
    id: "time.sync",
    tier: "quick",
    title: "what keeps the clock in step",
    why: "one that is right today drifts by seconds a day",
    fix: on("sudo systemctl enable --now systemd-timesyncd", "or install chrony"),
    verify: on("timedatectl show -p NTPSynchronized"),
    isBlocking: false,
    proof: "unproven",
    judge: (probe) => {
      const { isSynchronised } = jsonOf(probe, "clock_state", z.object({ state: z.number(), isSynchronised: z.boolean(), maxErrorUs: z.number() }));
      if (isSynchronised) return pass("by the kernel's word");
      if (probe.clock === null) return warn("nothing keeps it in step");
      // A guest's or a container's clock may be kept by its host: what counts is that it is right. Where it is not, one finding is enough.
      if (Math.abs(probe.clock.offsetMs) - probe.clock.errorMs >= 100) throw notLooked("it is wrong: time.skew says by how much");
      return pass("not by this kernel, but it is right now");
    },
  },
  {
    ...base,
    id: "time.clocksource",
    tier: "quick",
    title: "the clock source of the kernel",
    why: "asking hpet or acpi_pm for the time costs a microsecond, and launching small kernels asks often",
    fix: on("sudo dmesg | grep -i tsc", "why it was refused; then newer firmware, or boot with tsc=reliable"),
    verify: on("cat /sys/devices/system/clocksource/clocksource0/current_clocksource"),
    isBlocking: false,
    proof: "unproven",
    judge: (probe) => {
      const name = filesOf(probe, "clocksource").get("/sys/devices/system/clocksource/clocksource0/current_clocksource")?.trim();
      if (name === undefined || !/^[\w-]+$/.test(name)) throw notLooked("the kernel names none");
      if (/^(tsc|kvm-clock|hyperv_clocksource\w*|arch_sys_counter|xen)$/.test(name)) return pass(name);
      if (/^(hpet|acpi_pm|jiffies|pit|refined-jiffies)$/.test(name)) return warn(name, { expected: "tsc" });
      throw notLooked(`${name} is not known`);
    },
  },
];
