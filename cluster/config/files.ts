/** What resolving a configuration asks of the disk; the caller gives it. */

export type FileText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string };

export type Files = {
  /** The text of a small file (UTF-8; refuses, in words, what is absent, too large, no file or no text). */
  readonly read: (path: string) => FileText;
  readonly isFile: (path: string) => boolean;
  /** Its mode lets somebody run it. */
  readonly isExecutable: (path: string) => boolean;
};
