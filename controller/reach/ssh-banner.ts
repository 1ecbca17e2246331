/** Banners: words that the far side sends while we connect. */

/** A banner with a URL asks a person to log in: Tailscale holds the connection up to 30 minutes for it. */
export const LOGIN_URL_MS = 10 * 60_000;

export const hasUrl = (text: string): boolean => /https?:\/\//.test(text);
