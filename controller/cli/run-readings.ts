/** Asks the controller for the present samples of a run's hosts. */

import type { Point } from "../../cluster/telemetry/sample.ts";
import type { HostReading } from "../../cluster/view/host-telemetry.ts";
import { RATES_MS, readingsOf } from "../../cluster/view/readings.ts";
import type { SamplesAnswer } from "../../cluster/viewer.ts";
import type { Client } from "./client.ts";

export type RunReadings = SamplesAnswer & { readonly readings: readonly HostReading[] };

export async function readSamples(client: Client, run: string): Promise<RunReadings> {
  const items = client.stream({ ask: "samples", run, since: Date.now() - RATES_MS });
  const points = new Map<string, Point[]>();
  for (;;) {
    const { done, value } = await items.next();
    if (done === true) {
      const answer = value as SamplesAnswer;
      return { ...answer, readings: readingsOf(answer, points) };
    }
    if (value.kind === "sample") points.set(value.host, [...(points.get(value.host) ?? []), value.point]);
  }
}
