/** Writes configs/cluster.schema.json, which editors use, from the schema of the cluster file. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { clusterJsonSchema } from "../cluster/config/schema.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = `${root}configs/cluster.schema.json`;
writeFileSync(path, `${JSON.stringify(clusterJsonSchema(), null, 2)}\n`);
execFileSync(`${root}node_modules/.bin/biome`, ["format", "--write", path], { stdio: ["ignore", "ignore", "inherit"] });
