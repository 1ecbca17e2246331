/** The pictures of docs/tui.md: what the screens really draw of the stories that their tests tell. */

import { logStory } from "../../test/tui/support/log-stories.ts";
import * as stories from "../../test/tui/support/stories.ts";
import { frameOf } from "../../tui/frame.ts";
import type { Model } from "../../tui/model.ts";
import type { ScreenId } from "../../tui/screen.ts";
import { allScreens } from "../../tui/screens.ts";
import { pictureOf } from "./picture.ts";

type Picture = {
  readonly name: string;
  readonly about: string;
  readonly screen: ScreenId;
  readonly size: readonly [columns: number, rows: number];
  readonly model: () => Model;
};

export const PICTURES: readonly Picture[] = [
  { name: "overview", about: "Overview, 80x24: a healthy run of four hosts", screen: "overview", size: [80, 24], model: stories.healthy },
  {
    name: "overview-wide",
    about: "Overview, 120x40: one GPU is slower than its peers, and the others wait for it",
    screen: "overview",
    size: [120, 40],
    model: stories.slowGpu,
  },
  { name: "coming-up", about: "Overview while a run comes up: what each host is doing", screen: "overview", size: [80, 24], model: stories.comingUp },
  {
    name: "recovering",
    about: "Overview while a run recovers: why, what was decided, and when it goes on",
    screen: "overview",
    size: [80, 24],
    model: stories.recovering,
  },
  { name: "many-hosts", about: "Overview of 64 hosts: the healthy ones are folded", screen: "overview", size: [120, 40], model: stories.many },
  { name: "logs", about: "Logs of all ranks, merged by time", screen: "logs", size: [120, 30], model: logStory },
  { name: "gpus", about: "GPUs: each beside its peers", screen: "gpus", size: [120, 40], model: stories.slowGpu },
  { name: "ranks", about: "Ranks: phase, step, deviation, last line", screen: "ranks", size: [120, 30], model: stories.slowGpu },
  { name: "events", about: "Events of a run that failed: the root cause on top, the finding beside", screen: "events", size: [120, 30], model: stories.failed },
];

export const pathOf = (name: string): string => `docs/tui/${name}.svg`;

/** Pictures show the times of where they were told. */
function inUtc<T>(draw: () => T): T {
  const { TZ } = process.env;
  process.env.TZ = "UTC";
  try {
    return draw();
  } finally {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  }
}

export const pictures = (): { readonly path: string; readonly text: string }[] =>
  PICTURES.map(({ name, about, screen: id, size: [columns, rows], model }) => {
    const screens = allScreens({ ask: () => new Promise(() => undefined), touch: () => undefined }); // nothing is asked of a picture
    const screen = screens.find((each) => each.id === id);
    if (screen === undefined) throw new Error(`no screen ${id}`);
    const frame = inUtc(() => frameOf(model(), { screens, screen, modal: null, message: null }, { columns, rows }, false));
    return { path: pathOf(name), text: pictureOf(frame, columns, about) };
  });
