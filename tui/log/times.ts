/** When a line came, by the controller's clock: hosts whose clocks differ do not matter. */

export type TimeFormat = "local" | "UTC" | "since start" | "none";
export const TIME_FORMATS = ["local", "UTC", "since start", "none"] as const satisfies readonly TimeFormat[];

const two = (n: number): string => String(n).padStart(2, "0");

/** Always as wide: 8, 9, 9 and 0 columns. */
export function formatTime(at: number, format: TimeFormat, start: number): string {
  if (format === "none") return "";
  const date = new Date(at);
  if (format === "UTC") return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}Z`;
  if (format === "local") return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const seconds = Math.max(0, Math.floor((at - start) / 1000));
  const hours = Math.floor(seconds / 3600);
  const text = hours < 100 ? `+${hours}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}` : `+${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
  return text.padStart(9);
}
