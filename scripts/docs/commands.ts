/** docs/commands.md and the README's command table from the command table of the CLI. */

import { COMMANDS, type CommandSpec, GLOBALS, type OptionSpec } from "../../controller/cli/commands.ts";
import { cell, table } from "./markdown.ts";

const usage = ({ name, args, takesRest }: CommandSpec): string =>
  ["nexadist", name, ...args.map(([argument]) => argument), ...(takesRest ? ["-- …"] : [])].join(" ").trim();

const optionTable = (options: readonly OptionSpec[]): string =>
  table(
    ["option", "meaning"],
    options.map(([flags, about, kind]) => [`\`${flags}\`${kind === "many" ? " (many)" : ""}`, cell(about)]),
  );

export const renderCommandTable = (): string =>
  table(
    ["command", "what it does"],
    COMMANDS.map((spec) => [`[\`${spec.name}\`](docs/commands.md#${spec.name.replaceAll(" ", "-")})`, cell(spec.about)]),
  );

function section(spec: CommandSpec): string {
  const args =
    spec.args.length === 0
      ? ""
      : `\n${table(
          ["argument", "meaning"],
          spec.args.map(([argument, about]) => [`\`${argument}\``, cell(about)]),
        )}\n`;
  const options = spec.options.length === 0 ? "" : `\n${optionTable(spec.options)}\n`;
  return `## ${spec.name}\n\n${spec.about}\n\n\`${usage(spec)}\`\n${args}${options}\n\`\`\`sh\n${spec.examples.join("\n")}\n\`\`\`\n`;
}

export const renderCommands = (): string => `<!-- Made by scripts/gen-docs.ts from controller/cli/commands.ts: change that and run it. -->

# Commands

What \`--json\` prints, field by field: [json.md](json.md).

Exit statuses and errors: [errors.md](errors.md). Every command also takes:

${optionTable(GLOBALS)}

${COMMANDS.map(section).join("\n")}`;
