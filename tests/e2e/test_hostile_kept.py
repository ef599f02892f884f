#!/usr/bin/env python3
"""test_hostile_kept - kept jobs against clients and folders that mean no good.

Each function is a test with nodes of its own."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import LARGE  # noqa: E402
from hostile import REPORT, GoodRunner, error_of, job  # noqa: E402
from nodes import Pair, Processes, ask, each, wait_for  # noqa: E402

LATER = {"Prefer": "respond-async"}


def clean(nodes):
    nodes.check()
    for path in pathlib.Path(nodes.folder).glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            assert not REPORT.search(line), line


def begin(nodes, prompt="a fox", **headers):
    status, _, body = ask(f"{nodes.url}/text-to-image", job(prompt), {**LATER, **headers})
    assert status == 202, (status, body)
    return json.loads(body)["id"]


def state(nodes, one):
    status, _, body = ask(f"{nodes.url}/jobs/{one}")
    return json.loads(body)["status"] if status == 200 else status


def ended(nodes, one):
    wait_for(lambda: state(nodes, one) != "processing", "the job to end")
    return state(nodes, one)


def first(nodes):
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", job("a fox"))[0] == 200, "a first good job", 10, 0.2)


def again(nodes):
    """Killed, and started on the same folder."""
    nodes.all = [row for row in nodes.all if row[1] is not nodes.gateway]
    nodes.gateway.send_signal(signal.SIGKILL)
    nodes.gateway.wait()
    nodes.gateway = nodes.start_gateway()
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")


def kept(nodes):
    return nodes.folder / "gateway" / "jobs"


def the_list_is_not_told_to_whom_a_proxy_brought(folder, runner):
    with Pair(folder, runner.port) as nodes:
        first(nodes)
        ended(nodes, begin(nodes))
        assert ask(f"{nodes.url}/jobs")[0] == 200
        for name in "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via":
            status, _, body = ask(f"{nodes.url}/jobs", headers={name: "127.0.0.1"})
            assert status == 403 and error_of(body) == "forbidden", (name, status, body)
        clean(nodes)


def a_folder_of_strange_files_does_not_hold_up_the_start(folder, runner):
    with Pair(folder, runner.port) as nodes:
        first(nodes)
        one = begin(nodes)
        assert ended(nodes, one) == "complete"
        wait_for(lambda: (kept(nodes) / f"job-{one}").stat().st_size > 700, "the result to be saved")
        line, _, rest = (kept(nodes) / f"job-{one}").read_bytes().partition(b"\n")
        row = json.loads(line)
        for n, wild in enumerate((b"", b"\n", b"{}\n", b"[" * 60000 + b"\n", b"x" * 70000, line, line + b"\n", line + b"\n" + rest + b"x",
                                  line[:99] + b"\0\n" + rest)):
            (kept(nodes) / f"job-wild{n}").write_bytes(wild)
        for n, change in enumerate(({"form": 2}, {"body": 2 ** 63 - 1}, {"body": -1}, {"body": 1e300}, {"media": [{"size": 2 ** 63 - 1}] * 64},
                                    {"media": 7}, {"id": 5}, {"id": '"' * 32}, {"state": "gone"}, {"status": 10 ** 9}, {"until": None})):
            (kept(nodes) / f"job-row{n}").write_bytes(json.dumps({**row, **change}).encode() + b"\n" + rest)
        os.mkfifo(kept(nodes) / "job-fifo")
        (kept(nodes) / "job-folder").mkdir()
        (kept(nodes) / "job-link").symlink_to("/dev/zero")
        again(nodes)
        assert state(nodes, one) == "complete"
        listed = json.loads(ask(f"{nodes.url}/jobs?limit=100")[2])["jobs"]
        assert [entry["id"] for entry in listed] == [one], listed
        first(nodes)
        clean(nodes)


def methods_and_paths_that_nobody_meant_are_refused(folder, runner):
    with Pair(folder, runner.port) as nodes:
        first(nodes)
        one = begin(nodes)
        ended(nodes, one)
        for path in ("/jobs/", f"/jobs/{one}/", f"/jobs/{one}/result/", f"/jobs/{one}/result/../result", f"/jobs/{one[:31]}", f"/jobs/{one.upper()}x",
                     f"/jobs/../jobs/{one}", "/jobs/" + "a" * 4000, f"/jobs/{one}%00", "/stream/../jobs", "/stream/" + one + "/../../gateway.log",
                     "/stream/%2e%2e/%2e%2e/etc/passwd", f"/stream/{one}"):
            for method in "GET", "DELETE":
                status, _, body = ask(nodes.url + path, method=method)
                assert 400 <= status < 500, (method, path, status, body)
        for method in "PUT", "POST", "PATCH", "TRACE", "HEAD", "OPTIONS":
            for path in f"/jobs/{one}", f"/jobs/{one}/result", "/jobs":
                status, _, body = ask(nodes.url + path, method=method)
                assert status < 500, (method, path, status, body)
        for query in "?limit=-1", "?limit=99999999999999999999", "?limit=0&limit=5", "?after=x", "?after=%00", "?" + "&" * 3000:
            status, _, body = ask(f"{nodes.url}/jobs{query}")
            assert status == 200 and len(json.loads(body)["jobs"]) <= 1, (query, status, body)
        assert state(nodes, one) == "complete"
        clean(nodes)


def jobs_that_are_deleted_at_each_moment_leave_nothing(folder, runner):
    with Pair(folder, runner.port) as nodes, concurrent.futures.ThreadPoolExecutor(8) as pool:
        first(nodes)

        def one(n):
            made = begin(nodes, "large" if n % 3 == 0 else "a fox", **{"Idempotency-Key": f"key-{n}"})
            time.sleep(n % 7 * 0.01)
            for _ in range(200):
                status = ask(f"{nodes.url}/jobs/{made}", method="DELETE")[0]
                assert status in (204, 404), status
                if status == 404:
                    return
                time.sleep(0.01)
            raise AssertionError("a job that was deleted two hundred times")
        list(pool.map(one, range(60)))
        assert json.loads(ask(f"{nodes.url}/jobs?limit=100")[2])["jobs"] == []
        assert nodes.end(nodes.gateway) == 0
        left = [path.name for path in kept(nodes).iterdir() if path.name.startswith("job-")]
        assert not left, left
        clean(nodes)


def a_gateway_killed_while_it_saves_comes_back_each_time(folder, runner):
    with Pair(folder, runner.port) as nodes, concurrent.futures.ThreadPoolExecutor(8) as pool:
        first(nodes)
        for n in range(5):
            made = [pool.submit(begin, nodes, "large") for _ in range(6)]
            ids = [answer.result() for answer in made]
            time.sleep(n * 0.04)
            again(nodes)
            for one in ids:     # each was answered 202: none may be forgotten
                assert ended(nodes, one) in ("complete", "failed"), one
                if state(nodes, one) == "complete":
                    url = json.loads(ask(f"{nodes.url}/jobs/{one}")[2])["result"]["images"][0]["url"]
                    assert ask(nodes.url + url)[2] == LARGE
            wait_for(lambda: not list(kept(nodes).glob("*.new")), "what was half written to go")
            wait_for(lambda: ask(f"{nodes.url}/text-to-image", job("a fox"))[0] == 200, "a good job", 10, 0.2)
        clean(nodes)


def a_folder_that_is_gone_costs_the_keeping_and_nothing_else(folder, runner):
    with Pair(folder, runner.port) as nodes:
        first(nodes)
        old = begin(nodes, "large")
        assert ended(nodes, old) == "complete"
        time.sleep(0.5)
        kept(nodes).rename(nodes.folder / "elsewhere")
        new = begin(nodes, "large")
        assert ended(nodes, new) == "complete"
        url = json.loads(ask(f"{nodes.url}/jobs/{new}")[2])["result"]["images"][0]["url"]
        assert ask(nodes.url + url)[2] == LARGE
        try:
            ask(f"{nodes.url}/jobs/{old}/result", timeout=5)
        except (OSError, http.client.HTTPException):
            pass        # its bytes are gone; that is said by an end
        for one in old, new:
            assert ask(f"{nodes.url}/jobs/{one}", method="DELETE")[0] == 204
        clean(nodes)


def results_expire_under_their_readers(folder, runner):
    """Slow readers of a large one go on; nobody else finds it."""
    with Pair(folder, runner.port, options=("-jobsTTL", "2s", "-mediaTTL", "1s")) as nodes:
        first(nodes)
        one = begin(nodes, "large")
        assert ended(nodes, one) == "complete"
        url = json.loads(ask(f"{nodes.url}/jobs/{one}")[2])["result"]["images"][0]["url"]
        readers = []
        for _ in range(16):
            sock = socket.create_connection(("127.0.0.1", nodes.http), timeout=20)
            sock.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            readers.append(sock)
        wait_for(lambda: state(nodes, one) == 404, "the job to expire", 10)
        assert ask(nodes.url + url)[0] == 404
        for sock in readers[::2]:
            sock.close()
        for sock in readers[1::4]:
            with sock:
                got = b"".join(iter(lambda sock=sock: sock.recv(65536), b""))
            assert got.endswith(LARGE[-1000:]), len(got)
        for sock in readers:
            sock.close()
        wait_for(lambda: not list(kept(nodes).glob("job-*")), "the file to go")
        clean(nodes)


def main():
    runner = GoodRunner()
    tests = {name: test for name, test in globals().items() if getattr(test, "__code__", None)
             and test.__code__.co_varnames[:test.__code__.co_argcount] == ("folder", "runner")}
    return any([one(name, test, runner) for name, test in tests.items()])


def one(name, test, runner):
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        return each({name: lambda nodes: test(folder, runner)}, Processes(folder))


if __name__ == "__main__":
    sys.exit(main())
