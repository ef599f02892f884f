#!/usr/bin/env python3
"""test_hostile_runner - a runner that lies, dawdles, floods and breaks off; the nodes answer in words and go on.

Each attack is a model of its own at one hostile runner, each line a test.  Beside it a good runner serves good jobs.
All attacks run at once with a short time for each job; then the nodes have to be as they were."""
import base64
import concurrent.futures
import json
import pathlib
import socket
import struct
import sys
import tempfile
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import PICTURE  # noqa: E402
from h2 import grpc  # noqa: E402
from hostile import PROMPT, GoodRunner, Runner, Watch, answer, error_of, job, until_gone  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
GOOD = json.dumps({"images": [{"url": "data:image/png;base64," + base64.b64encode(PICTURE).decode(), "seed": 1, "nsfw": False}]}).encode()
MB = 1 << 20


def says(data, stay=False):
    """An attack that is a few bytes."""
    def attack(sock, path, body):
        sock.sendall(data)
        if stay:
            until_gone(sock)
    return attack


def whole(body, *more):
    return says(answer(body, *more))


def for_ever(first, piece, pause=0.0):
    def attack(sock, path, body):
        sock.sendall(first)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            sock.sendall(piece)
            time.sleep(pause)
    return attack


def reset(first):
    def attack(sock, path, body):
        sock.sendall(first)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return attack


def picture(data, kind="image/png"):
    url = data if isinstance(data, str) else f"data:{kind};base64," + base64.b64encode(data).decode()
    return {"images": [{"url": url, "seed": 1, "nsfw": False}]}


def huge_picture(sock, path, body):
    """100 MB, which is more than the media budget of these nodes."""
    head, tail = json.dumps(picture("data:image/png;base64,#")).encode().split(b"#")
    piece = base64.b64encode(PICTURE[:33] + bytes(3 * MB // 4 * 3 - 33))
    sock.sendall(HEAD + b"Connection: close\r\n\r\n" + head)
    for _ in range(34):
        sock.sendall(piece)
    sock.sendall(tail)


def bomb():
    """A picture of 30000 x 30000 that is 1 KB long."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (PICTURE[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(MB))) + chunk(b"IEND", b""))


def chat_event(words):
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": words}, "finish_reason": ""}]}).encode() + b"\n\n"


QUOTE = f"cannot draw {PROMPT}\n2026-01-01T00:00:00Z broken forged line=1\x1b[2J"

# name: (attack, codes of the gateway's answer; "ok": it may be a result)
ATTACKS = {
    "never-answers": (says(b"", stay=True), {"deadline"}),
    "one-byte-a-second": (for_ever(HEAD + b"X-Slow: ", b"y", 1), {"deadline"}),
    "one-byte-of-the-body-a-second": (for_ever(HEAD + b"Content-Length: 1000\r\n\r\n{", b" ", 1), {"deadline"}),
    "headers-without-end": (for_ever(HEAD, b"X-A: " + b"a" * 1000 + b"\r\n"), {"peer_error"}),
    "ten-thousand-headers": (says(HEAD + b"X: y\r\n" * 10000 + b"\r\n"), {"peer_error"}),
    "a-header-without-end": (for_ever(HEAD + b"X-A: ", b"a" * 5000), {"peer_error"}),
    "a-body-without-end": (for_ever(HEAD + b"\r\n" + GOOD[:-1], b" " * 65536), {"deadline", "peer_error"}),
    "chunks-without-end": (for_ever(CHUNKED + b"1\r\n{\r\n", b"8\r\n        \r\n" * 1000), {"deadline", "peer_error"}),
    "chunk-extensions-without-end": (for_ever(CHUNKED + b"1;", b"a" * 5000), {"deadline", "peer_error"}),
    "trailers-without-end": (for_ever(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(GOOD), GOOD), b"A: b\r\n" * 500), {"peer_error", "ok"}),
    "a-chunk-that-is-none": (says(CHUNKED + b"zz\r\n" + GOOD), {"peer_error"}),
    "a-chunk-larger-than-64-bits": (says(CHUNKED + b"fffffffffffffffff\r\n" + GOOD), {"peer_error"}),
    "a-chunk-of-nearly-64-bits": (says(CHUNKED + b"ffffffffffffffff\r\n" + GOOD), {"peer_error"}),
    "chunks-and-a-length": (says(HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                                 % (len(GOOD), GOOD)), {"peer_error", "ok"}),
    "two-lengths": (says(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + GOOD), {"peer_error"}),
    "a-negative-length": (says(HEAD + b"Content-Length: -1\r\n\r\n" + GOOD), {"peer_error"}),
    "a-length-of-21-digits": (says(HEAD + b"Content-Length: 184467440737095516170\r\n\r\n" + GOOD), {"peer_error"}),
    "a-length-that-is-too-long": (says(HEAD + b"Content-Length: 99999\r\n\r\n" + GOOD), {"peer_error"}),
    "a-length-that-is-too-short": (says(HEAD + b"Content-Length: 20\r\n\r\n" + GOOD), {"peer_error"}),
    "a-terabyte-announced": (says(HEAD + b"Content-Length: 1099511627776\r\n\r\n" + GOOD), {"peer_error"}),
    "breaks-off-in-the-head": (says(HEAD[:40]), {"peer_error"}),
    "breaks-off-in-the-body": (says(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD[:-20]), {"peer_error"}),
    "resets-at-once": (reset(b""), {"peer_error"}),
    "resets-in-the-body": (reset(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD[:-20]), {"peer_error"}),
    "interim-answers-without-end": (for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 500),
                                    {"peer_error", "deadline"}),
    "switches-protocols": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00", True),
                           {"peer_error"}),
    "a-status-of-zero": (says(b"HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n"), {"peer_error"}),
    "a-status-of-999": (says(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), {"peer_error"}),
    "no-content": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), {"peer_error"}),
    "a-redirect": (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n"), {"peer_error"}),
    "not-http": (says(b"SSH-2.0-OpenSSH_9.2p1\r\n" + bytes(range(256)) * 64), {"peer_error"}),
    "a-page": (whole(b"<html><body>" + PROMPT.encode(), "200 OK", "text/html"), {"peer_error"}),
    "gzip-that-was-not-asked-for": (whole(zlib.compress(GOOD), "200 OK", "application/json", "Content-Encoding: gzip"), {"peer_error"}),
    "nothing": (whole(b""), {"peer_error"}),
    "null": (whole(b"null"), {"peer_error"}),
    "a-list": (whole(b"[]"), {"peer_error"}),
    "deep-json": (whole(b'{"images":' + b"[" * 200000), {"peer_error"}),
    "deep-json-that-is-closed": (whole(b'{"images":' + b"[" * 100000 + b"]" * 100000 + b"}"), {"peer_error"}),
    "wide-json": (whole(b'{"images": [' + b"{}," * 500000 + b"{}]}"), {"peer_error"}),
    "many-pictures": (whole(b'{"images": [' + b",".join([b'{"url": "data:image/png;base64,iVBORw0KGgo="}'] * 20000) + b"]}"), {"peer_error"}),
    "a-number-of-a-megabyte": (whole(b'{"images": [], "seed": ' + b"9" * MB + b"}"), {"peer_error"}),
    "a-name-of-a-megabyte": (whole(b'{"' + b"a" * MB + b'": 1, ' + GOOD[1:]), {"peer_error", "ok"}),
    "lone-surrogates": (whole(b'{"note": "\\ud800", ' + GOOD[1:]), {"peer_error", "ok"}),
    "bad-utf-8": (whole(b'{"note": "\xff\xfe\xc0\x80", ' + GOOD[1:]), {"peer_error", "ok"}),
    "a-nul": (whole(b'{"note": "\0", ' + GOOD[1:]), {"peer_error", "ok"}),
    "no-pictures": (whole({"images": []}), {"peer_error"}),
    "a-picture-of-no-bytes": (whole(picture(b"")), {"peer_error"}),
    "a-picture-that-is-none": (whole(picture(b"GIF89a-is-not-this")), {"peer_error", "ok"}),
    "a-picture-that-is-a-page": (whole(picture(b"<script>alert(1)</script>", "text/html")), {"peer_error", "ok"}),
    "base64-that-is-none": (whole(picture("data:image/png;base64,####")), {"peer_error"}),
    "base64-with-escapes": (whole(b'{"images": [{"url": "data:image/png;base64,' + b"\\u0041" * 4000 + b'"}]}'), {"peer_error", "ok"}),
    "a-picture-of-100-mb": (huge_picture, {"peer_error", "no_room", "deadline"}),
    "a-picture-that-claims-2-gigapixels": (whole(picture(bomb())), {"peer_error", "ok"}),
    "a-file-for-a-picture": (whole(picture("file:///etc/passwd")), {"bad_answer"}),
    "a-socket-for-a-picture": (whole(picture("unix:/var/run/docker.sock")), {"bad_answer"}),
    "another-host-for-a-picture": (whole(picture("http://127.0.0.1:1/x.png")), {"bad_answer"}),
    "a-path-out-of-the-folder": (whole(picture("/../../etc/passwd")), {"peer_error", "bad_answer", "media_lost"}),
    "a-link-with-line-ends": (whole(picture("/x\r\nHost: evil\r\n\r\n")), {"peer_error", "bad_answer", "media_lost"}),
    "an-error-that-quotes": (whole({"detail": {"msg": QUOTE}}, "500 Internal Server Error"), {"peer_error"}),
    "a-refusal-that-quotes": (whole({"detail": {"msg": QUOTE}}, "400 Bad Request"), {"bad_request", "peer_refused"}),
    "an-invalid-that-quotes": (whole({"detail": [{"loc": ["body", PROMPT], "msg": QUOTE, "type": "x"}]}, "422 No"),
                               {"invalid_parameter", "bad_request", "peer_refused", "peer_error"}),
    "an-error-in-bad-utf-8": (whole(b'{"detail": {"msg": "\xff\xfe\x80 \0"}}', "400 Bad Request"), {"bad_request", "peer_refused", "peer_error"}),
    "an-error-of-10-mb": (whole(b"x" * 10 * MB, "500 Internal Server Error", "text/plain"), {"peer_error"}),
    "an-error-without-end": (for_ever(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536), {"peer_error"}),
}

STREAMS = {
    "events-without-a-line-end": (for_ever(EVENTS, b"data: " + b"x" * 65536), {"peer_error"}),
    "events-without-data": (for_ever(EVENTS, b": nothing\n\n" * 500), {"deadline", "peer_error"}),
    "events-without-end": (for_ever(EVENTS, chat_event("on and on"), 0.01), {"deadline", "peer_error"}),
    "an-event-of-2-mb": (says(EVENTS + chat_event("x" * 2 * MB)), {"peer_error", "ok"}),
    "events-that-are-no-json": (says(EVENTS + b"data: {\"choices\": [\n\ndata: \xff\xfe\0\n\n"), {"peer_error", "ok"}),
    "no-event-at-all": (says(EVENTS), {"peer_error"}),
    "a-stream-that-breaks-off": (reset(EVENTS + chat_event("half")), {"peer_error", "ok"}),
    "a-stream-that-stalls": (says(EVENTS + chat_event("half"), stay=True), {"deadline", "peer_error"}),
    "an-error-event-that-quotes": (says(EVENTS + b"data: " + json.dumps({"error": {"message": QUOTE}}).encode() + b"\n\n"),
                                   {"peer_error", "ok"}),
    "json-where-events-belong": (whole({"choices": []}), {"peer_error", "bad_answer"}),
}

HEALTH = {
    "health-is-500": {"health": whole(b"", "500 No")},
    "health-is-a-bomb": {"health": whole(b'{"status": ' + b"[" * 100000)},
    "health-without-end": {"health": for_ever(HEAD + b"\r\n{", b" " * 65536)},
    "health-in-bad-utf-8": {"health": whole(b'{"status": "\xff\0\x1b[2J"}')},
    "health-is-slow": {"health": for_ever(b"", b"H", 1)},
    "version-is-long": {"version": whole({"version": "9" * 200000})},
    "version-has-a-nul": {"version": whole(b'{"version": "1\\u0000.\\u001b[2J"}')},
    "version-is-a-number": {"version": whole(b'{"version": 1e999}')},
    "hardware-of-a-thousand-gpus": {"hardware/info": whole({"gpu_info": {str(n): {"id": "x"} for n in range(1000)}})},
    "hardware-with-long-names": {"hardware/info": whole({"gpu_info": {str(n): {"id": "x" * 4000, "name": "y" * 4000} for n in range(30)}})},
    "hardware-with-numbers-that-are-none": {"hardware/info": whole(
        b'{"gpu_info": {"0": {"major": -1, "minor": 1e300, "memory_free": 99999999999999999999999, "memory_total": "x", "name": "\\u0000"}}}')},
}


def chat(model):
    return {"model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 16, "stream": True}


def run(url, name):
    """(seconds, status, body)"""
    began = time.monotonic()
    path, body = ("llm", chat(name)) if name in STREAMS else ("text-to-image", job(model_id=name))
    status, _, text = ask(f"{url}/{path}", body, timeout=30)
    return time.monotonic() - began, status, text


def outcome(status, body):
    """The code of an answer, or of the last event of a stream that had begun."""
    if status != 200:
        return error_of(body)
    if body.startswith(b"data:"):
        last = body.strip().split(b"\n\n")[-1].removeprefix(b"data:").strip()
        if last.startswith(b"{") and b'"error"' in last and b'"choices"' not in last:
            return error_of(last)
    return "ok"


class Nodes(Pair):
    """A model for each attack, and good ones; a job may take three seconds."""

    def __init__(self, folder, good, bad):
        self.bad = bad
        super().__init__(folder, good, capacity=4, options=("-jobTimeout", "3s", "-mediaBudget", "32MiB", "-v", "6"))

    def start_orchestrator(self):
        path = self.folder / "aiModels.json"
        models = json.loads(path.read_text())
        if len(models) < 20:
            for names, pipeline in (ATTACKS, "text-to-image"), (STREAMS, "llm"), (HEALTH, "text-to-image"):
                models += [{"pipeline": pipeline, "model_id": name, "url": f"http://127.0.0.1:{self.bad.ports[name]}", "warm": True,
                            "capacity": 4} for name in names]
            path.write_text(json.dumps(models))
        return super().start_orchestrator()


def no_attack_of_a_runner_hurts(nodes, watch):
    """Each in a line of its own; all at once, since most of them wait for a deadline."""
    names = [*ATTACKS, *STREAMS]
    wait_for(lambda: all(row["state"] == "ready" for row in runners(nodes) if row["model"] in names), "the hostile models to be offered", 15, 0.1)
    bad = []
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = {name: pool.submit(run, nodes.url, name) for name in names}
        for name, answered in answers.items():
            expected = {**ATTACKS, **STREAMS}[name][1]
            try:
                took, status, body = answered.result()
                code = outcome(status, body)
                good = code in expected and took < 8
                words = f"{code} in {took:.1f} s: {body[:300]!r}"
            except Exception as why:  # noqa: BLE001    (any fault is this attack's)
                good, words = False, repr(why)
            print("ok" if good else "not ok", "a runner's attack:", name.replace("-", " "), flush=True)
            if not good:
                bad.append(f"{name}: {words}")
    assert not bad, "\n".join(bad)
    watch.look("after the runner's attacks", 10)


def runners(nodes):
    return json.loads(ask(f"http://127.0.0.1:{nodes.cli['orchestrator']}/status", timeout=5)[2])["orchestrator"]["runners"]


def a_runner_whose_health_is_no_good_is_down_and_the_others_are_not(nodes, watch):
    wait_for(lambda: not [row for row in runners(nodes) if row["model"].startswith("health") and row["state"] == "ready"],
             "the bad ones to be down", 10, 0.1)
    states = {row["model"]: row["state"] for row in runners(nodes)}
    for name in HEALTH:
        if not name.startswith("health"):
            assert states[name] == "ready", (name, states[name])
    watch.look("after bad health")


def what_a_runner_says_of_its_hardware_stays_small(nodes, watch):
    """It is passed on to every gateway."""
    info, _ = grpc(nodes.service, "Orchestrator/GetOrchestrator")
    assert b"hardware-with-long-names" in info and len(info) < 40000, len(info)


def a_result_that_is_a_page_is_not_served_as_one(nodes, watch):
    status, _, body = ask(f"{nodes.url}/text-to-image", job(model_id="a-picture-that-is-a-page"))
    if status == 200:
        url = json.loads(body)["images"][0]["url"]
        _, headers, _ = ask(nodes.url + url)
        assert "html" not in headers["Content-Type"], headers["Content-Type"]
        assert headers.get("X-Content-Type-Options") == "nosniff", dict(headers)


def a_client_that_leaves_gives_each_slot_back(nodes, watch):
    """At any moment of a job whose runner works on."""
    socks = []
    body = json.dumps(job(model_id="never-answers")).encode()
    chats = json.dumps(chat("events-without-end")).encode()
    for n in range(12):
        path, data = ("/text-to-image", body) if n % 2 else ("/llm", chats)
        sock = socket.create_connection(("127.0.0.1", nodes.http), timeout=10)
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (path.encode(), len(data), data))
        socks.append(sock)
        time.sleep(0.02 * n)
        socks.pop(0).close()
    watch.look("after clients that left", 4)


def both_end_well(nodes, watch):
    watch.end()


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        good = GoodRunner()
        bad = Runner({**{name: row[0] for name, row in {**ATTACKS, **STREAMS}.items()}, **HEALTH})
        with Nodes(folder, good.port, bad) as nodes:
            return each(globals(), nodes, Watch(nodes))


if __name__ == "__main__":
    sys.exit(main())
