#!/usr/bin/env python3
"""test_hostile_machine - the machine runs out of things, and processes die in the middle of their work.

Each function is a test with nodes of its own."""
import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hostile import REPORT, SANITIZED, GoodRunner, error_of, job  # noqa: E402
from nodes import LPD, Pair, Processes, ask, each, free_port, wait_for  # noqa: E402

ALLOWED = {200, 429, 500, 502, 503, 504, 507}


def picture(url, prompt="a fox", timeout=20):
    """The status of one job, whose error has a code and words; 0: the node ended the connection."""
    try:
        status, _, body = ask(f"{url}/text-to-image", job(prompt), timeout=timeout)
    except (ConnectionError, TimeoutError):
        return 0
    if status != 200:
        error_of(body)
    return status


def good(nodes):
    return picture(nodes.url) == 200


def begin(nodes):
    """The gateway may have asked before the orchestrator knew its runner."""
    wait_for(lambda: good(nodes), "a first good job", 10, 0.2)


def clean(nodes):
    for path in pathlib.Path(nodes.folder).glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            assert not REPORT.search(line), line


def many(nodes, n, prompt="a fox"):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda _: picture(nodes.url, prompt), range(n)))


class Held(Pair):
    """A pair that starts under other limits; the bash before it sets them."""

    def __init__(self, folder, runner, shell, **more):
        self.shell = shell
        super().__init__(folder, runner, **more)

    def start(self, name, *command, **more):
        return super().start(name, "bash", "-c", f'{self.shell}; exec "$@"', "bash", *command, **more)


def sixty_four_files_are_enough_to_say_no(folder, runner):
    """Connections are refused or wait, nothing ends, and later all is well."""
    with Held(folder, runner.port, "ulimit -n 64", options=("-idleTimeout", "2s")) as nodes:
        begin(nodes)
        socks = []
        for _ in range(150):
            sock = socket.socket()
            sock.settimeout(2)
            if sock.connect_ex(("127.0.0.1", nodes.http)) == 0:
                socks.append(sock)
        time.sleep(0.3)
        for sock in socks:
            sock.close()
        wait_for(lambda: good(nodes), "a good job after too many connections", 15, 0.2)
        statuses = many(nodes, 40, "large")
        assert set(statuses) <= ALLOWED | {0} and 200 in statuses, statuses
        wait_for(lambda: good(nodes), "a good job after too many large ones", 30, 0.2)
        nodes.check()
        clean(nodes)


def mounts(disk):
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk]
    return os.getuid() == 0 and subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0


def a_full_disk_is_said_so_and_passes(folder, runner):
    disk = pathlib.Path(folder) / "gateway"
    assert mounts(disk)
    try:
        with Pair(folder, runner.port, options=("-mediaTTL", "2s")) as nodes:
            begin(nodes)
            assert picture(nodes.url, "large") == 200       # there is room for one
            statuses = many(nodes, 6, "large")
            assert 507 in statuses and set(statuses) <= {200, 507}, statuses
            wait_for(lambda: picture(nodes.url, "large") == 200, "room again", 15, 0.5)
            nodes.check()
            clean(nodes)
    finally:
        subprocess.run(["umount", "-l", disk], check=True, timeout=10)


def a_folder_that_cannot_be_written_is_one_sentence(folder, runner):
    models = pathlib.Path(folder) / "m.json"
    models.write_text("[]")
    for data in "/proc/1", "/dev/null/x", "/proc/sys/kernel":
        run = subprocess.run([LPD, "-mode", "gateway", "-orchAddr", "127.0.0.1:1", "-httpAddr", f"127.0.0.1:{free_port()}", "-cliAddr",
                              f"127.0.0.1:{free_port()}", "-dataDir", data], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        lines = [line for line in run.stderr.splitlines() if not line[:4].isdigit()]
        assert run.returncode == 1 and len(lines) == 1 and data in lines[0], (data, run)


def two_orchestrators_on_one_folder_are_refused_in_words(folder, runner):
    with Pair(folder, runner.port) as nodes:
        words = ["-mode", "orchestrator", "-cliAddr", f"127.0.0.1:{free_port()}", "-dataDir", nodes.folder / "orchestrator",
                 "-serviceAddr", f"127.0.0.1:{free_port()}", "-aiModels", nodes.folder / "aiModels.json"]
        run = subprocess.run([LPD, *map(str, words)], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        lines = [line for line in run.stderr.splitlines() if not line[:4].isdigit()]
        assert run.returncode == 1 and len(lines) == 1 and str(nodes.folder / "orchestrator") in lines[0], run
        begin(nodes)


def a_stop_under_load_finishes_what_runs_and_ends_with_0(folder, runner):
    with Pair(folder, runner.port) as nodes, concurrent.futures.ThreadPoolExecutor(16) as pool:
        begin(nodes)
        answers = [pool.submit(picture, nodes.url, "slow") for _ in range(16)]
        wait_for(lambda: json.loads(ask(f"http://127.0.0.1:{nodes.cli['gateway']}/status")[2])["jobs"] == 16, "the jobs to run", 5)
        began = time.monotonic()
        assert nodes.end(nodes.gateway) == 0
        assert [answer.result() for answer in answers] == [200] * 16
        assert time.monotonic() - began < 10
        assert nodes.end(nodes.orchestrator) == 0
        clean(nodes)


def a_second_stop_is_quick(folder, runner):
    for role in "gateway", "orchestrator":
        with Pair(pathlib.Path(folder) / role, runner.port) as nodes, concurrent.futures.ThreadPoolExecutor(4) as pool:
            begin(nodes)
            answers = [pool.submit(picture, nodes.url, "hang") for _ in range(4)]
            process = getattr(nodes, role)
            wait_for(lambda: json.loads(ask(f"http://127.0.0.1:{nodes.cli[role]}/status")[2])["jobs"] == 4, "the jobs to run", 5)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None, "the first is patient"
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(5)
            assert time.monotonic() - began < 2
            nodes.all = [row for row in nodes.all if row[1] is not process]
            nodes.__exit__()
            assert all(answer.result() in ALLOWED | {0} for answer in answers)
            clean(nodes)


def a_node_that_is_killed_in_its_work_comes_back(folder, runner):
    with Pair(folder, runner.port) as nodes, concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            answers = [pool.submit(picture, nodes.url, prompt) for prompt in ("slow", "large", "a fox", "hang") * 2]
            time.sleep(0.3)
            nodes.all = [row for row in nodes.all if row[1] is not nodes.orchestrator]
            nodes.orchestrator.kill()
            nodes.orchestrator.wait()
            assert all(answer.result() in ALLOWED for answer in answers)
            nodes.orchestrator = nodes.start_orchestrator()
            wait_for(lambda: nodes.ready("orchestrator"), "the orchestrator", 10)
            wait_for(lambda: good(nodes), "a good job", 15, 0.2)
        nodes.all = [row for row in nodes.all if row[1] is not nodes.gateway]
        nodes.gateway.kill()
        nodes.gateway.wait()
        nodes.gateway = nodes.start_gateway()
        wait_for(lambda: nodes.ready("gateway") and good(nodes), "a good job", 15, 0.2)
        left = [path for path in (nodes.folder / "gateway").rglob("*") if path.is_file() and path.stat().st_size > 100000]
        assert not left, left
        clean(nodes)


def children(process):
    return [int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def a_built_in_runner_that_is_killed_in_its_work_comes_back(folder, runner):
    with Processes(folder) as nodes:
        (nodes.folder / "m.json").write_text('[{"pipeline": "text-to-image", "model_id": "builtin/sketch", "warm": true}]')
        service, http, admin, runs = (free_port() for _ in range(4))
        orchestrator = nodes.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{service}", "-aiModels", nodes.folder / "m.json",
                                   "-dataDir", nodes.folder / "o", "-cliAddr", f"127.0.0.1:{admin}")
        nodes.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"127.0.0.1:{service}", "-httpAddr", f"127.0.0.1:{http}", "-dataDir", nodes.folder / "g",
                    "-cliAddr", f"127.0.0.1:{runs}")

        def draw(width=128):
            try:
                return ask(f"http://127.0.0.1:{http}/text-to-image", job(model_id="builtin/sketch", width=width, height=width), timeout=30)[0]
            except OSError:
                return 0
        wait_for(lambda: draw() == 200, "a first picture", 20, 0.2)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in range(2):
                answers = [pool.submit(draw, 1024) for _ in range(4)]
                time.sleep(0.1)
                for pid in children(orchestrator):
                    os.kill(pid, signal.SIGKILL)
                assert all(answer.result() in ALLOWED for answer in answers)
                wait_for(lambda: draw() == 200, "a picture of the runner that came back", 20, 0.2)
        child = children(orchestrator)
        assert child, "the runner is the node's child"
        nodes.all = [row for row in nodes.all if row[1] is not orchestrator]
        orchestrator.kill()
        orchestrator.wait()
        wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() and "lpd-runner" in os.readlink(f"/proc/{pid}/exe") for pid in child),
                 "the runner to end with its node", 5)
        clean(nodes)


def reasons():
    """Why a test cannot be here."""
    found = {}
    if SANITIZED:
        found["a_built_in_runner_that_is_killed_in_its_work_comes_back"] = "its sandbox leaves a sanitizer no room"
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        disk = pathlib.Path(folder) / "disk"
        if mounts(disk):
            subprocess.run(["umount", "-l", disk], check=True, timeout=10)
        else:
            found["a_full_disk_is_said_so_and_passes"] = "a small file system cannot be mounted"
    return found


def one(name, test, runner, why):
    if why:
        print(f"skip {name.replace('_', ' ')}: {why}", flush=True)
        return False
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        return each({name: lambda nodes: test(folder, runner)}, Processes(folder))


def main():
    runner = GoodRunner()
    tests = {name: test for name, test in globals().items() if getattr(test, "__code__", None) and test.__code__.co_varnames[:test.__code__.co_argcount] == ("folder", "runner")}
    why = reasons()
    return any([one(name, test, runner, why.get(name)) for name, test in tests.items()])


if __name__ == "__main__":
    sys.exit(main())
