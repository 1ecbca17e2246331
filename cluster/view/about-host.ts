/** A sentence about a host, with its name once in front; many errors begin with it already. */

import { sanitiseWord } from "../sanitise.ts";

export const aboutHost = (host: string, text: string): string => `${sanitiseWord(host)}: ${withoutHost(host, text)}`;

/** "gpu-a: gpu-a has no python" says it twice too. */
export function withoutHost(host: string, text: string): string {
  let rest = text;
  while (host !== "" && (rest.startsWith(`${host}: `) || rest.startsWith(`${host} `))) rest = rest.slice(host.length).replace(/^:? +/, "");
  return sanitiseWord(rest);
}
