/** Which files of an attempt are log streams, and their names on the wire: "a1/rank3.out". Pure. */

const STREAM = /^(rank\d+\.(out|err|nccl)|launcher\.(out|err))$/;

export const isStream = (file: string): boolean => STREAM.test(file);

/** Attempt and file of a stream's name; null for anything else, so that no name from a wire becomes a path. */
export function parseStream(name: string): { readonly attempt: number; readonly file: string } | null {
  const match = /^a(\d{1,9})\/(.+)$/.exec(name);
  const file = match?.[2];
  return match === null || file === undefined || !isStream(file) ? null : { attempt: Number(match[1]), file };
}
