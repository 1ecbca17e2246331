/** Exit statuses of the CLI. */

export const EXIT = {
  ok: 0,
  runFailed: 1,
  usage: 2,
  config: 3,
  unreachable: 4,
  preflight: 5,
  version: 6,
  controllerLost: 7,
  timedOut: 8,
  stopped: 9,
  bug: 70,
} as const;
