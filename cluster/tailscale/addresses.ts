/** Addresses that tailscale gives: 100.64.0.0/10 (others use it too, behind carriers) and fd7a:115c:a1e0::/48. */

export function isTailnetAddress(address: string): boolean {
  if (/^fd7a:115c:a1e0:/i.test(address)) return true;
  const [, second] = /^100\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(address) ?? [];
  return second !== undefined && Number(second) >= 64 && Number(second) <= 127;
}
