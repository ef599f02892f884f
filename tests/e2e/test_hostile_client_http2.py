#!/usr/bin/env python3
"""test_hostile_client_http2 - clients that break the rules of HTTP/2 or flood within them, against both nodes.

Frames are written by hand.  Each function is a test; after each the nodes have to be as they were."""
import base64
import concurrent.futures
import json
import pathlib
import random
import struct
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "peer")]
import h2  # noqa: E402
from h2 import END_HEADERS, END_STREAM, PADDED, Peer, block, frame, post, request, setting, status_of, text  # noqa: E402
from hostile import GoodRunner, Watch, job, watched  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402
from wire import message  # noqa: E402

JOBS = 8
GOOD = json.dumps(job()).encode()
CALM = {0xb, 2}     # ENHANCE_YOUR_CALM; INTERNAL_ERROR, where nghttp2 counts by itself


def plain(nodes, *settings):
    return h2.client(nodes.http, settings=b"".join(settings))


def secret(nodes, *settings):
    return h2.client(nodes.service, tls=True, settings=b"".join(settings))


DOORS = (plain, secret)


def u32(n):
    return struct.pack(">I", n)


def odd(n):
    return range(1, 2 * n, 2)


def get(stream, path="/nothing", *more):
    return frame(h2.HEADERS, request(path, *more, method="GET"), END_HEADERS | END_STREAM, stream)


# ---- floods ----

RESET_AT_ONCE = [post(n, GOOD)[:-9 - len(GOOD)] + frame(h2.RST, u32(8), 0, n) for n in odd(20000)]

# Each a list of pieces, which are sent until the node has had enough.
FLOODS = {
    "streams that are reset at once": RESET_AT_ONCE,
    "requests that are reset at once": [get(n) + frame(h2.RST, u32(8), 0, n) for n in odd(20000)],
    "pings": [frame(h2.PING, bytes(8)) * 100] * 1000,
    "settings": [setting(window=65535) * 100] * 1000,
    "settings of nothing": [setting() * 100] * 1000,
    "priorities": [b"".join(frame(h2.PRIORITY, u32(0) + b"\x10", 0, n) for n in odd(100))] * 1000,
    "empty data": [post(1, b"")[:-9]] + [frame(h2.DATA, b"", 0, 1) * 100] * 1000,
    "empty data with padding": [post(1, b"")[:-9]] + [frame(h2.DATA, b"\xff" + bytes(255), PADDED, 1) * 100] * 1000,
    "continuations": [frame(h2.HEADERS, request("/nothing"), 0, 1)] + [frame(h2.CONTINUATION, block(("x", "y")) * 100, 0, 1)] * 20000,
    "empty continuations": [frame(h2.HEADERS, request("/nothing"), 0, 1)] + [frame(h2.CONTINUATION, b"", 0, 1) * 100] * 2000,
    "heads that are too large": [frame(h2.HEADERS, request("/nothing")[:-1] + block(*[("x", "y" * 100)] * 100), END_HEADERS | END_STREAM, n)
                                 for n in odd(20000)],
    "data for streams that are closed": [get(1)] + [frame(h2.DATA, b"x" * 100, 0, 1) * 100] * 1000,
    "resets of streams that are closed": [get(1)] + [frame(h2.RST, u32(8), 0, 1) * 100] * 1000,
    "window updates that break": [b"".join(get(n) + frame(h2.WINDOW, u32(0), 0, n) for n in odd(n * 100)[-100:]) for n in range(1, 200)],
    "requests whose length lies": [post(n, b"x", "/text-to-image", ("content-length", "7")) for n in odd(20000)],
    "requests that name no path": [frame(h2.HEADERS, block((":method", "GET"), (":scheme", "http")), 5, n) for n in odd(20000)],
}


def flood(nodes, door, pieces):
    """(the last GOAWAY's code, seconds): the connection has to be ended, whoever is at its other side."""
    began = time.monotonic()
    with door(nodes) as peer:
        peer.sock.settimeout(0.0001)
        code = None
        for n, piece in enumerate(pieces):
            peer.sock.settimeout(8)
            if not peer.send(piece):
                break
            if n % 20 == 0:
                code = goaway_so_far(peer) or code
                if code is not None and code != "none":
                    break
        peer.sock.settimeout(8)
        _, last = peer.end()
        return last if last is not None else code, time.monotonic() - began


def goaway_so_far(peer):
    """Read what is there, so that the node's answers do not stop it; the code of a GOAWAY, or None."""
    peer.sock.settimeout(0.0005)
    try:
        while got := peer.read():
            if got[0] == h2.GOAWAY:
                return int.from_bytes(got[3][4:8], "big")
        return "none"
    except TimeoutError:
        return None
    except OSError:
        return "none"


def no_flood_goes_on_for_long(nodes, runner):
    jobs, bad = len(runner.jobs), []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        rows = [(name, door, pool.submit(flood, nodes, door, pieces)) for name, pieces in FLOODS.items() for door in DOORS]
        for name, door, answer in rows:
            try:
                code, took = answer.result()
                good = took < 15
                words = f"{code} after {took:.1f} s"
            except Exception as why:  # noqa: BLE001    (any fault is this flood's)
                good, words = False, repr(why)
            print("ok" if good else "not ok", f"a flood at the {'gateway' if door is plain else 'orchestrator'}: {name}", flush=True)
            if not good:
                bad.append(f"{name}: {words}")
    assert not bad, "\n".join(bad)
    assert len(runner.jobs) - jobs < 50, f"{len(runner.jobs) - jobs} jobs reached the runner"


def requests_reset_after_they_were_sent_do_not_pile_up_at_the_runner(nodes, runner):
    """CVE-2023-44487 with work behind it: each job is begun and given up at once."""
    jobs = len(runner.jobs)
    body = json.dumps(job("hang")).encode()
    with plain(nodes) as peer:
        for n in odd(8000):
            if not peer.send(post(n, body), frame(h2.RST, u32(8), 0, n)):
                break
        _, code = peer.end()
        assert code in CALM, code
    wait_for(lambda: all(row["gone"].is_set() for row in runner.jobs[jobs:] if b"hang" in row["body"]), "the runner to be told", 10)


# ---- one frame that is wrong ----

WRONG = {
    "data on stream 0": frame(h2.DATA, b"x", 0, 0), "data on an idle stream": frame(h2.DATA, b"x", 0, 7), "a head on stream 0": frame(h2.HEADERS, request(), 5, 0),
    "an even stream": get(2), "a stream that goes back": get(5) + get(3), "a push": frame(h2.PUSH, u32(2) + request(), 4, 1),
    "a reset of an idle stream": frame(h2.RST, u32(8), 0, 9), "a reset of 3 bytes": frame(h2.RST, b"abc", 0, 1), "a ping of 7 bytes": frame(h2.PING, bytes(7)),
    "a ping on a stream": frame(h2.PING, bytes(8), 0, 1), "settings on a stream": frame(h2.SETTINGS, b"", 0, 1), "settings of 5 bytes": frame(h2.SETTINGS, bytes(5)),
    "an acknowledgement with bytes": frame(h2.SETTINGS, bytes(6), 1), "a window of 2^31": setting(window=2**31), "a frame size of 0": setting(size=0),
    "push that is 2": setting(push=2), "a window update of 0": frame(h2.WINDOW, u32(0)), "a window update of 3 bytes": frame(h2.WINDOW, b"abc"),
    "a window that overflows": frame(h2.WINDOW, u32(2**31 - 1)) * 2, "a continuation of nothing": frame(h2.CONTINUATION, b"", 4, 1),
    "another frame inside a head": frame(h2.HEADERS, request(), 0, 1) + frame(h2.PING, bytes(8)), "padding beyond the frame": frame(h2.DATA, b"\xff", PADDED, 1),
    "a head padded beyond itself": frame(h2.HEADERS, b"\xff\x82", 4 | PADDED, 1), "a frame of 16 MB announced": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(100000),
    "a head of 20 kB in one frame": frame(h2.HEADERS, bytes(20000), 4, 1), "bad hpack": frame(h2.HEADERS, b"\xff\xff\xff\xff\xff\xff\xff\xff", 5, 1),
    "hpack that names nothing": frame(h2.HEADERS, b"\xfe", 5, 1), "a table of 4 GB": frame(h2.HEADERS, b"\x3f\xff\xff\xff\xff\x0f" + request(), 5, 1),
    "bad huffman": frame(h2.HEADERS, b"\x00\x81\xff\x81\xff", 5, 1), "a stream that hangs on itself": frame(h2.HEADERS, u32(1) + b"\x10" + request(), 0x25, 1),
    "not http/2": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10, "noise": random.Random(7).randbytes(5000),
}


# What a server may pass over, or has to (RFC 9113, 5.1: frames on a stream that was closed a moment ago).
PASSED_OVER = {"a stream that goes back", "a window update of 0"}


def one_frame_that_is_wrong_ends_the_connection(nodes, runner):
    """With a code that says so, and at once: not when it has been idle for long."""
    jobs, bad = len(runner.jobs), []
    for name, data in WRONG.items():
        for door in DOORS:
            began = time.monotonic()
            with door(nodes) as peer:
                peer.sock.settimeout(5)
                peer.send(data)
                peer.send(frame(h2.PING, b"12345678"))
                try:
                    _, code = peer.end()
                except AssertionError:
                    code = "never"
            if name not in PASSED_OVER and (code in (0, "never") or time.monotonic() - began > 1.9):
                bad.append((name, door.__name__, code, round(time.monotonic() - began, 1)))
    assert not bad, bad
    assert len(runner.jobs) == jobs


# ---- requests that are wrong ----

def line(*pairs, more=()):
    usual = {":method": "POST", ":scheme": "http", ":path": "/text-to-image", ":authority": "x"}
    return block(*{**usual, **dict(pairs)}.items(), *more)


HEADS = {
    "an upper-case name": line(more=[("X-Upper", "y")]), "connection": line(more=[("connection", "close")]), "transfer-encoding": line(more=[("transfer-encoding", "chunked")]),
    "upgrade": line(more=[("upgrade", "websocket")]), "te": line(more=[("te", "gzip")]), "keep-alive": line(more=[("keep-alive", "1")]),
    "a name of nothing": line(more=[("", "y")]), "a name with a colon": line(more=[(":x", "y")]), "a pseudo-header too late": line(more=[("x", "y"), (":path", "/")]),
    "two paths": line(more=[(":path", "/")]), "no method": block((":scheme", "http"), (":path", "/"), (":authority", "x")), "no path": block((":method", "GET"), (":scheme", "http"), (":authority", "x")),
    "an empty path": line((":path", "")), "a path without a slash": line((":path", "text-to-image")), "a path with a space": line((":path", "/text to-image")),
    "a path with line ends": line((":path", "/\r\nX: y")), "a nul in a value": line(more=[("x", "a\0b")]), "a line end in a value": line(more=[("x", "a\r\nb")]),
    "two lengths": line(more=[("content-length", "5"), ("content-length", "6")]), "a length that is none": line(more=[("content-length", "x")]),
    "connect": block((":method", "CONNECT"), (":authority", "x:80")), "a method of noise": line((":method", "P\0ST")), "a scheme of noise": line((":scheme", "h t")),
    "no authority": block((":method", "POST"), (":scheme", "http"), (":path", "/text-to-image")), "an authority of noise": line((":authority", "x y@z")),
    "a host that differs": line(more=[("host", "evil")]), "ten thousand headers": line(more=[("x", "y")] * 1200), "a long path": line((":path", "/" + "a" * 12000)),
}


def no_head_that_is_wrong_becomes_a_job(nodes, runner):
    """Refused with a status or a reset; the connection and the other requests on it go on, or it ends."""
    jobs = len(runner.jobs)
    for name, head in HEADS.items():
        for door in DOORS:
            with door(nodes) as peer:
                peer.sock.settimeout(5)
                peer.send(frame(h2.HEADERS, head, END_HEADERS, 1), frame(h2.DATA, b"{", END_STREAM, 1))
                while got := peer.read():
                    if got[2] == 1 and got[0] in (h2.HEADERS, h2.RST) or got[0] == h2.GOAWAY:
                        break
                assert not got or got[0] != h2.HEADERS or (status_of(got[3]) or 400) >= 400, (name, door.__name__, got)
    assert len(runner.jobs) == jobs


def a_head_that_unfolds_is_bounded(nodes, _):
    """An HPACK bomb: 4 kB that are named sixteen thousand times are 64 MB."""
    value = b"y" * 3900
    head = request("/nothing") + b"\x40" + text("x") + text(value)
    for door in DOORS:
        with door(nodes) as peer:
            peer.send(frame(h2.HEADERS, head + b"\xbe" * 12000, END_STREAM, 1), frame(h2.CONTINUATION, b"\xbe" * 16000, END_HEADERS, 1))
            got = peer.until(h2.HEADERS, 1)
            assert got is None or status_of(got[3]) == 431, got


# ---- slow ----

def a_head_that_never_ends_is_ended(nodes, _):
    for door in DOORS:
        with door(nodes) as peer:
            peer.sock.settimeout(5)
            peer.send(frame(h2.HEADERS, request()[:10], 0, 1))
            peer.end()


def a_body_that_never_comes_is_ended(nodes, _):
    with plain(nodes) as peer:
        peer.sock.settimeout(5)
        peer.send(frame(h2.HEADERS, request("/text-to-image", ("content-type", "application/json")), END_HEADERS, 1), frame(h2.DATA, b"{", 0, 1))
        while (got := peer.read()) and not (got[0] in (h2.HEADERS, h2.RST) and got[2] == 1):
            pass
        assert got, "it was to be answered or reset"


def a_preface_that_never_comes_is_ended(nodes, _):
    sock = h2.tls_client(nodes.service)
    with Peer(sock) as peer:
        sock.settimeout(5)
        sock.sendall(h2.PREFACE[:10])
        peer.end()


def streams_without_a_window_hold_little(nodes, runner):
    """A hundred answers that nobody takes: the node holds what a stream may hold, and no more."""
    with plain(nodes, setting(window=0)) as peer:
        for n in odd(100):
            peer.send(get(n, "/openapi.json"))
        time.sleep(0.5)
        assert ask(f"{nodes.url}/text-to-image", job())[0] == 200


def clients_that_leave_at_any_moment_leave_nothing_behind(nodes, runner):
    dice = random.Random(44487)
    bodies = [json.dumps(job(prompt)).encode() for prompt in ("hang", "slow", "large", "a fox")]

    def one(n):
        with plain(nodes) as peer:
            for stream in odd(1 + n % 4):
                data = post(stream, bodies[dice.randrange(4)], "/text-to-image?media=inline")
                peer.send(data[:len(data) if n % 3 else dice.randrange(len(data))])
            time.sleep(dice.random() * 0.3)
            if n % 5 == 0:
                peer.send(frame(h2.GOAWAY, u32(0) + u32(0)))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(60)))


def more_streams_than_jobs_are_told_so(nodes, runner):
    """One connection, ten times as many requests as the node takes jobs."""
    runner.gate.clear()
    body = json.dumps(job("wait")).encode()
    with plain(nodes, setting(window=1 << 20)) as peer:
        peer.send(*[post(n, body) for n in odd(10 * JOBS)])
        statuses = []
        try:
            while len(statuses) < 9 * JOBS:
                got = peer.read()
                if got[0] == h2.HEADERS:
                    statuses.append(got[2])
        finally:
            runner.gate.set()
        while len(statuses) < 10 * JOBS:
            got = peer.read()
            if got[0] == h2.HEADERS:
                statuses.append(got[2])
    assert sum(b"wait" in row["body"] for row in runner.jobs) <= 2 * JOBS


def no_rpc_that_is_wrong_hurts_the_orchestrator(nodes, _):
    """Messages that are garbage, cut off, deep or large; methods that nobody serves here."""
    good, _ = h2.grpc(nodes.service, "Orchestrator/GetOrchestrator")
    caps = message([(5, message([(2, message([(1, 27), (2, message([(1, message([(1, b"m" * 50000)]))] * 50))]))] * 20))])
    for words in b"", b"\xff" * 100, random.Random(3).randbytes(1000), good[:len(good) // 2], b"\xa3\x06" * 100000, message([(3, good)]), message([(3, caps)]), \
            message([(3, message([(1, b"\xff" * 100000)]))]), message([(1, b"a" * 3000000)]):
        for method in "Orchestrator/GetOrchestrator", "Orchestrator/Ping", "Orchestrator/Nothing", "AIWorker/RegisterAIWorker", "Transcoder/RegisterTranscoder":
            h2.grpc(nodes.service, method, words)       # an answer or an end, in time


def no_credentials_that_are_wrong_become_a_job(nodes, runner):
    jobs, noise = len(runner.jobs), random.Random(4)
    token = message([(1, b"t" * 32), (2, b"s"), (3, 1 << 40)])
    segments = [b"====", b"A" * 9000, b"\x80\xff", *map(base64.b64encode, (
        noise.randbytes(500), message([(1, b"27_test"), (8, token)]), message([(1, b"27_test\0\r\n"), (7, message([(1, b"\xff" * 1000)])), (8, token)]),
        message([(2, 1 << 63), (6, 1 << 31), (8, message([(3, 1 << 63)]))])))]
    for segment in segments:
        for payment in b"", b"A" * 5000, base64.b64encode(noise.randbytes(300)), b"\xff":
            with secret(nodes) as peer:
                peer.sock.settimeout(5)
                peer.send(post(1, GOOD, "/text-to-image", ("livepeer-segment", segment), ("livepeer-payment", payment), ("authorization", "Livepeer-AI-Worker-1.0")))
                got = peer.until(h2.HEADERS, 1)
                assert got and (status_of(got[3]) or 400) >= 400, (segment[:40], payment[:40], got)
    assert len(runner.jobs) == jobs


def noise(dice, peer):
    """Frames that are mostly right, in an order that is mostly wrong."""
    live = 1
    for _ in range(dice.randrange(1, 60)):
        kind, stream = dice.randrange(8), dice.choice((0, 1, 3, 5, live, live))
        if kind < 3:
            live += 2
        path = dice.choice(("/text-to-image", "/llm", "/upscale", "/nothing", "/stream/x/y", "/net.Orchestrator/Ping"))
        piece = (post(live, GOOD if dice.random() < 0.7 else b"x", path), post(live, GOOD, path), post(live, GOOD)[:-dice.randrange(1, 60)],
                 frame(h2.RST, u32(dice.randrange(14)), 0, live), frame(h2.WINDOW, u32(dice.randrange(1, 1 << 16)), 0, stream), setting(window=dice.choice((0, 1, 65535))),
                 frame(dice.randrange(12), dice.randbytes(dice.randrange(40)), dice.randrange(256), stream), frame(h2.GOAWAY, bytes(8)))[kind]
        if not peer.send(piece):
            break
        if dice.random() < 0.3:
            try:
                peer.read()
            except (TimeoutError, OSError):
                pass


def noise_hurts_nobody(nodes, _):
    dice = random.Random(20261124)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        with dice.choice(DOORS)(nodes) as peer:
            peer.sock.settimeout(0.02)
            noise(dice, peer)


def both_end_well(nodes, _):
    for role in "gateway", "orchestrator":
        assert nodes.end(getattr(nodes, role)) == 0, role


def main():
    options = ("-headerTimeout", "1s", "-bodyTimeout", "1s", "-idleTimeout", "2s", "-maxJobs", str(JOBS), "-maxBodyBytes", "4MiB", "-jobTimeout", "10s")
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = GoodRunner()
        with Pair(folder, runner.port, capacity=JOBS, options=options) as nodes:
            watch = Watch(nodes)
            tests = watched({name: test for name, test in globals().items() if name != "both_end_well"}, watch)
            return each({**tests, "both_end_well": both_end_well}, nodes, runner)


if __name__ == "__main__":
    sys.exit(main())
