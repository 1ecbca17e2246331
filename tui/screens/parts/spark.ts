/** How a number went, on a scale that is given: noise of something that stands still is not drawn as if it moved. */

import { glyphsOf } from "../../glyphs.ts";

/** The mean of each of `columns` stretches; fewer values are drawn as they are. A value that is not known leaves a blank. */
export function sparkOn(values: readonly (number | undefined)[], columns: number, least: number, most: number, isAscii: boolean): string {
  const { spark } = glyphsOf(isAscii);
  return stretches(values, columns)
    .map((value) => {
      if (value === undefined) return " ";
      const share = most > least ? (value - least) / (most - least) : 0;
      return spark[Math.max(0, Math.min(spark.length - 1, Math.floor(share * spark.length)))] ?? " ";
    })
    .join("");
}

function stretches(values: readonly (number | undefined)[], columns: number): readonly (number | undefined)[] {
  if (columns <= 0) return [];
  if (values.length <= columns) return values;
  return Array.from({ length: columns }, (_, k) => {
    const part = values
      .slice(Math.floor((k * values.length) / columns), Math.floor(((k + 1) * values.length) / columns))
      .filter((value) => value !== undefined);
    return part.length === 0 ? undefined : part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
