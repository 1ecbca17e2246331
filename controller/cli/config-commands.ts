/** Mounts the `config` commands. */

import type { Run } from "./commands.ts";
import { type ConfigIo, type ConfigOptions, configSchema, configShow, configValidate } from "./config.ts";
import type { Context } from "./context.ts";

const ioOf = (context: Context): ConfigIo => ({
  stdout: context.print,
  stderr: (line) => void process.stderr.write(`${line}\n`),
  env: context.env,
  cwd: context.cwd,
});

const optionsOf = (context: Context, file: unknown, set: unknown): ConfigOptions => ({
  file: typeof file === "string" ? file : context.cluster,
  set: Array.isArray(set) ? set.map(String) : [],
  json: context.json,
});

export const show: Run = (context, [file], options) => configShow({ ...optionsOf(context, file, options.set), origin: options.origin === true }, ioOf(context));
export const validate: Run = (context, [file], options) => configValidate(optionsOf(context, file, options.set), ioOf(context));
export const schema: Run = (context) => configSchema({ json: context.json }, ioOf(context));
