#!/usr/bin/env python3
"""test_hostile_reload - SIGHUP by the hundred while jobs run and what is read again is broken, huge, missing, a folder, a
pipe that nobody writes to, or swapped in mid-write; SIGHUP in the drain, SIGTERM in a reload.

No job is dropped, no look at /healthz waits long, and memory and descriptors stay where they were.  Each function is a
test; its name is what it says."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hostile import SANITIZED, GoodRunner, Watch, job, rss  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402

MB = 1 << 20
STORM = 300


class Load:
    """Jobs all the time, and looks at both nodes; what went wrong is in `bad`, the longest look in `longest`."""

    def __init__(self, nodes, clients=4):
        self.nodes, self.bad, self.done, self.longest, self.over = nodes, [], 0, 0, threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)] + [threading.Thread(target=self.look)]

    def work(self):
        while not self.over.is_set():
            try:
                status, _, body = ask(f"{self.nodes.url}/text-to-image", job(), timeout=20)
            except (OSError, http.client.HTTPException) as e:
                status, body = 0, e
            self.done += status == 200
            if status != 200:
                self.bad.append((status, body))

    def look(self):
        while not self.over.is_set():
            for role, port in self.nodes.cli.items():
                began = time.monotonic()
                ask(f"http://127.0.0.1:{port}/healthz", timeout=20)
                self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.02)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def strange(path, n):
    """The n-th strange thing that stands where a file should."""
    kinds = [lambda: path.write_bytes(b""), lambda: path.write_bytes(b"\0" * 5000), lambda: path.write_bytes(os.urandom(5000)),
             lambda: path.write_bytes(b"[" * 100000), lambda: path.write_bytes(b'{"a":' * 5000), lambda: path.write_bytes(b"x" * (20 * MB)),
             lambda: path.write_bytes(b"\n" * MB), path.mkdir, lambda: os.mkfifo(path), lambda: None, lambda: path.symlink_to(path.name),
             lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to("/dev/null"), lambda: path.write_bytes(b"[" + b"{}," * 50000 + b"{}]")]
    remove(path)
    kinds[n % len(kinds)]()


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def put(path, data):
    remove(path)
    path.write_bytes(data)


def hup(nodes, n=1):
    for _ in range(n):
        for process in nodes.orchestrator, nodes.gateway:
            process.send_signal(signal.SIGHUP)


def storm(nodes, path, good, seconds=5):
    """`path` goes from strange to good to half written and back, as fast as signals go."""
    with Load(nodes) as load:
        end = time.monotonic() + seconds
        for n in range(STORM):
            if time.monotonic() > end:
                break
            strange(path, n)
            hup(nodes)
            time.sleep(0.005)
            put(path, good[:random.randrange(len(good))])
            hup(nodes)
            put(path, good)
            hup(nodes)
            time.sleep(0.005)
    put(path, good)
    assert not load.bad and load.done > 10, (load.bad[:3], load.done)
    assert load.longest < (10 if SANITIZED else 3), load.longest


def models(nodes):
    return nodes.folder / "aiModels.json"


def strange_lists_of_models_change_nothing(nodes, watch):
    path = models(nodes)
    storm(nodes, path, path.read_bytes())


def a_pipe_that_nobody_writes_to_holds_up_nobody(nodes, watch):
    for path in models(nodes), nodes.folder / "node.conf", nodes.folder / "orchestrator" / "cert.pem":
        good = path.read_bytes()
        remove(path)
        os.mkfifo(path)
        hup(nodes)
        time.sleep(0.2)
        try:
            for port in nodes.cli.values():
                assert ask(f"http://127.0.0.1:{port}/healthz", timeout=5)[0] == 200
        finally:
            put(path, good)
            hup(nodes)


def deadlines_with_a_mistake_stay_as_they_were(nodes, watch):
    path = nodes.folder / "node.conf"
    good = path.read_bytes()
    put(path, b"pipelineTimeouts text-to-image=1s\n")
    hup(nodes)
    time.sleep(0.3)
    put(path, b"pipelineTimeouts text-to-image=never\n")
    hup(nodes)
    time.sleep(0.3)
    RUNNER.gate.clear()
    began = time.monotonic()
    status = ask(f"{nodes.url}/text-to-image", job("wait for it"))[0]
    RUNNER.gate.set()
    assert status == 504 and time.monotonic() - began < 5, (status, time.monotonic() - began)
    put(path, good)
    hup(nodes)
    watch.good()        # it was suspended for being slow


def strange_option_files_change_nothing(nodes, watch):
    storm(nodes, nodes.folder / "node.conf", b"# nothing\nlogLevel info\n")


def strange_certificates_change_nothing(nodes, watch):
    for name in "cert.pem", "key.pem":
        path = nodes.folder / "orchestrator" / name
        storm(nodes, path, path.read_bytes(), 3)


def memory_stays_where_it_was(nodes, watch):
    def storm_of_nothing(n):
        for _ in range(n):
            hup(nodes)
            time.sleep(0.004)
        wait_for(lambda: ask(f"{nodes.url}/text-to-image", job())[0] == 200, "a job", 10, 0.1)
    storm_of_nothing(100)
    before = {role: rss(process) for role, process in watch.both()}
    storm_of_nothing(500)
    for role, process in watch.both():
        assert rss(process) < before[role] + (40 if SANITIZED else 3), (role, before[role], rss(process))


def models_that_come_and_go_are_forgotten(nodes, watch):
    path, runner = models(nodes), json.loads(models(nodes).read_text())
    good = path.read_bytes()
    with Load(nodes) as load:
        for n in range(100):
            path.write_text(json.dumps(runner + [{**runner[0], "model_id": f"other-{n}-{k}", "url": "http://127.0.0.1:1"} for k in range(20)]))
            hup(nodes)
            time.sleep(0.02)
    put(path, good)
    hup(nodes)
    assert not load.bad, load.bad[:3]
    wait_for(lambda: len(watch.status("orchestrator")["orchestrator"]["runners"]) == len(runner), "the others to go", 5)


def log_levels_change_in_a_storm(nodes, watch):
    words = ["broken", "trace", "info", "debug", "unusual", "0", "6", "7", "-1", "x" * 900, "%00", "info%0Aforged", "%1b[2J", "", "INFO"]
    with Load(nodes, 2) as load, concurrent.futures.ThreadPoolExecutor(4) as pool:
        def one(n):
            port = list(nodes.cli.values())[n % 2]
            return ask(f"http://127.0.0.1:{port}/setLogLevel", f"loglevel={words[n % len(words)]}".encode(), method="POST")[0]
        statuses = set(pool.map(one, range(300)))
        hup(nodes)
    assert statuses == {200, 400} and not load.bad, (statuses, load.bad[:3])
    for port in nodes.cli.values():
        assert ask(f"http://127.0.0.1:{port}/setLogLevel", b"loglevel=info", method="POST")[0] == 200


def a_node_told_to_stop_in_a_storm_finishes_its_jobs(nodes, watch):
    """And takes no notice of what is said to it then."""
    runner = RUNNER
    for n in range(4):
        runner.gate.clear()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(ask, f"{nodes.url}/text-to-image", job("wait for it")) for _ in range(3)]
            wait_for(lambda: not watch.idle(), "the jobs to run")
            time.sleep(0.1)
            process = nodes.gateway if n % 2 else nodes.orchestrator
            for k in range(60):
                process.send_signal(signal.SIGTERM if k == 30 else signal.SIGHUP)
            for _ in range(20):
                time.sleep(0.01)
                process.send_signal(signal.SIGHUP)
            runner.gate.set()
            answers = [job.result() for job in jobs]
            assert all(answer[0] == 200 for answer in answers), [answer[::2] for answer in answers]
        assert nodes.end(process) == 0
        if n % 2:
            nodes.gateway = nodes.start_gateway()
        else:
            nodes.orchestrator = nodes.start_orchestrator()
            nodes.meet_runners()
        wait_for(lambda: nodes.ready("gateway") and nodes.ready("orchestrator"), "the node to be back")
        wait_for(lambda: ask(f"{nodes.url}/text-to-image", job())[0] == 200, "a good job", 20, 0.1)


def main():
    global RUNNER
    folder = tempfile.mkdtemp(prefix="lpd-reload-")
    RUNNER = GoodRunner()
    config = pathlib.Path(folder) / "node.conf"
    config.write_text("")
    with Pair(folder, RUNNER.port, options=("-config", config), pipelines=("text-to-image",)) as nodes:
        watch = Watch(nodes)
        tests = {name: test for name, test in globals().items() if getattr(test, "__code__", None)
                 and test.__code__.co_varnames[:test.__code__.co_argcount] == ("nodes", "watch")}
        bad = False
        for name, test in tests.items():
            bad |= each({name: test}, nodes, watch)
        bad |= each({"both are as they were and end well": lambda nodes: (watch.look("at the end"), watch.end())}, nodes)
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
