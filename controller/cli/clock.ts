/** Local time of day, as log lines show it. */

const two = (n: number): string => String(n).padStart(2, "0");

export function clock(at: number): string {
  const t = new Date(at);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}
