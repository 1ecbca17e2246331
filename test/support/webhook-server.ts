/** A real HTTP server that takes webhooks, as badly as a test wants. */

import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export type Posted = { readonly id: string; readonly event: string; readonly text: string } & Readonly<Record<string, unknown>>;

export type WebhookServer = {
  readonly url: string;
  /** Bodies of requests that were answered with 2xx. */
  readonly taken: Posted[];
  /** How each request that came was answered. */
  readonly answers: (number | "hung")[];
  /** The next answers; afterwards 204. */
  readonly answerWith: (...next: readonly (number | "hang")[]) => void;
  /** It takes no connections any more, and those that hang are cut; open again on the same port. */
  readonly shut: () => Promise<void>;
  readonly open: () => Promise<void>;
};

export async function serveWebhooks(t: Pick<TestContext, "after">, path = "/hook/token-7c1d"): Promise<WebhookServer> {
  const taken: Posted[] = [];
  const answers: (number | "hung")[] = [];
  const next: (number | "hang")[] = [];
  const hung = new Set<ServerResponse>();
  let server: Server | null = null;
  let port = 0;
  const open = async (): Promise<void> => {
    server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        const answer = request.url === path && request.method === "POST" ? (next.shift() ?? 204) : 404;
        answers.push(answer === "hang" ? "hung" : answer);
        if (answer === "hang") return void hung.add(response);
        if (answer < 300) taken.push(JSON.parse(body) as Posted);
        response.writeHead(answer, answer === 302 ? { location: "http://127.0.0.1:1/elsewhere" } : {}).end();
      });
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const shut = async (): Promise<void> => {
    const closing = server;
    server = null;
    if (closing === null) return;
    closing.closeAllConnections();
    await new Promise((resolve) => closing.close(resolve));
  };
  await open();
  t.after(shut);
  return { url: `http://127.0.0.1:${port}${path}`, taken, answers, answerWith: (...more) => void next.push(...more), shut, open };
}
