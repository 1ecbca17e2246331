/** The small part that Ink is for: rows of text on the terminal, keys from it, and the terminal given to somebody else for a while. */

import { Box, render, Text, useApp, useInput, usePaste, useWindowSize } from "ink";
import { createElement as h, memo, type ReactNode, useSyncExternalStore } from "react";
import { chordsOf } from "./keymap.ts";
import type { Shell } from "./shell.ts";
import type { Store } from "./store.ts";
import { paint, type Theme } from "./theme.ts";

/** What Ink does for the rest. */
export type Terminal = ReturnType<typeof useApp>;

export type AppProps = {
  readonly shell: Shell;
  readonly store: Store;
  readonly theme: Theme;
  readonly isAscii: boolean;
  readonly onTerminal: (terminal: Terminal) => void;
};

/** Only rows that changed are drawn. */
const Row = memo(({ text }: { readonly text: string }): ReactNode => h(Text, { wrap: "truncate" }, text));

export { render };
export const drawApp = (props: AppProps): ReactNode => h(App, props);

function App({ shell, store, theme, isAscii, onTerminal }: AppProps): ReactNode {
  const { columns, rows } = useWindowSize();
  onTerminal(useApp());
  useSyncExternalStore(store.subscribe, store.snapshot);
  useSyncExternalStore(shell.subscribe, shell.version);
  useInput((input, key) => shell.press(chordsOf(input, key)));
  usePaste(shell.paste);
  const drawn: ReactNode[] = [];
  for (const line of shell.draw().slice(0, rows)) drawn.push(h(Row, { key: drawn.length, text: paint(line, theme, isAscii) }));
  return h(Box, { width: columns, height: rows, flexDirection: "column", overflow: "hidden" }, drawn);
}
