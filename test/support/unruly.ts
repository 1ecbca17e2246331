/** Programs that make stopping hard, in plain Python: nothing of them needs torch. */

/**
 * A rank that ignores SIGTERM and has children that hide: a daemon (double fork, session of its own), one that renamed itself, one whose
 * environment is empty, and one that forks again whenever it is told to end. It prints all their PIDs once they are there. It stays until its
 * host has a file /tmp/leave, and exits with the status that is in it; its children stay.
 */
export const UNRULY = `import ctypes, json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
r, w = os.pipe()
def say(kind): os.write(w, f"{kind} {os.getpid()}\\n".encode())
def wait():
    while True: time.sleep(1)
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            say("daemon"); wait()
        os._exit(0)
def renamed():
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"kworker/0:0", 0, 0, 0)
        say("renamed"); wait()
def bare():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            code = f"import os,signal,time;signal.signal(15,signal.SIG_IGN);os.write({w},f'bare {{os.getpid()}}\\\\n'.encode());time.sleep(3600)"
            os.set_inheritable(w, True)
            os.execve(sys.executable, ["sshd: root@notty", "-c", code], {})
        os._exit(0)
def hydra():
    if os.fork() == 0:
        os.setsid()
        def again(*_):
            if os.fork() == 0: say("head")
        signal.signal(signal.SIGTERM, again)
        say("hydra"); wait()
for start in (daemon, renamed, bare, hydra): start()
told = b""
while told.count(b"\\n") < 4: told += os.read(r, 4096)
pids = dict(line.split() for line in told.decode().splitlines())
pids["rank"] = os.getpid()
print(json.dumps(pids), flush=True)
while not os.path.exists("/tmp/leave"): time.sleep(0.1)
sys.exit(int(open("/tmp/leave").read() or "0"))
`;

/** Looks like a rank of ours from afar and is not. */
export const BYSTANDER = `import os, time
print(os.getpid(), flush=True)
time.sleep(3600)
`;

/** Saves for the given seconds when it is told to end, and says so; a second SIGTERM is counted. */
export const SAVER = `import os, signal, sys, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
seconds = float(sys.argv[1])
failing = sys.argv[2:] == ["fail"] and os.environ["RANK"] == "0"
print("ready", flush=True)
if failing:
    time.sleep(1.5)
    print("Traceback (most recent call last):\\n  the seventh batch is not a number", file=sys.stderr, flush=True)
    sys.exit(7)
while not told: time.sleep(0.02)
end = time.monotonic() + seconds
while time.monotonic() < end: time.sleep(0.05)
print("saved, told", len(told), flush=True)
sys.exit(0)
`;
