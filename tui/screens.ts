/** All screens in the order of their numbers. */

import { createLogPages } from "./log/ask-pages.ts";
import { createNcclLog } from "./nccl-log.ts";
import type { Reader } from "./reader.ts";
import type { Screen } from "./screen.ts";
import { createEventsScreen } from "./screens/events.ts";
import { createGpusScreen } from "./screens/gpus.ts";
import { createLogsScreen } from "./screens/logs.ts";
import { createNcclScreen } from "./screens/nccl.ts";
import { createOverviewScreen } from "./screens/overview.ts";
import { createRanksScreen } from "./screens/ranks.ts";
import { createRunsScreen } from "./screens/runs.ts";

export const allScreens = ({ ask, touch }: Pick<Reader, "ask" | "touch">): readonly Screen[] => [
  createOverviewScreen(),
  createLogsScreen(createLogPages(ask, touch)),
  createGpusScreen(),
  createRanksScreen(),
  createNcclScreen(createNcclLog(ask, touch)),
  createEventsScreen(),
  createRunsScreen(),
];
