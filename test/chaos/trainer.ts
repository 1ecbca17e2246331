/** The trainer of the chaos runs: coupled ranks that save, whose every log byte is known, and that note on their own disk what they wrote and when. */

/**
 * Lines of LINE bytes, numbered. Each rank keeps `first last size pid begin` of its attempt in ~/chaos/RUN-ATTEMPT-RANK: times of the first and the last
 * step, bytes written, process, the step that it began after. A file ~/chaos/raise-RANK or ~/chaos/exit-RANK makes it fail once.
 */
export const TRAINER = `import os, sys, time
import torch, torch.distributed as dist

dist.init_process_group("gloo")
rank, base = dist.get_rank(), os.path.expanduser("~/chaos")
os.makedirs(base, exist_ok=True)
note = os.open(f"{base}/{os.environ['NEXADIST_RUN']}-{os.environ['NEXADIST_ATTEMPT']}-{rank}", os.O_RDWR | os.O_CREAT, 0o600)
saves, found = os.environ["NEXA_CHECKPOINTS"], os.environ.get("NEXADIST_CHECKPOINT")
step = begin = int(torch.load(found)["step"]) if found else 0
first, lines = None, 0

def is_asked(what):
    path = f"{base}/{what}-{rank}"
    if not os.path.exists(path): return False
    os.unlink(path)
    return True

while True:
    dist.all_reduce(torch.ones(1))
    step += 1
    line = b"step=%012d %s\\n" % (lines, b"z" * 45)
    while line: line = line[os.write(1, line):]
    lines += 1
    first = first or time.time()
    os.pwrite(note, b"%.3f %.3f %12d %8d %8d" % (first, time.time(), lines * 64, os.getpid(), begin), 0)
    if is_asked("raise"): raise RuntimeError("chaos asked for it")
    if is_asked("exit"): os._exit(137)
    if step % 5 == 0 and os.environ["LOCAL_RANK"] == "0":
        try:
            os.makedirs(saves, exist_ok=True)
            torch.save({"step": step}, f"{saves}/part")
            os.replace(f"{saves}/part", f"{saves}/chaos-step_{step}.pt")
            if step > 10 and os.path.exists(old := f"{saves}/chaos-step_{step - 10}.pt"): os.unlink(old)
        except (OSError, RuntimeError): pass  # torch's word for a full disk, too; the checkpoint before is there
    time.sleep(0.1)
`;

export const LINE = 64;
const lineOf = (n: number): string => `step=${String(n).padStart(12, "0")} ${"z".repeat(45)}\n`;

/** What TRAINER writes from byte `from` to byte `to`. */
export function expected(from: number, to: number): Buffer {
  const first = Math.floor(from / LINE);
  const lines = Array.from({ length: Math.max(0, Math.ceil(to / LINE) - first) }, (_, k) => lineOf(first + k));
  return Buffer.from(lines.join("")).subarray(from - first * LINE, to - first * LINE);
}

export type Note = { readonly firstAt: number; readonly lastAt: number; readonly size: number; readonly pid: number; readonly begin: number };

/** null: it has not stepped yet. */
export function readNote(text: string): Note | null {
  const [first, last, size, pid, begin] = text.trim().split(/\s+/).map(Number);
  if (begin === undefined || size === undefined || pid === undefined || size === 0) return null;
  return { firstAt: (first ?? 0) * 1000, lastAt: (last ?? 0) * 1000, size, pid, begin };
}
