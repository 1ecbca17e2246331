/** Where a rank is, in words: from the state of its process and its stacks. Frames of the user's own code name a place best. */

import type { Frame, ProcessLook, RankLook, Thread } from "./look.ts";

/** collective, backward, gpu: it may be waiting for the others. The rest is its own affair. */
export type PlaceKind = "collective" | "backward" | "gpu" | "data" | "code" | "stopped" | "debugger" | "disk" | "ended" | "gone" | "unknown";

export type Place = {
  readonly kind: PlaceKind;
  /** all_reduce, load: the function that says most. "": none is known. */
  readonly what: string;
  /** train.py:120; "": not known. */
  readonly where: string;
  /** After "rank 5 on b". */
  readonly text: string;
};

const WAITING: ReadonlySet<PlaceKind> = new Set<PlaceKind>(["collective", "backward", "gpu"]);
export const isWaiting = ({ kind }: Place): boolean => WAITING.has(kind);

const isLibrary = ({ file }: Frame): boolean => /\/(?:site|dist)-packages\/|\/lib(?:64)?\/python\d\.\d+\/|^<|^[\w.]+$/.test(file) && !/^[\w-]+\.py$/.test(file);
const isCollective = ({ file }: Frame): boolean => /\/torch\/(?:distributed\/|nn\/parallel\/distributed\.py$)/.test(file);
/** Wraps every collective and says nothing itself. */
const isWrapper = ({ file, fn }: Frame): boolean => file.endsWith("/c10d_logger.py") || fn === "wrapper";
const isBackward = ({ file, fn }: Frame): boolean => file.endsWith("/torch/autograd/graph.py") || (fn === "backward" && /\/torch\//.test(file));
const isGpuWait = ({ file, fn }: Frame): boolean => /\/torch\/cuda\//.test(file) && /^(?:synchronize|wait)/.test(fn);
const isData = ({ file }: Frame): boolean => /\/torch\/utils\/data\//.test(file);

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const spot = (frame: Frame | undefined): string => (frame === undefined ? "" : `${baseName(frame.file)}:${frame.line}`);

export const mainThread = ({ threads }: ProcessLook): Thread | undefined => threads.find(({ isMain }) => isMain) ?? threads[0];

export function placeOf(rank: RankLook): Place {
  const { main } = rank;
  if (main === null) return { kind: "gone", what: "", where: "", text: "is not there any more" };
  const spoken = byState(main);
  if (spoken !== null) return spoken;
  const [best = main] = [main, ...rank.others].filter((process) => (mainThread(process)?.frames.length ?? 0) > 0);
  const place = byFrames(mainThread(best)?.frames ?? []);
  if (place === null) return unread(main);
  if (place.kind === "data") return withWorker(place, rank.others);
  return place.kind === "code" ? { ...place, text: `${place.text}${main.cpus > 0.5 ? `, using ${Math.round(main.cpus * 100)}% CPU` : ""}` } : place;
}

/** What holds whatever it was doing; null: it may go on by itself. */
function byState({ state, wchan }: ProcessLook): Place | null {
  switch (state[0]) {
    case "T":
      return { kind: "stopped", what: "", where: "", text: "is stopped (SIGSTOP; kill -CONT lets it go on)" };
    case "t":
      return { kind: "debugger", what: "", where: "", text: "is held by a debugger" };
    case "Z":
    case "X":
      return { kind: "ended", what: "", where: "", text: "has ended, and its parent has not noticed" };
    case "D":
      return {
        kind: "disk",
        what: wchan,
        where: "",
        text: `waits in the kernel and cannot be woken${wchan === "" ? "" : ` (${wchan})`}: a disk, a network mount or a driver`,
      };
    default:
      return null;
  }
}

/** Innermost first. null: there are none. */
function byFrames(frames: readonly Frame[]): Place | null {
  const [inner] = frames;
  if (inner === undefined) return null;
  const own = frames.find((frame) => !isLibrary(frame));
  const where = spot(own ?? inner);
  const at = (what: string): string => (own === undefined || what === "" ? `${what === "" ? "" : `${what}, `}${where}` : `${what} (${where})`);
  const above = frames.slice(0, own === undefined ? frames.length : frames.indexOf(own));
  const collective = above.filter((frame) => isCollective(frame) && !isWrapper(frame)).at(-1);
  if (above.some(isBackward)) return { kind: "backward", what: "backward", where, text: `is in ${at("backward")}` };
  if (collective !== undefined && !above.some(isData)) return { kind: "collective", what: collective.fn, where, text: `is in ${at(collective.fn)}` };
  if (above.some(isGpuWait)) return { kind: "gpu", what: "synchronize", where, text: `waits for its GPU in ${at("synchronize")}` };
  if (above.some(isData)) return { kind: "data", what: "data loader", where, text: `waits for its data loader in ${where}` };
  return { kind: "code", what: (own ?? inner).fn, where, text: `is in ${where} (${(own ?? inner).fn})` };
}

/** A worker that is in the user's code is what the rank waits for. */
function withWorker(place: Place, workers: readonly ProcessLook[]): Place {
  for (const worker of workers) {
    const spoken = byState(worker);
    const frame = mainThread(worker)?.frames.find((one) => !isLibrary(one));
    if (spoken !== null && spoken.kind !== "ended") return { ...place, text: `${place.text}, whose worker ${worker.pid} ${spoken.text}` };
    if (frame !== undefined && spot(frame) !== place.where) {
      return { ...place, what: frame.fn, text: `${place.text}, whose worker ${worker.pid} is in ${spot(frame)} (${frame.fn})` };
    }
  }
  return place;
}

function unread({ cpus, wchan, why }: ProcessLook): Place {
  const doing = cpus > 0.5 ? `uses ${Math.round(cpus * 100)}% CPU` : `sleeps${wchan === "" ? "" : ` (${wchan})`}`;
  return { kind: "unknown", what: "", where: "", text: `${doing}; its stack cannot be read${why === "" ? "" : `: ${why}`}` };
}
