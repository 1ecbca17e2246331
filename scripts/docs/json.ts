/** docs/json.md: what --json prints, from the schemas that a test holds it against. */

import * as z from "zod";
import { JSON_DOCUMENTS } from "../../cluster/json/documents.ts";
import { cell, table } from "./markdown.ts";

type Node = {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly additionalProperties?: Node | boolean;
};

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

function typeWord(node: Node): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (node.anyOf !== undefined) return node.anyOf.map(typeWord).join(" or ");
  if (node.type === "array") return `list of ${node.items === undefined ? "anything" : typeWord(node.items)}`;
  if (node.type === "object" && node.properties === undefined && isNode(node.additionalProperties)) return `map of ${typeWord(node.additionalProperties)}`;
  return typeof node.type === "string" ? node.type : (node.type?.join(" or ") ?? "anything");
}

/** Each field below `path`, its own fields after it. */
function rowsOf(node: Node, path: string): readonly (readonly string[])[] {
  const inner = node.anyOf?.find(({ properties, type }) => properties !== undefined || type === "array") ?? node;
  if (inner.items !== undefined) return rowsOf(inner.items, `${path}[]`);
  const named = Object.entries(inner.properties ?? {}).flatMap(([name, field]) => {
    const key = path === "" ? name : `${path}.${name}`;
    const optional = inner.required?.includes(name) === true ? "" : ", or absent";
    return [[`\`${key}\``, cell(`${typeWord(field)}${optional}`), cell(field.description ?? "")], ...rowsOf(field, key)];
  });
  const each = isNode(inner.additionalProperties) && Object.keys(inner.additionalProperties).length > 0 ? rowsOf(inner.additionalProperties, `${path}.*`) : [];
  return [...named, ...each];
}

export const renderJson = (): string =>
  [
    "# What `--json` prints",
    "",
    "Made by `node scripts/gen-docs.ts` from `cluster/json/documents.ts`; a test holds what commands print against it.",
    "Every command takes `--json`: it prints a JSON object, or one a line where it tells as it goes, on stdout and nothing else. Other fields than these may come along and may change.",
    "",
    ...Object.entries(JSON_DOCUMENTS).flatMap(([name, { about, shape }]) => [
      `## ${name}`,
      "",
      about,
      "",
      table(["field", "type", "meaning"], rowsOf(z.toJSONSchema(shape) as Node, "")),
      "",
    ]),
  ].join("\n");
