#!/usr/bin/env python3
"""test_hostile_orchestrator - orchestrators that lie in what they offer, answer with nonsense or break HTTP/2.

A gateway knows them all beside a good one.  Each is asked for a job of its own model: an error in words, in time, is all
that it may come to.  Nobody whom an answer points to inside our own network is knocked at."""
import concurrent.futures
import json
import pathlib
import selectors
import socket
import struct
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "peer")]
import h2  # noqa: E402
from fake_runner import PICTURE  # noqa: E402
from h2 import END_HEADERS, END_STREAM, PADDED, Peer, block, frame, setting  # noqa: E402
from hostile import PROMPT, GoodRunner, Watch, error_of, job  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402
from wire import as_varint, message  # noqa: E402

MB = 1 << 20
CANARY = socket.create_server(("127.0.0.1", 0))     # nobody is to knock here
DOOR = f"127.0.0.1:{CANARY.getsockname()[1]}"
QUOTE = f"cannot draw {PROMPT}\n2026-01-01T00:00:00Z broken forged line=1\x1b[2J"


def u32(n):
    return struct.pack(">I", n)


# ---- what a good one says ----

def capabilities(model, capacity=4, version=b"0.9.1", models=()):
    """Text-to-image (27) and llm (33) of one model, and of as many more as are given; and what all nodes have."""
    terms = message([(1, 1), (2, capacity)])
    entries = message([(1, message([(1, name), (2, terms)])) for name in (model.encode(), *models)])
    both = [(2, message([(1, n), (2, entries)])) for n in (27, 33)]
    counts = [(3, message([(1, n), (2, 1)])) for n in (*range(13), 14, 26, 27, 33)]
    return message([(1, as_varint(0x4005fff | 1 << 27 | 1 << 33)), *counts, (4, version), (5, message(both))])


def token(expiration=None, value=b"t" * 32):
    return message([(1, value), (2, b"session"), (3, int(time.time()) + 1800 if expiration is None else expiration)])


def info(own, **other):
    """OrchestratorInfo; what is given stands instead, rows beyond are `more`."""
    rows = {"url": (1, f"https://127.0.0.1:{own.port}".encode()), "address": (4, bytes(20)), "caps": (5, capabilities(own.name)), "token": (6, token())}
    more = other.pop("more", b"")
    for name, value in other.items():
        rows[name] = (rows[name][0], value)
    return message([row for row in rows.values() if row[1] is not None]) + more


def grpc_frame(data):
    return b"\0" + u32(len(data)) + data


def head(stream, status="200", *more, flags=END_HEADERS, kind="application/json"):
    return frame(h2.HEADERS, block((":status", status), ("content-type", kind), *more), flags, stream)


def data_frames(stream, data, last=END_STREAM):
    pieces = [data[at:at + 16384] for at in range(0, len(data), 16384)] or [b""]
    return b"".join(frame(h2.DATA, piece, last if n == len(pieces) - 1 else 0, stream) for n, piece in enumerate(pieces))


def trailers(stream, *rows):
    return frame(h2.HEADERS, block(*rows), END_HEADERS | END_STREAM, stream)


def says(make):
    """An rpc that answers with these bytes of a message."""
    def rpc(own, peer, stream):
        data = make(own) if callable(make) else make
        peer.send(head(stream, kind="application/grpc"), data_frames(stream, grpc_frame(data), 0), trailers(stream, ("grpc-status", "0")))
    return rpc


good_rpc = says(info)


def answers(body, status="200", *more, kind="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def run(own, peer, stream):
        peer.send(head(stream, status, *more, kind=kind), data_frames(stream, body))
    return run


def picture(url):
    return answers({"images": [{"url": url, "seed": 1, "nsfw": False}]})


def raw(make):
    def run(own, peer, stream):
        peer.send(make(stream) if callable(make) else make)
    return run


def flood(first, piece, seconds=12):
    """The same again and again until the gateway has had enough."""
    def run(own, peer, stream):
        peer.send(first(stream))
        more, end = piece(stream), time.monotonic() + seconds
        while time.monotonic() < end and peer.send(more):
            pass
    return run


def drip(first, piece, seconds=12):
    def run(own, peer, stream):
        peer.send(first(stream))
        end = time.monotonic() + seconds
        while time.monotonic() < end and peer.send(piece(stream)):
            time.sleep(1)
    return run


def silent(own, peer, stream):
    pass


# ---- the attacks ----

def group(depth):
    """Groups within groups, of a field that nobody knows."""
    return b"\xa3\x06" * depth + b"\xa4\x06" * depth


# What they say of themselves.  True: the offer is odd, but a job may come of it.
OFFERS = {
    "garbage": (says(bytes(range(256)) * 10), False), "nothing": (says(b""), False), "cut-off": (says(lambda own: info(own)[:-7]), False),
    "a-length-of-4-gb": (says(lambda own: b"\x0a\xff\xff\xff\xff\x0f" + info(own)), False), "groups-in-groups": (says(lambda own: info(own) + group(100000)), True),
    "no-url": (says(lambda own: info(own, url=None)), False), "no-token": (says(lambda own: info(own, token=None)), False), "no-capabilities": (says(lambda own: info(own, caps=None)), False),
    "a-file-for-a-url": (says(lambda own: info(own, url=b"file:///etc/passwd")), False), "a-socket-for-a-url": (says(lambda own: info(own, url=b"unix:/var/run/docker.sock")), False),
    "a-url-of-a-megabyte": (says(lambda own: info(own, url=b"https://127.0.0.1/" + b"a" * MB)), False), "a-url-with-a-line-end": (says(lambda own: info(own, url=b"https://127.0.0.1:1/\r\nX: y")), False),
    "a-url-with-a-nul": (says(lambda own: info(own, url=b"https://127.0.0.1:1\0/x")), False), "a-url-that-is-none": (says(lambda own: info(own, url=b"https://[::1")), False),
    "a-url-with-a-password": (says(lambda own: info(own, url=b"https://u:p@127.0.0.1:1")), False), "port-0": (says(lambda own: info(own, url=b"https://127.0.0.1:0")), False),
    "expired": (says(lambda own: info(own, token=token(1))), True), "expired-in-the-far-past": (says(lambda own: info(own, token=token(1 << 63))), True),
    "never-expires": (says(lambda own: info(own, token=token((1 << 63) - 1))), True), "a-token-of-a-megabyte": (says(lambda own: info(own, token=token(None, b"t" * MB))), True),
    "capacity-of-4-billion": (says(lambda own: info(own, caps=capabilities(own.name, (1 << 32) - 1))), True), "no-capacity": (says(lambda own: info(own, caps=capabilities(own.name, 0))), True),
    "a-bitstring-of-a-megabyte": (says(lambda own: info(own, more=message([(5, message([(1, b"\xff" * MB)]))]))), True),
    "ten-thousand-models": (says(lambda own: info(own, caps=capabilities(own.name, 1, b"0.9.1", [b"m%d" % n for n in range(10000)]))), True),
    "a-model-of-a-megabyte": (says(lambda own: info(own, caps=capabilities(own.name, 1, b"0.9.1", [b"m" * MB]))), True),
    "ten-thousand-capabilities": (says(lambda own: info(own, more=message([(5, message([(3, message([(1, n), (2, 1)])) for n in range(10000)]))]))), True),
    "prices-that-are-none": (says(lambda own: info(own, more=message([(3, message([(1, 1 << 63), (2, 0)])), (33, message([(1, (1 << 64) - 1), (2, 1 << 63), (3, 27), (4, b"\xff")]))]))), True),
    "ten-thousand-prices": (says(lambda own: info(own, more=message([(33, message([(1, 1), (2, 1), (3, n)])) for n in range(10000)]))), True),
    "ten-thousand-nodes": (says(lambda own: info(own, more=message([(34, b"https://127.0.0.1:%d" % n) for n in range(10000)]))), True),
    "ticket-parameters-of-noise": (says(lambda own: info(own, more=message([(2, bytes(range(200, 256)))]))), True), "hardware-of-noise": (says(lambda own: info(own, more=message([(7, b"\x0a\xff")]))), True),
    "bad-utf-8": (says(lambda own: info(own, caps=capabilities(own.name, 1, b"\xff\xfe\x1b[2J\"", [b"\xff\xfe\"\n"]))), True),
    "text-for-grpc": (answers(b"<html>", kind="text/html"), False), "500-for-grpc": (answers(QUOTE.encode(), "500", kind="text/plain"), False),
    "a-redirect-for-grpc": (answers(b"", "302", ("location", f"https://{DOOR}/")), False), "grpc-never-answers": (silent, False),
    "grpc-a-byte-a-second": (drip(lambda s: head(s, kind="application/grpc"), lambda s: frame(h2.DATA, b"\0", 0, s)), False),
    "grpc-of-4-gb-announced": (raw(lambda s: head(s, kind="application/grpc") + frame(h2.DATA, b"\0\xff\xff\xff\xff" + bytes(1000), 0, s)), False),
    "grpc-without-end": (flood(lambda s: head(s, kind="application/grpc") + frame(h2.DATA, b"\0\x00\x3f\xff\xff", 0, s), lambda s: frame(h2.DATA, bytes(16000), 0, s)), False),
    "grpc-compressed": (raw(lambda s: head(s, kind="application/grpc") + frame(h2.DATA, b"\1\0\0\0\5xxxxx", 0, s) + trailers(s, ("grpc-status", "0"))), False),
    "grpc-twice": (lambda own, peer, s: peer.send(head(s, kind="application/grpc") + data_frames(s, grpc_frame(info(own)) * 2, 0) + trailers(s, ("grpc-status", "0"))), True),
    "grpc-without-trailers": (lambda own, peer, s: peer.send(head(s, kind="application/grpc") + data_frames(s, grpc_frame(info(own)))), True),
    "grpc-status-of-noise": (raw(lambda s: head(s, kind="application/grpc") + trailers(s, ("grpc-status", "zz"), ("grpc-message", "%zz%" + "a" * 9000))), False),
    "grpc-quotes": (raw(lambda s: head(s, kind="application/grpc") + trailers(s, ("grpc-status", "13"), ("grpc-message", "%0a%1b%00%ff x=y"))), False),
}

# What they answer to a job, and to whoever fetches the media.  ok: it may come to a result.
GOOD = json.dumps({"images": [{"url": "/a.png", "seed": 1, "nsfw": False}]}).encode()
HEAD = lambda s: head(s)  # noqa: E731
JOBS = {
    "never-answers": silent, "a-byte-a-second": drip(HEAD, lambda s: frame(h2.DATA, b" ", 0, s)), "a-page": answers(f"<html>{PROMPT}".encode(), kind="text/html"),
    "an-empty-answer": answers(b""), "no-json": answers(b"\xff\xfe\0"), "deep-json": answers(b'{"images":' + b"[" * 60000), "no-pictures": answers({"images": []}),
    "no-content": answers(b"", "204"), "a-status-of-999": answers(b"", "999"), "a-status-of-words": raw(lambda s: head(s, "abc", flags=5)), "no-status": raw(lambda s: frame(h2.HEADERS, block(("x", "y")), 5, s)),
    "a-redirect": answers(b"", "302", ("location", f"https://{DOOR}/x")), "a-body-without-end": flood(HEAD, lambda s: frame(h2.DATA, b" " * 16000, 0, s)),
    "an-error-that-quotes": answers(QUOTE.encode(), "500", kind="text/plain"), "a-refusal-that-quotes": answers(QUOTE.encode(), "400", kind="text/plain"),
    "an-error-of-3-mb": answers(b"x" * 60000, "503", ("retry-after", "9" * 40), kind="text/plain"), "unauthorized": answers(b"go away", "401", kind="text/plain"),
    "a-token-that-is-never-good": answers(b"Invalid auth token", "403", kind="text/plain"), "always-full": answers(b"Insufficient capacity", "503", kind="text/plain"),
    "a-file": picture("file:///etc/passwd"), "a-socket": picture("unix:/var/run/docker.sock"), "another-port": picture(f"http://{DOOR}/x.png"), "another-port-by-tls": picture(f"https://{DOOR}/x.png"),
    "no-scheme": picture(f"//{DOOR}/x.png"), "a-password": picture(f"https://x@{DOOR}/x.png"), "backslashes": picture(f"https:\\\\{DOOR}\\x.png"), "javascript": picture("javascript:alert(1)"),
    "a-line-end": picture("/x.png\r\nHost: evil\r\n\r\nGET /y"), "the-metadata-address": picture("http://169.254.169.254/latest/meta-data/"), "a-long-link": picture("/" + "a" * 60000),
    "a-thousand-pictures": answers({"images": [{"url": f"/{n}.png", "seed": n, "nsfw": False} for n in range(1000)]}),
    "goaway-at-once": raw(frame(h2.GOAWAY, u32(0) + u32(0))), "goaway-in-the-answer": raw(lambda s: head(s) + frame(h2.DATA, GOOD[:9], 0, s) + frame(h2.GOAWAY, u32(0) + u32(2))),
    "goaways": flood(lambda s: b"", lambda s: frame(h2.GOAWAY, u32(s) + u32(0)) * 100), "a-reset": raw(lambda s: frame(h2.RST, u32(2), 0, s)), "refused": raw(lambda s: frame(h2.RST, u32(7), 0, s)),
    "a-reset-in-the-answer": raw(lambda s: head(s) + frame(h2.DATA, GOOD[:9], 0, s) + frame(h2.RST, u32(0), 0, s)), "resets": flood(lambda s: b"", lambda s: frame(h2.RST, u32(8), 0, s) * 100),
    "a-window-that-overflows": raw(frame(h2.WINDOW, u32(2**31 - 1)) * 2), "a-stream-window-that-overflows": raw(lambda s: frame(h2.WINDOW, u32(2**31 - 1), 0, s) * 2),
    "settings-without-end": flood(lambda s: b"", lambda s: setting(window=1000) * 100), "pings-without-end": flood(lambda s: b"", lambda s: frame(h2.PING, bytes(8)) * 100),
    "continuations-without-end": flood(lambda s: head(s, flags=0), lambda s: frame(h2.CONTINUATION, block(("x", "y")) * 200, 0, s)), "empty-continuations": flood(lambda s: head(s, flags=0), lambda s: frame(h2.CONTINUATION, b"", 0, s) * 100),
    "padding-without-end": flood(HEAD, lambda s: frame(h2.DATA, b"\xff" + bytes(255), PADDED, s) * 50), "empty-data-without-end": flood(HEAD, lambda s: frame(h2.DATA, b"", 0, s) * 100),
    "data-before-the-head": raw(lambda s: frame(h2.DATA, GOOD, END_STREAM, s)), "data-on-an-idle-stream": raw(frame(h2.DATA, b"x", 0, 99)), "data-for-closed-streams": flood(lambda s: head(s, flags=5), lambda s: frame(h2.DATA, b"x" * 100, 0, s) * 20),
    "data-beyond-the-window": raw(lambda s: head(s) + b"".join(frame(h2.DATA, b" " * 16000, 0, s) for _ in range(3000))), "interim-answers-without-end": flood(lambda s: b"", lambda s: frame(h2.HEADERS, block((":status", "103"), ("link", "x")), 4, s) * 50),
    "ten-thousand-headers": raw(lambda s: frame(h2.HEADERS, block((":status", "200")) + block(("x", "y")) * 2000, 5, s)), "a-bomb-of-headers": raw(lambda s: frame(h2.HEADERS, block((":status", "200")) + b"\x40\x01x\x7f\xbd\x1e" + b"y" * 4000 + b"\xbe" * 12000, 5, s)),
    "a-bad-name": raw(lambda s: frame(h2.HEADERS, block((":status", "200"), ("X Y", "z")), 5, s)), "a-length-that-lies": raw(lambda s: head(s, "200", ("content-length", "5")) + data_frames(s, GOOD)),
    "a-push": raw(lambda s: frame(h2.PUSH, u32(2) + block((":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")), 4, s)), "trailers-of-noise": raw(lambda s: head(s) + frame(h2.DATA, GOOD[:-2], 0, s) + trailers(s, (":status", "500"), ("X", "y"))),
    "a-frame-of-16-mb": raw(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(100000)), "not-http2": raw(b"HTTP/1.1 200 OK\r\n\r\n" * 100), "streams-of-0": raw(setting(streams=0)), "a-window-of-0": raw(setting(window=0)),
    "bad-hpack": raw(lambda s: frame(h2.HEADERS, b"\xff" * 20, 5, s)),
}
FETCHES = {
    "fetch-never-answers": silent, "fetch-404": answers(b"no", "404"), "fetch-is-a-page": answers(b"<script>alert(1)</script>", kind="text/html"), "fetch-is-nothing": answers(b"", kind="image/png"),
    "fetch-redirects": answers(b"", "302", ("location", f"https://{DOOR}/x.png")), "fetch-redirects-to-itself": answers(b"", "302", ("location", "/a.png")), "fetch-without-end": flood(lambda s: head(s, kind="image/png"), lambda s: frame(h2.DATA, bytes(16000), 0, s)),
    "fetch-breaks-off": raw(lambda s: head(s, kind="image/png") + frame(h2.DATA, PICTURE[:40], 0, s) + frame(h2.RST, u32(2), 0, s)), "fetch-with-line-ends-in-its-type": answers(PICTURE, kind="image/png; x=\"y\""),
    "fetch-a-byte-a-second": drip(lambda s: head(s, kind="image/png"), lambda s: frame(h2.DATA, b"x", 0, s)), "fetch-lies-about-its-length": raw(lambda s: head(s, "200", ("content-length", "99999999999")) + data_frames(s, PICTURE)),
}
# no-scheme: a path of its own that begins with two slashes.
MAY_BE_OK = {"no-scheme", "padding-without-end", "empty-data-without-end", "fetch-is-a-page", "fetch-with-line-ends-in-its-type", "settings-without-end", "a-thousand-pictures"}
STREAMS = {
    "events-without-a-line-end": flood(lambda s: head(s, kind="text/event-stream"), lambda s: frame(h2.DATA, b"data: " + b"x" * 16000, 0, s)),
    "events-without-end": flood(lambda s: head(s, kind="text/event-stream"), lambda s: frame(h2.DATA, b"data: {}\n\n" * 10, 0, s)),
    "events-that-break-off": raw(lambda s: head(s, kind="text/event-stream") + frame(h2.DATA, b'data: {"choices": []}\n\n', 0, s) + frame(h2.RST, u32(2), 0, s)),
    "events-that-stall": raw(lambda s: head(s, kind="text/event-stream") + frame(h2.DATA, b'data: {"choices": []}\n\n', 0, s)),
}


class Orchestrator:
    """One port; rpc, job and fetch are (own, peer, stream)."""

    def __init__(self, name, rpc=good_rpc, job_=None, fetch=None):
        self.name, self.rpc, self.job, self.fetch = name, rpc, job_ or answers(GOOD), fetch or answers(PICTURE, kind="image/png")
        self.came = 0       # jobs
        self.door = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = self.door.getsockname()[1]

    def converse(self, context, sock):
        sock.settimeout(20)
        try:
            with Peer(context.wrap_socket(sock, server_side=True)) as peer:
                peer.take(24)
                peer.send(setting(streams=100))
                self.serve(peer)
        except (OSError, TypeError):
            pass        # the gateway has had enough; TypeError: of None, where it left

    def serve(self, peer):
        bodies = {}
        while got := peer.read():
            kind, flags, stream, payload = got
            if kind == h2.SETTINGS and not flags & 1:
                peer.send(frame(h2.SETTINGS, b"", 1))
            elif kind == h2.PING and not flags & 1:
                peer.send(frame(h2.PING, payload, 1))
            elif kind == h2.HEADERS and flags & END_STREAM:
                self.fetch(self, peer, stream)
            elif kind == h2.DATA:
                bodies[stream] = bodies.get(stream, b"") + payload
                if flags & END_STREAM:
                    is_job = bodies.pop(stream)[:1] != b"\0"
                    self.came += is_job
                    (self.job if is_job else self.rpc)(self, peer, stream)


class Crowd:
    def __init__(self, folder, rows):
        self.rows, self.context, doors = rows, h2.certificate(folder), selectors.DefaultSelector()
        for row in rows:
            doors.register(row.door, selectors.EVENT_READ, row)
        threading.Thread(target=self.run, args=(doors,), daemon=True).start()

    def run(self, doors):
        while True:
            for key, _ in doors.select():
                sock, _ = key.fileobj.accept()
                threading.Thread(target=key.data.converse, args=(self.context, sock), daemon=True).start()


class Nodes(Pair):
    """The pair's gateway knows the crowd too."""

    def __init__(self, folder, runner, crowd):
        self.crowd = crowd
        super().__init__(folder, runner, capacity=8, options=("-jobTimeout", "3s", "-mediaBudget", "64MiB", "-v", "6"))

    def start_gateway(self):
        addresses = [f"127.0.0.1:{port}" for port in (self.service, *(row.port for row in self.crowd))]
        return self.node("gateway", "-orchAddr", ",".join(addresses), "-httpAddr", f"127.0.0.1:{self.http}", "-discoveryTimeout", "2s", "-discoveryInterval", "5s")


def run(url, name):
    began = time.monotonic()
    path, body = "text-to-image", job(model_id=name)
    if name in STREAMS:
        path, body = "llm", {"model": name, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 9, "stream": True}
    status, _, text = ask(f"{url}/{path}", body, timeout=30)
    took = time.monotonic() - began
    if status != 200:
        return took, error_of(text)
    return took, "ok" if name not in STREAMS or b'"code"' not in text else error_of(text.strip().split(b"\n\n")[-1].removeprefix(b"data: "))


def no_orchestrator_hurts_a_gateway(nodes, watch):
    """Each in a line of its own; all at once, since most of them wait for a deadline."""
    bad = []
    allowed = {**{name: row[1] for name, row in OFFERS.items()}, **{name: name in MAY_BE_OK for name in (*JOBS, *FETCHES, *STREAMS)}}
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        rows = {name: pool.submit(run, nodes.url, name) for name in allowed}
        for name, answer in rows.items():
            try:
                took, code = answer.result()
                good = took < 8 and code != "internal" and (code != "ok" or allowed[name])
                words = f"{code} in {took:.1f} s"
            except Exception as why:  # noqa: BLE001    (any fault is this attack's)
                good, words = False, repr(why)
            print("ok" if good else "not ok", "an orchestrator's attack:", name.replace("-", " "), flush=True)
            if not good:
                bad.append(f"{name}: {words}")
    assert not bad, "\n".join(bad)
    idle = [row.name for row in nodes.crowd if row.name not in OFFERS and not row.came]
    assert not idle, f"no job came to {idle}"
    watch.look("after the orchestrators' attacks", 10)


def the_pages_for_people_stay_readable(nodes, watch):
    """What an orchestrator says of itself is in them, whatever it is."""
    _, _, body = ask(f"http://127.0.0.1:{nodes.cli['gateway']}/status", timeout=5)
    assert len(json.loads(body.decode())["gateway"]["orchestrators"]) == len(nodes.crowd) + 1
    _, _, page = ask(f"http://127.0.0.1:{nodes.cli['gateway']}/metrics", timeout=5)
    page.decode()
    assert len(page) < MB


def nobody_was_knocked_at(nodes, watch):
    CANARY.settimeout(0)
    try:
        CANARY.accept()
    except BlockingIOError:
        return
    raise AssertionError("the gateway came to the door that an answer pointed to")


def an_answer_that_is_a_page_is_not_served_as_one(nodes, watch):
    wait_for(lambda: run(nodes.url, "fetch-is-a-page")[1] != "no_orchestrator", "it to be back", 8, 0.3)
    status, _, body = ask(f"{nodes.url}/text-to-image", job(model_id="fetch-is-a-page"))
    if status == 200:
        _, headers, _ = ask(nodes.url + json.loads(body)["images"][0]["url"])
        assert "html" not in headers["Content-Type"] and headers.get("X-Content-Type-Options") == "nosniff", dict(headers)


def both_end_well(nodes, watch):
    watch.end()


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        crowd = [Orchestrator(name, rpc) for name, (rpc, _) in OFFERS.items()]
        crowd += [Orchestrator(name, good_rpc, attack) for name, attack in (*JOBS.items(), *STREAMS.items())]
        crowd += [Orchestrator(name, good_rpc, None, attack) for name, attack in FETCHES.items()]
        Crowd(pathlib.Path(folder), crowd)
        with Nodes(folder, GoodRunner().port, crowd) as nodes:
            # Once all were asked it keeps a connection to each that will do: those are no leak of the attacks.
            wait_for(lambda: ask(f"http://127.0.0.1:{nodes.cli['gateway']}/getNetworkCapabilities")[0] == 200, "all to be asked", 30, 0.1)
            return each({name: value for name, value in globals().items() if name != "info"}, nodes, Watch(nodes))


if __name__ == "__main__":
    sys.exit(main())
