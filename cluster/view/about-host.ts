/** A sentence about a host, with its name once in front; many errors begin with it already. */

import { sanitiseWord } from "../sanitise.ts";

export const aboutHost = (host: string, text: string): string => `${sanitiseWord(host)}: ${withoutHost(host, text)}`;

export const withoutHost = (host: string, text: string): string => sanitiseWord(text.startsWith(`${host}: `) ? text.slice(host.length + 2) : text);
