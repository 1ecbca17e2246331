/** A process that reaches a test sshd with the system's ssh, says so, and waits to be killed. Arguments: ssh_config, port. */

import { reach } from "./reach.ts";

const [config = "", port = ""] = process.argv.slice(2);
const transport = await reach({ config, port: Number(port) }, { driver: "ssh" });
console.log("connected");
await transport.closed;
