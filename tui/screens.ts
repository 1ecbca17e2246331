/** All screens in the order of their numbers. */

import { createLogPages } from "./log/ask-pages.ts";
import type { Reader } from "./reader.ts";
import type { Screen } from "./screen.ts";
import { createEventsScreen } from "./screens/events.ts";
import { createGpusScreen } from "./screens/gpus.ts";
import { createLogsScreen } from "./screens/logs.ts";
import { createOverviewScreen } from "./screens/overview.ts";
import { createRanksScreen } from "./screens/ranks.ts";
import { createRunsScreen } from "./screens/runs.ts";

export const allScreens = ({ ask, touch }: Pick<Reader, "ask" | "touch">): readonly Screen[] => [
  createOverviewScreen(),
  createLogsScreen(createLogPages(ask, touch)),
  createGpusScreen(),
  createRanksScreen(),
  createEventsScreen(),
  createRunsScreen(),
];
