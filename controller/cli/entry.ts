#!/usr/bin/env node
/** The program: answers `version` and a shell's tab without loading more than that takes, else hands over to main. */

import { getSystemErrorMessage } from "node:util";
import { version } from "./version.ts";

const argv = process.argv.slice(2);
const first = argv[0] ?? "";
const isVersion = (first === "version" || first === "--version" || first === "-V") && argv.slice(1).every((word) => word === "--json");

// A reader that went away (`| head`) is no failure of ours; `up` then only detaches.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`nexadist: stdout cannot be written: ${error.errno === undefined ? error.message : getSystemErrorMessage(error.errno)}\n`);
  process.exit(1);
});
process.stderr.on("error", () => undefined);

if (isVersion) {
  process.stdout.write(argv.includes("--json") ? `${JSON.stringify({ schema: 1, version: version() })}\n` : `${version()}\n`);
} else if (first === "__complete") {
  const { complete } = await import("./complete.ts");
  await complete(argv.slice(argv[1] === "--" ? 2 : 1));
} else {
  const { main } = await import("./main.ts");
  const code = await main(argv);
  // Links and sockets may still be open: all that was said is flushed, then the process ends.
  await new Promise((resolve) => process.stdout.write("", resolve));
  await new Promise((resolve) => process.stderr.write("", resolve));
  process.exit(code);
}
