"""hostile - what the attacks share: looking after one that the nodes are as they were, and a runner that is no good."""
import json
import os
import pathlib
import re
import selectors
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from fake_runner import FakeRunner  # noqa: E402
from nodes import LPD, ask, wait_for  # noqa: E402

PROMPT = "xyzzy-prompt"     # in every attack that has one; in no log
SANITIZED = b"__asan_init" in pathlib.Path(LPD).read_bytes()
REPORT = re.compile(r"Sanitizer|runtime error|assertion|SUMMARY:", re.I)
CODES = set(re.findall(r"^\| `(\w+)` \| \d+ \|", (pathlib.Path(__file__).resolve().parents[2] / "docs/generated/errors.md")
                       .read_text(), re.M))


def job(prompt=PROMPT, **more):
    return {"model_id": "test", "prompt": prompt, "width": 64, "height": 64, **more}


def error_of(body):
    """The code of an error's body, which has words too."""
    error = json.loads(body)["error"]
    assert error["message"] and error["code"] in CODES, body
    return error["code"]


def rss(process):
    """MB"""
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


def files(process):
    """Those that are open, without results that wait to be fetched."""
    folder, n = f"/proc/{process.pid}/fd", 0
    for name in os.listdir(folder):
        try:
            n += "/media/" not in os.readlink(f"{folder}/{name}")
        except OSError:
            pass        # the one of this very look
    return n


class Watch:
    """The nodes as they were before the attacks; each look says whether they still are so."""

    def __init__(self, nodes, room=48):
        self.nodes, self.room = nodes, room
        self.good()
        self.files = {role: files(process) for role, process in self.both()}
        self.rss = {role: rss(process) for role, process in self.both()}

    def both(self):
        return [(role, getattr(self.nodes, role)) for role in self.nodes.cli]

    def good(self):
        def runs():
            return ask(f"{self.nodes.url}/text-to-image", job(), timeout=10)[0] == 200
        wait_for(runs, "a good job", 10, 0.1)

    def status(self, role):
        return json.loads(ask(f"http://127.0.0.1:{self.nodes.cli[role]}/status", timeout=5)[2])

    def idle(self):
        """No job is under way and no slot is taken."""
        for role in self.nodes.cli:
            status = self.status(role)
            if status["jobs"] or any(row["in_use"] for row in status.get("orchestrator", {}).get("runners", [])):
                return False
        return True

    def look(self, after="", seconds=5):
        self.nodes.check()
        for role in self.nodes.cli:
            status, _, why = ask(f"http://127.0.0.1:{self.nodes.cli[role]}/readyz", timeout=5)
            assert status == 200, f"the {role} is not ready {after}: {why}"
        self.good()
        wait_for(self.idle, f"the slots to be free again {after}", seconds)
        for role, process in self.both():
            wait_for(lambda: files(process) <= self.files[role] + 6, f"the {role} to close files {after}: "
                     f"{files(process)}, {self.files[role]} before", seconds)
            if not SANITIZED:       # it keeps for long what was freed
                wait_for(lambda: rss(process) <= self.rss[role] + self.room, f"the {role} to give memory back {after}: "
                         f"{rss(process):.0f} MB, {self.rss[role]:.0f} before", seconds + 10, 0.1)
        self.logs(after)

    def logs(self, after=""):
        for role in self.nodes.cli:
            for line in (self.nodes.folder / f"{role}.log").read_text(errors="replace").splitlines():
                assert not REPORT.search(line), f"{role} {after}: {line}"
                assert PROMPT not in line, f"the {role}'s log tells the prompt {after}: {line}"
                assert len(line) < 4096, f"a line of the {role}'s log is {len(line)} long {after}"

    def end(self):
        """Asked to stop they do, with 0: a sanitizer that found a leak would say another number."""
        for role, process in self.both()[::-1]:
            assert self.nodes.end(process) == 0, role
        self.logs("at the end")


class GoodRunner(FakeRunner):
    def handle_error(self, *_):
        """Nodes leave in the middle of its answers; that is no news here."""


class Runner:
    """A port for each attack of the table, so that none spoils another's connections: a function of (sock, path, body),
    which writes bytes as it likes, or a dict of them by path.  What it leaves out (a health, for one) is good."""

    def __init__(self, attacks):
        self.ports, self.doors = {}, selectors.DefaultSelector()
        for name, attack in attacks.items():
            door = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.ports[name] = door.getsockname()[1]
            self.doors.register(door, selectors.EVENT_READ, attack)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            for key, _ in self.doors.select():
                sock, _ = key.fileobj.accept()
                threading.Thread(target=converse, args=(sock, key.data), daemon=True).start()


GOOD = {"health": {"status": "OK"}, "version": {"version": "0.14.1"}, "hardware/info": {"gpu_info": {}}}


def converse(sock, attack):
    """One request a connection."""
    sock.settimeout(20)
    with sock:
        try:
            path, body = read_request(sock)
            wild = attack.get(path) if isinstance(attack, dict) else attack if path not in GOOD else None
            if wild:
                wild(sock, path, body)
            else:
                sock.sendall(answer(GOOD.get(path, {}), "200 OK", "application/json", "Connection: close"))
        except (OSError, EOFError):
            pass        # the node has had enough


def read_request(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        data += recv(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    size = re.search(rb"(?i)content-length: (\d+)", head)
    while size and len(body) < int(size[1]):
        body += recv(sock)
    return head.split()[1].decode().strip("/"), body


def recv(sock):
    got = sock.recv(65536)
    if not got:
        raise EOFError
    return got


def answer(body, status="200 OK", kind="application/json", *more):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def until_gone(sock, seconds=20):
    """Wait until the node has gone away: this attack is to say nothing more."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except (socket.timeout, OSError):
        pass


def watched(names, watch):
    """Each test of a script, followed by a look at the nodes."""
    def both(name, test):
        def run(nodes, runner):
            test(nodes, runner)
            watch.look(f"after {name.replace('_', ' ')}")
        return run
    tests = {}
    for name, test in names.items():
        code = getattr(test, "__code__", None)
        if code and code.co_argcount == 2 and code.co_varnames[0] == "nodes":
            tests[name] = both(name, test)
    return tests
