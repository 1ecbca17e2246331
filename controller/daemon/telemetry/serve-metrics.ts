/** /metrics for Prometheus, where the file of a run that is driven asks for it: on the loopback alone, nothing else is answered. */

import { createServer, type Server } from "node:http";
import { Counter, Gauge, Registry } from "prom-client";
import { type Metric, metricsOf, type RunView } from "../../../cluster/telemetry/metrics.ts";
import type { LiveRun } from "../runs.ts";

export type MetricsServer = {
  /** From here on, until this controller ends. A port that cannot be had is told, and asked for again with the next run. */
  readonly want: (port: number | undefined, notice: (text: string) => void) => void;
  readonly close: () => void;
};

/** Whoever sits behind a name of the page's own (DNS rebinding) is no Prometheus. */
const OWN_NAMES = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

type Live = Pick<LiveRun, "driver" | "telemetry">;

export function serveMetrics(live: ReadonlyMap<string, Live>): MetricsServer {
  const servers = new Map<number, Server>();
  const want: MetricsServer["want"] = (port, notice) => {
    if (port === undefined || servers.has(port)) return;
    const server = createServer((request, response) => {
      if (request.method !== "GET" || request.url !== "/metrics" || !OWN_NAMES.test(request.headers.host ?? "")) {
        response.writeHead(404, { "content-type": "text/plain" }).end("/metrics is here, and nothing else\n");
        return;
      }
      formatMetrics(metricsOf([...live.values()].map(viewOf), Date.now())).then(
        ({ type, text }) => response.writeHead(200, { "content-type": type }).end(text),
        (error: unknown) => {
          console.error(error);
          response.writeHead(500).end();
        },
      );
    });
    servers.set(port, server);
    server.on("error", (error: NodeJS.ErrnoException) => {
      servers.delete(port);
      notice(`metrics: ${error.code === "EADDRINUSE" ? `another program has port ${port}` : error.message}; the run goes on without`);
    });
    server.listen(port, "127.0.0.1");
  };
  return {
    want,
    close: () => {
      for (const server of servers.values()) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

const viewOf = ({ driver, telemetry }: Live): RunView => ({
  state: driver.state(),
  hosts: telemetry.now(),
  totals: telemetry.totals(),
  pace: driver.pace()?.pace() ?? null,
});

/** A registry for each answer: no series outlives what it tells of. */
async function formatMetrics(metrics: readonly Metric[]): Promise<{ readonly type: string; readonly text: string }> {
  const registry = new Registry();
  for (const { name, help, type, values } of metrics) {
    const labelNames = [...new Set(values.flatMap(({ labels }) => Object.keys(labels)))];
    const config = { name, help, labelNames, registers: [registry] };
    if (type === "gauge") {
      const made = new Gauge(config);
      for (const { labels, value } of values) made.set(labels, value);
    } else {
      const made = new Counter(config);
      for (const { labels, value } of values) made.inc(labels, value);
    }
  }
  return { type: registry.contentType, text: await registry.metrics() };
}
