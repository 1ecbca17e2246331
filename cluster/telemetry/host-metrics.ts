/** Metrics of hosts: as users of the node exporter know them, with `host` in place of their `instance`; and those of ours that it has no name for. */

import type { HostNow } from "../viewer.ts";
import type { Labels, Metric } from "./metrics.ts";
import type { DiskSample, NetSample, Sample } from "./sample.ts";

type Row<T> = readonly [name: string, help: string, of: (one: T) => number | undefined, type?: "counter"];

const share = (percent: number | undefined): number | undefined => (percent === undefined ? undefined : percent / 100);

const HOST_ROWS: readonly Row<Sample["host"]>[] = [
  ["nexadist_host_cpu_utilization_ratio", "Share of all CPUs that is busy", ({ cpuUse }) => share(cpuUse)],
  ["nexadist_host_disk_read_bytes_total", "Read from whole disks since boot", ({ diskReadBytes }) => diskReadBytes, "counter"],
  ["nexadist_host_disk_written_bytes_total", "Written to whole disks since boot", ({ diskWrittenBytes }) => diskWrittenBytes, "counter"],
  ["node_load1", "1m load average.", ({ load1 }) => load1],
  ["node_memory_MemTotal_bytes", "Memory information field MemTotal_bytes.", ({ memoryTotalBytes }) => memoryTotalBytes],
  ["node_memory_MemAvailable_bytes", "Memory information field MemAvailable_bytes.", ({ memoryAvailableBytes }) => memoryAvailableBytes],
  ["node_memory_SwapTotal_bytes", "Memory information field SwapTotal_bytes.", ({ swapTotalBytes }) => swapTotalBytes],
  [
    "node_memory_SwapFree_bytes",
    "Memory information field SwapFree_bytes.",
    ({ swapTotalBytes, swapUsedBytes }) => (swapTotalBytes === undefined || swapUsedBytes === undefined ? undefined : swapTotalBytes - swapUsedBytes),
  ],
];
const NET_ROWS: readonly Row<NetSample>[] = [
  ["node_network_receive_bytes_total", "Network device statistic receive_bytes.", ({ rxBytes }) => rxBytes, "counter"],
  ["node_network_transmit_bytes_total", "Network device statistic transmit_bytes.", ({ txBytes }) => txBytes, "counter"],
  ["node_network_receive_errs_total", "Network device statistic receive_errs.", ({ rxErrors }) => rxErrors, "counter"],
  ["node_network_transmit_errs_total", "Network device statistic transmit_errs.", ({ txErrors }) => txErrors, "counter"],
  ["node_network_receive_drop_total", "Network device statistic receive_drop.", ({ rxDropped }) => rxDropped, "counter"],
  ["node_network_transmit_drop_total", "Network device statistic transmit_drop.", ({ txDropped }) => txDropped, "counter"],
  ["node_network_speed_bytes", "Speed of the link.", ({ speedMbps }) => (speedMbps === undefined ? undefined : (speedMbps * 1e6) / 8)],
  ["node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.", ({ isUp }) => isUp],
];
const DISK_ROWS: readonly Row<DiskSample>[] = [
  ["node_filesystem_size_bytes", "Filesystem size in bytes.", ({ totalBytes }) => totalBytes],
  ["node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", ({ freeBytes }) => freeBytes],
];
const PRESSURE = [
  ["cpu", "cpuPressure"],
  ["memory", "memoryPressure"],
  ["io", "ioPressure"],
] as const;

export function hostMetrics(hosts: readonly HostNow[]): readonly Metric[] {
  const parts = <T>(of: (sample: Sample) => Readonly<Record<string, T>>, label: string): readonly (readonly [Labels, T])[] =>
    hosts.flatMap(({ host, sample }) => Object.entries(of(sample)).map(([name, one]) => [{ host, [label]: name }, one] as const));
  const pressure = hosts.flatMap(({ host, sample }) =>
    PRESSURE.flatMap(([resource, key]) => {
      const value = share(sample.host[key]);
      return value === undefined ? [] : [{ labels: { host, resource }, value }];
    }),
  );
  return [
    ...HOST_ROWS.map((row) =>
      metric(
        row,
        hosts.map(({ host, sample }) => [{ host }, sample.host] as const),
      ),
    ),
    ...NET_ROWS.map((row) =>
      metric(
        row,
        parts(({ nets }) => nets, "device"),
      ),
    ),
    ...DISK_ROWS.map((row) =>
      metric(
        row,
        parts(({ disks }) => disks, "mountpoint"),
      ),
    ),
    { name: "nexadist_host_pressure_ratio", type: "gauge", help: "Share of the last 10 s in which some task waited for it", values: pressure },
  ];
}

function metric<T>([name, help, of, type]: Row<T>, all: readonly (readonly [Labels, T])[]): Metric {
  const values = all.flatMap(([labels, one]) => {
    const value = of(one);
    return value === undefined ? [] : [{ labels, value }];
  });
  return { name, help, type: type ?? "gauge", values };
}
