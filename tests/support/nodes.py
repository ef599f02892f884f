"""nodes - start real lpd processes on free ports of 127.0.0.1, and end them by their pids.  For e2e tests and bench."""
import fcntl
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "release"
LPD = os.environ.get("LPD", str(BUILD / "lpd"))


taken = []      # locks of ports, held for as long as this script runs: others run beside it


def reserve(port):
    """False: another script means to use it, though nobody listens there yet."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"lpd-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = open(folder / str(port), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    taken.append(lock)
    return True


def free_port():
    """Below those that the kernel gives to connections going out: one of them might be there before the node is."""
    for port in random.sample(range(16000, 32000), 200):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue        # somebody has it
        if reserve(port):
            return port
    raise RuntimeError("no port is free")


def answers(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_for(true, words, seconds=20.0, pause=0.01):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:.0f} s for {words}")
        time.sleep(pause)


def ask(url, body=None, headers=None, method=None, timeout=30):
    """(status, headers, body) of one request; no status is an exception."""
    data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if isinstance(body, (dict, list)):
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def each(names, nodes, *more):
    """Call every function of a script whose first argument is `nodes`; its name is what the test says.  True: one failed."""
    bad = False
    for name, test in list(names.items()):
        code = getattr(test, "__code__", None)
        if not code or code.co_argcount != 1 + len(more) or code.co_varnames[0] != "nodes":
            continue
        try:
            test(nodes, *more)
            print("ok", name.replace("_", " "), flush=True)
        except Exception:  # noqa: BLE001    (any fault is this test's)
            bad = True
            traceback.print_exc(file=sys.stdout)
            print("not ok", name.replace("_", " "), flush=True)
    if bad:
        for log in sorted(nodes.folder.glob("*.log")):
            print(f"{log.name}:", *log.read_text(errors="replace").splitlines()[-30:], sep="\n  ")
    return bad


class Processes:
    """Started together, ended together: a context.  Logs go to the folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.all = []

    def start(self, name, *command, **more):
        log = open(self.folder / f"{name}.log", "a")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   stdout=more.get("stdout", log), stderr=log, text=True,
                                   env={**os.environ, **more.get("env", {})})
        self.all.append((name, process))
        return process

    def check(self):
        for name, process in self.all:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: see {self.folder}/{name}.log")

    def end(self, process):
        """Its exit status after SIGTERM."""
        self.all = [row for row in self.all if row[1] is not process]
        process.terminate()
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, process in self.all:
            process.terminate()
        for _, process in reversed(self.all[:]):
            self.end(process)


PIPELINES = ("text-to-image", "upscale", "llm", "image-to-image", "segment-anything-2", "image-to-text", "text-to-speech",
             "image-to-video", "audio-to-text")


class Pair(Processes):
    """An orchestrator that offers what a runner has, and a gateway that asks it.  entry: more of each in aiModels.json;
    models: the whole of that file instead."""

    def __init__(self, folder, runner_port, capacity=100, options=(), pipelines=PIPELINES, models=None, **entry):
        super().__init__(folder)
        models = models or [{"pipeline": pipeline, "model_id": "test", "url": f"http://127.0.0.1:{runner_port}", "warm": True,
                   "capacity": capacity, **entry} for pipeline in pipelines]
        (self.folder / "aiModels.json").write_text(json.dumps(models))
        self.service, self.http = free_port(), free_port()
        self.cli = {"gateway": free_port(), "orchestrator": free_port()}
        self.options = options
        self.url = f"http://127.0.0.1:{self.http}"
        self.orchestrator = self.start_orchestrator()
        self.meet_runners()
        self.gateway = self.start_gateway()
        wait_for(lambda: self.ready("gateway"), "the gateway to be ready")

    def node(self, role, *options):
        return self.start(role, LPD, "-mode", role, "-cliAddr", f"127.0.0.1:{self.cli[role]}", "-dataDir",
                          self.folder / role, *self.options, *options)

    def start_orchestrator(self):
        return self.node("orchestrator", "-serviceAddr", f"127.0.0.1:{self.service}", "-aiModels",
                         self.folder / "aiModels.json")

    def start_gateway(self):
        return self.node("gateway", "-orchAddr", f"127.0.0.1:{self.service}", "-httpAddr", f"127.0.0.1:{self.http}")

    def meet_runners(self):
        """A gateway that asks before the orchestrator knows its runners is told of none, and believes it for two seconds."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            time.sleep(0.01)
            self.check()
            try:
                runners = json.loads(ask(f"http://127.0.0.1:{self.cli['orchestrator']}/status", timeout=2)[2])["orchestrator"]["runners"]
            except (OSError, ValueError):
                continue
            if all(runner["state"] != "starting" for runner in runners):
                return

    def ready(self, role):
        self.check()
        try:
            return ask(f"http://127.0.0.1:{self.cli[role]}/readyz", timeout=2)[0] == 200
        except OSError:
            return False
