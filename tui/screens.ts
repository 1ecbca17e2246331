/** All screens in the order of their numbers. */

import { createLogPages } from "./log/ask-pages.ts";
import type { Reader } from "./reader.ts";
import type { Screen } from "./screen.ts";
import { createLogsScreen } from "./screens/logs.ts";
import { createOverviewScreen } from "./screens/overview.ts";

export const allScreens = (reader: Reader): readonly Screen[] => [createOverviewScreen(), createLogsScreen(createLogPages(reader.ask, reader.touch))];
