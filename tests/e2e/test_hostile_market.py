#!/usr/bin/env python3
"""test_hostile_market - lists and scores that lie: what -orchWebhookUrl and -orchPerfStatsUrl answer, and orchestrators that
name each other.

A gateway for each of them, all at once.  It answers in time while the list comes and after it, works for a client
when the list names the good orchestrator, writes lines that are whole, and ends with 0."""
import concurrent.futures
import http.client
import json
import pathlib
import socket
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
from hostile import REPORT, SANITIZED, GoodRunner, error_of, job, until_gone  # noqa: E402
from nodes import LPD, Pair, Processes, ask, each, free_port, wait_for  # noqa: E402
from test_hostile_orchestrator import Crowd, Orchestrator, info, message  # noqa: E402
from test_hostile_orchestrator import says as says_rpc  # noqa: E402

MB = 1 << 20
LONGEST = 20 if SANITIZED else 2


class Pages:
    """A raw server: what a path says is a function of (sock, number of the request, self)."""

    def __init__(self):
        self.door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.door.getsockname()[1]
        self.pages, self.asked = {}, {}
        threading.Thread(target=self.run, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def run(self):
        while True:
            sock, _ = self.door.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        sock.settimeout(20)
        with sock:
            try:
                data = b""
                while b"\r\n\r\n" not in data:
                    got = sock.recv(65536)
                    if not got:
                        return
                    data += got
                path = data.split()[1].decode("latin-1").strip("/").split("?")[0]
                self.asked[path] = self.asked.get(path, 0) + 1
                self.pages[path](sock, self.asked[path])
            except (OSError, KeyError):
                pass


def answer(body, status="200 OK", *more):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def says(*args):
    data = answer(*args)
    return lambda sock, n: sock.sendall(data)


def drips(sock, _):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(200):
        sock.sendall(b"[")
        time.sleep(0.1)


def endless(sock, _):
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n[")
    for _ in range(3000):
        sock.sendall(b'{"address":"https://127.0.0.1:1"},' * 1000)


def endless_head(sock, _):
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    for n in range(100000):
        sock.sendall(b"X-%d: " % n + b"y" * 1000 + b"\r\n")


def hangs(sock, _):
    until_gone(sock)


def cut(sock, _):
    sock.sendall(answer([{"address": "https://127.0.0.1:1"}] * 100)[:-50])


def packed(sock, _):
    """What is no gzip at all, and claims to be."""
    sock.sendall(answer(b"\x1f\x8b\x08" + b"\0" * 1000, "200 OK", "Content-Encoding: gzip"))


def lists(good):
    """name: what is answered, and whether the good orchestrator is in it"""
    own = {"address": good}
    dead = [f"https://127.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}:1" for n in range(10000)]
    odd = ["", " ", "https://", "https://[", "https://[::1", "https://a b/", "https://a\nforged=1 b:1", "https://\x1b[2J:1",
           "https://h:99999", "https://h:-1", "https://h:0", "https://h:1e3", "https://user:pass@h:1", "ftp://h", "unix:/tmp/x", "file:///etc/passwd",
           "https://" + "a" * 300 + ":1", "https://" + "a" * 100000, "https://" + "a." * 1000 + ":1", "https://\u202eevil:1",
           "https://h:1/" + "p" * 5000, "https://h:1/?q=1#f", "http://127.0.0.1:1\r\nX: y", "https://%00:1", "https://0x7f000001:1", "https://127.1:1",
           "https://a\"b=c:1", "https://h\\n:1", None, 7, [], {}, True, "h:1:2", "//h:1", "https:///x", "-orchAddr", "https://-x:1", "https://h:1,h2:2"]
    return {
        "many": (says([{"address": address} for address in dead] + [own]), True),
        "doubles": (says([own] * 10000), True),
        "spelt": (says([{"address": good + "/" * n} for n in range(1000)] + [{"address": good.replace("https", "HTTPS")}]), True),
        "odd": (says([{"address": address} for address in odd] + [own]), True),
        "elements": (says([None, 1, "x", [], {}, {"address": {}}, own]), True),
        "keys": (says(b'[{"address":"https://h:1","address":"' + good.encode() + b'"}]'), True),
        "huge": (says(b"[" + b" " * (100 * MB) + b"]"), False),
        "just_too_large": (says(b"[" + b" " * (16 * MB - 1) + b"]"), False),
        "claims": (lambda sock, _: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n["), False),
        "claims_less": (lambda sock, _: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]"), False),
        "one_address": (says([{"address": "https://" + "a" * (10 * MB)}, own]), True),
        "values": (says(b"[" + b"{}," * (5 * MB) + b"{}]"), False),
        "nested": (says(b"[" * MB), False),
        "nested_in": (says(b'[{"address":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}]"), False),
        "object": (says({"address": good}), False),
        "html": (says(b"<html><body>maintenance</body></html>"), False),
        "nothing": (says(b""), False),
        "empty": (says([]), False),
        "surrogate": (says([{"address": "https://\ud800x:1"}, own]), False),
        "nul": (says(b'[{"address":"https://h:1\\u0000"}, "\0"]'), False),
        "numbers": (says(b"[1e999, 99999999999999999999999, -0]"), False),
        "not_utf8": (says(b'[{"address":"https://\xff\xfe:1"}]'), False),
        "around": (says(b"", "302 Found", "Location: /around"), False),
        "to_file": (says(b"", "302 Found", "Location: file:///etc/passwd"), False),
        "to_gopher": (says(b"", "301 Moved", "Location: gopher://127.0.0.1:1/x"), False),
        "to_long": (says(b"", "302 Found", "Location: /" + "x" * 60000), False),
        "to_nowhere": (says(b"", "307 Temporary Redirect"), False),
        "status_999": (says(b"[]", "999 ?\x01\x1b[2J"), False),
        "status_204": (lambda sock, _: sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"), False),
        "no_http": (lambda sock, _: sock.sendall(b"\0" * 1000), False),
        "gone": (lambda sock, _: None, False),
        "early": (lambda sock, _: sock.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000), False),
        "drips": (drips, False), "endless": (endless, False), "endless_head": (endless_head, False), "hangs": (hangs, False),
        "cut": (cut, False), "packed": (packed, False),
    }


class Gateway:
    """One of its own, looked at all the time."""

    def __init__(self, more, name, *options):
        self.more, self.name, self.longest = more, name, 0
        self.http, self.cli = free_port(), free_port()
        self.process = more.start(name, LPD, "-mode", "gateway", "-httpAddr", f"127.0.0.1:{self.http}", "-cliAddr",
                                  f"127.0.0.1:{self.cli}", "-dataDir", more.folder / name, *options)
        self.url = f"http://127.0.0.1:{self.http}"
        wait_for(self.alive, f"{name} to begin", 30)
        threading.Thread(target=self.look, daemon=True).start()

    def alive(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.log()[-3000:]}"
        try:
            return ask(f"http://127.0.0.1:{self.cli}/healthz", timeout=10)[0] == 200
        except OSError:
            return False

    def look(self):
        while self.process.poll() is None:
            began = time.monotonic()
            try:
                ask(f"http://127.0.0.1:{self.cli}/healthz", timeout=30)
            except (OSError, http.client.HTTPException):
                continue
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.05)

    def status(self):
        return json.loads(ask(f"http://127.0.0.1:{self.cli}/status", timeout=20)[2])["gateway"]

    def log(self):
        return (self.more.folder / f"{self.name}.log").read_text(errors="replace")

    def works(self):
        return ask(f"{self.url}/text-to-image", job(), timeout=30)[0] == 200

    def end(self):
        assert self.more.end(self.process) == 0, f"{self.name}: {self.log()[-3000:]}"
        for line in self.log().splitlines():
            assert not REPORT.search(line) and len(line) < 4096 and "\x1b" not in line, f"{self.name}: {line}"
            assert line[:4].isdigit(), f"{self.name}: a line begins anew: {line}"


def attack(more, pages, name, page, works, *options):
    """One gateway; works: a job is done, else there is nobody to do it."""
    pages.pages[name] = page
    option = "-orchPerfStatsUrl" if options else "-orchWebhookUrl"
    gateway = Gateway(more, f"{name}{option}", option, pages.url(name), *options)
    wait_for(lambda: any(words in gateway.log() for words in ("not fetched", "list of orch", "scores of orch")), f"{name} to be judged", 25, 0.1)
    if works:
        wait_for(gateway.works, f"{name} to work", 20, 0.2)
    else:
        status, _, body = ask(f"{gateway.url}/text-to-image", job(), timeout=30)
        assert (status, error_of(body)) == (503, "no_orchestrator"), (name, status, body)
    json.dumps(gateway.status())
    gateway.end()
    assert gateway.longest < LONGEST, f"{name} held the gateway up for {gateway.longest:.1f} s"


def all_of(tasks):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for task in [pool.submit(*task) for task in tasks]:
            task.result()


def lists_of_every_kind_are_judged_and_hold_up_nobody(nodes, pages):
    with Processes(nodes.folder / "lists") as more:
        all_of((attack, more, pages, name, page, works) for name, (page, works) in lists(good(nodes)).items())


def scores_of_every_kind_leave_a_gateway_that_works(nodes, pages):
    name = "0x" + "ab" * 20
    scores = {
        "many": says({f"0x{n:040x}": {"FRA": {"score": 1}} for n in range(30000)}),
        "doubles": says(b"{" + b",".join(b'"%s":{"FRA":{"score":%d}}' % (name.encode(), n) for n in range(10000)) + b"}"),
        "odd": says({"": {}, "0x": 1, name: {"FRA": {"score": "1"}}, name.upper(): {"FRA": []}, "x" * 100000: None, "0x" + "zz" * 20: {"FRA": {"score": 1}}}),
        "numbers": says(('{"%s":{"FRA":{"score":-1e308}},"0x%040x":{"FRA":{"score":1e308}}}' % (name, 1)).encode()),
        "nan": says(('{"%s":{"FRA":{"score":NaN}}}' % name).encode()),
        "list": says([1, 2]), "huge": says(b"{" + b" " * (100 * MB) + b"}"), "nested": says(b'{"a":' * 100000),
    }
    with Processes(nodes.folder / "scores") as more:
        all_of((attack, more, pages, name, page, True, "-orchAddr", good(nodes), "-region", "FRA", "-minPerfScore", "0")
               for name, page in scores.items())


def orchestrators_that_name_each_other_are_asked_as_far_as_allowed(nodes, _):
    names = []      # of all, for all
    odd = [b"", b"https://", b"unix:/tmp/x", b"https://a\nb:1", b"https://" + b"a" * 9000 + b":1", b"\xff\xfe", b"https://[::1"]

    def naming(many):
        return says_rpc(lambda own: info(own, more=b"".join(message([(34, name)]) for name in many(own))))
    rows = [Orchestrator("ring-0", naming(lambda _: names)), Orchestrator("ring-1", naming(lambda _: names[::-1])),
            Orchestrator("itself", naming(lambda own: [f"https://127.0.0.1:{own.port}".encode()] * 3000)),
            Orchestrator("crowd", naming(lambda _: [b"https://127.0.%d.%d:1" % (n >> 8, n & 255) for n in range(4000)])),
            Orchestrator("odd", naming(lambda _: odd))]
    names += [f"https://127.0.0.1:{row.port}".encode() for row in rows]
    Crowd(nodes.folder, rows)
    with Processes(nodes.folder / "nodes") as more:
        gateway = Gateway(more, "extra", "-extraNodes", "100", "-discoveryInterval", "1s", "-orchAddr",
                          ",".join([*(name.decode() for name in names), good(nodes)]))
        wait_for(gateway.works, "a job", 20, 0.2)
        time.sleep(4)
        known = gateway.status()["orchestrators"]
        assert len(known) <= 6 + 100, len(known)
        assert gateway.works()
        gateway.end()
        assert gateway.longest < LONGEST, gateway.longest


def good(nodes):
    return f"https://127.0.0.1:{nodes.service}"


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner, pages = GoodRunner(), Pages()
        with Pair(folder, runner.port, pipelines=("text-to-image",)) as nodes:
            bad = each(globals(), nodes, pages)
            for process in nodes.gateway, nodes.orchestrator:
                bad = bad or nodes.end(process) != 0
            return bad


if __name__ == "__main__":
    sys.exit(main())
