#!/usr/bin/env python3
"""test_hostile_client_http1 - clients that dawdle, smuggle, flood and leave, over HTTP/1.1, against both nodes.

Each function is a test; after each the nodes have to be as they were."""
import concurrent.futures
import json
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import PICTURE  # noqa: E402
from h2 import tls_client  # noqa: E402
from hostile import PROMPT, GoodRunner, Watch, error_of, job, watched  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402

JOBS = 8        # -maxJobs
MB = 1 << 20
JSON = "Content-Type: application/json"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


def plain(nodes):
    return socket.create_connection(("127.0.0.1", nodes.http), timeout=10)


def secret(nodes):
    return tls_client(nodes.service, ["http/1.1"])


DOORS = (plain, secret)


def read_all(sock):
    """What comes until the node closes."""
    data = b""
    try:
        while got := sock.recv(65536):
            data += got
    except ConnectionError:
        pass
    return data


def answers(data):
    return len(re.findall(rb"HTTP/1\.1 \d\d\d ", data))


def say(sock, data):
    try:
        sock.sendall(data)
    except ConnectionError:
        pass


def talk(sock, data):
    with sock:
        say(sock, data)
        return read_all(sock)


def head(*lines, line="POST /text-to-image HTTP/1.1", host="Host: x"):
    return "\r\n".join(filter(None, [line, host, *lines])).encode("latin-1") + b"\r\n\r\n"


def send(nodes, body, kind="application/json", path="/text-to-image"):
    """(status, code) of one request in good form."""
    status, _, answer = ask(nodes.url + path, body, {"Content-Type": kind}, timeout=10)
    return status, "ok" if status == 200 else error_of(answer)


# ---- slow ----

def whoever_dawdles_in_any_phase_is_ended(nodes, runner):
    """In the first bytes, the head, the body, and between requests; both doors at once.  A handshake gets 10 s."""
    body = json.dumps(job()).encode()
    whole = head(JSON, f"Content-Length: {len(body)}") + body
    phases = {"says nothing": b"", "half a line": b"PO", "half a head": head()[:-6], "half a body": whole[:-5],
              "half a chunk": head(JSON, "Transfer-Encoding: chunked") + b"10\r\nabc", "idles": head(line="GET /x HTTP/1.1")}
    socks = {(name, door.__name__): door(nodes) for name in phases for door in DOORS}
    socks["no handshake", ""] = socket.create_connection(("127.0.0.1", nodes.service))
    half = socks["half a handshake", ""] = socket.create_connection(("127.0.0.1", nodes.service))
    half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    began = time.monotonic()
    for (name, _), sock in socks.items():
        say(sock, phases.get(name, b""))
    for (name, door), sock in socks.items():
        with sock:
            sock.settimeout(max(0.1, 13 - (time.monotonic() - began)))
            answer = read_all(sock)
        assert answers(answer) <= 1, (name, door, answer)
        if name.startswith("half a") and "handshake" not in name:
            assert answer[9:12] in (b"408", b"400", b"401", b"403"), (name, door, answer)


def one_byte_at_a_time_is_no_way_around_a_deadline(nodes, _):
    with plain(nodes) as sock:
        began = time.monotonic()
        sock.sendall(b"POST /text-to-image HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        try:
            while time.monotonic() - began < 6:
                sock.sendall(b"y")
                time.sleep(0.1)
        except ConnectionError:
            pass
        assert time.monotonic() - began < 4, "a head may come a byte at a time"


def whoever_does_not_read_is_ended_and_holds_nothing(nodes, _):
    """Requests without end, whose answers nobody takes: reading stops, not the node."""
    socks = [door(nodes) for door in DOORS for _ in range(4)]
    for sock in socks:
        sock.settimeout(0.5)
        try:
            for _ in range(400):
                sock.sendall(head(line="GET /nothing HTTP/1.1") * 100)
        except OSError:
            pass
    assert ask(f"{nodes.url}/text-to-image", job())[0] == 200
    for sock in socks:
        sock.close()


# ---- heads ----

def heads_that_are_too_much_are_refused(nodes, _):
    for door in DOORS:
        for data, statuses in ((head(*["X: y"] * 10000), {431}), (head("X-Long: " + "a" * (128 * 1024 + 1)), {431}),
                               (head("a" * 140000 + ": x"), {431}), (head("X-Long: " + "a" * 65537, line="GET /nothing HTTP/1.1",), {404, 431}),
                               (head(line="GET /" + "a" * 70000 + " HTTP/1.1"), {414, 431}), (b"A" * 300000, {400, 414, 431, 501})):
            answer = talk(door(nodes), data + (b"" if b"nothing" not in data else head("Connection: close", line="GET /x HTTP/1.1")))
            assert int(answer[9:12]) in statuses, (door.__name__, data[:60], answer[:300])


SMUGGLED = [head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
            head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
            head("Content-Length: 0", "Content-Length: 33"), head("Content-Length: 0, 33"), head("Content-Length: 0x0"),
            head("Content-Length: 0 33"), head("Content-Length: -0"), head("Content-Length:"), head("Content-Length: 99999999999999999999"),
            head("Transfer-Encoding: identity", "Content-Length: 0"), head("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
            head("Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", head("Transfer-Encoding: chunked", "Transfer-Encoding: x") + b"0\r\n\r\n",
            head("Transfer-Encoding: \x00chunked") + b"0\r\n\r\n", head("Transfer_Encoding: chunked", "Transfer-Encoding : chunked") + b"0\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"0;\n\r\n\r\n", head("Transfer-Encoding: chunked") + b"-0\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"0x0\r\n\r\n", head("Transfer-Encoding: chunked") + b"10000000000000000\r\n\r\n",
            head("Transfer-Encoding: chunked") + b"0\n\n", head("Transfer-Encoding: chunked") + b"1\r\nab\r\n0\r\n\r\n",
            head(" Content-Length: 0"), head("X: y\r\n\tContent-Length: 0"), head("Host: y"), head(host=None), head(host="Host: x y"),
            head(host="Host: x/../y"), head(host="Host: x@y"), head("X: y\nContent-Length: 0"), head("X: y\rContent-Length: 0"),
            head("X: \0"), head("X\0: y"), head("no colon"), head(": no name"), head("X y: z"), head("X\xe9: z"),
            head(line="POST /text-to-image HTTP/1.2"), head(line="POST /text-to-image HTTP/2.0"), head(line="POST /text-to-image http/1.1"),
            head(line="POST  /text-to-image HTTP/1.1"), head(line="POST /text-to-image"), head(line="POST /a b HTTP/1.1"),
            head(line="CONNECT x:80 HTTP/1.1"), head(line="TRACE / HTTP/1.1"), head(line="post /text-to-image HTTP/1.1"),
            head(line="POST /text-to-image\0 HTTP/1.1"), head(line="GET http://elsewhere.example/hidden HTTP/1.1"), head(line="GET * HTTP/1.1"),
            head("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__", line="GET /x HTTP/1.1"),
            head("Transfer-Encoding: chunked", line="POST /text-to-image HTTP/1.0") + b"0\r\n\r\n",
            head("Expect: 100-continue, 200-ok", "Content-Length: 0")]


def no_way_of_smuggling_gets_a_second_request_in(nodes, runner):
    """Where a front door might see other borders between requests, the connection ends with the first answer."""
    jobs = len(runner.jobs)
    for door in DOORS:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for data, answer in zip(SMUGGLED, pool.map(lambda data: talk(door(nodes), data + HIDDEN), SMUGGLED)):
                kind = data.partition(b"\r\n")[0], data[-60:]
                assert answer.startswith(b"HTTP/1.1 "), (door.__name__, kind, answer)
                well = b"Expect" in data or b"TRACE" in data or b"elsewhere" in data or b"Upgrade" in data or b"post /" in data or b"no colon" in data or b"POST  " in data or b"GET *" in data
                assert answers(answer) == 1 or well, (door.__name__, kind, answer)
                assert 400 <= int(answer[9:12]) < 600, (door.__name__, kind, answer)
    assert len(runner.jobs) == jobs


def no_host_and_no_forwarded_header_gets_into_an_answer(nodes, _):
    """Links begin with a slash: what a client says of the host would be cached by proxies."""
    body = json.dumps(job()).encode()
    data = head(JSON, f"Content-Length: {len(body)}", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher",
                "X-Request-Id: a\"b<c>\x80" + "d" * 5000, "Connection: close", host="Host: evil.example")
    answer = talk(plain(nodes), data + body)
    assert b" 200 " in answer[:20] and b"evil" not in answer and b"<c>" not in answer, answer[:2000]


# ---- bodies ----

def with_prompt(value):
    return b'{"model_id": "test", "width": 64, "height": 64, "prompt": ' + value + b"}"


def no_json_hurts(nodes, runner):
    good = json.dumps(job()).encode()[1:-1]
    bombs = {"deep": with_prompt(b"[" * MB), "deep and closed": with_prompt(b"[" * 500000 + b"]" * 500000), "deep objects": b'{"a":' * 500000,
             "wide": b"{" + good + b"," + b",".join(b'"k%d": 1' % n for n in range(200000)) + b"}",
             "a wide list": b"{" + good + b', "x": [' + b"1," * 500000 + b"1]}", "one name again and again": b"{" + (good + b",") * 10000 + good + b"}",
             "a long number": b"{" + good + b', "seed": ' + b"9" * MB + b"}", "a long fraction": b"{" + good + b', "guidance_scale": 0.' + b"9" * MB + b"}",
             "a large exponent": b"{" + good + b', "guidance_scale": 1e999999}', "a small exponent": b"{" + good + b', "seed": 1e-999999}',
             "a negative zero": b"{" + good + b', "seed": -0}', "nan": b"{" + good + b', "guidance_scale": NaN}',
             "a lone surrogate": with_prompt(b'"\\ud800"'), "surrogates the wrong way round": with_prompt(b'"\\udc00\\ud800"'),
             "a nul": with_prompt(b'"a\\u0000b"'), "a nul as it is": with_prompt(b'"a\0b"'), "bad utf-8": with_prompt(b'"\xff\xfe"'),
             "overlong utf-8": with_prompt(b'"\xc0\xaf"'), "a bom": b"\xef\xbb\xbf{" + good + b"}", "two values": b"{" + good + b"}{}",
             "a comment": b"{/**/" + good + b"}", "an open string": b'{"prompt": "' + b"a" * MB, "escapes": with_prompt(b'"' + b"\\u0041" * 300000 + b'"'),
             "a long model": with_prompt(b'"x"').replace(b'"test"', b'"' + b"m" * MB + b'"'), "a model with line ends": with_prompt(b'"x"').replace(b"test", b"te\\r\\nst"),
             "a model with a nul": with_prompt(b'"x"').replace(b"test", b"te\\u0000st"), "a model of dots": with_prompt(b'"x"').replace(b"test", b"../../etc/passwd"),
             "huge pictures": b"{" + good.replace(b"64", b"2147483647") + b"}", "many pictures": b"{" + good + b', "num_images_per_prompt": 1000000000}',
             "many steps": b"{" + good + b', "num_inference_steps": 9223372036854775807}', "loras": b"{" + good + b', "loras": "' + b"{" * 100000 + b'"}',
             "nothing but space": b" " * MB, "utf-16": json.dumps(job()).encode("utf-16"), "binary": random.Random(1).randbytes(100000)}
    for name, body in bombs.items():
        began = time.monotonic()
        status, code = send(nodes, body)
        assert status in (200, 400, 413, 422, 503) and (status != 503 or code == "no_orchestrator"), (name, status, code)
        assert time.monotonic() - began < 3, (name, time.monotonic() - began)
        watchful = ask(f"http://127.0.0.1:{nodes.cli['gateway']}/healthz", timeout=2)[0]
        assert watchful == 200, name


def part(name, value, more=""):
    return f'--XX\r\nContent-Disposition: form-data; {name}{more}\r\n\r\n'.encode("latin-1") + value + b"\r\n"


def no_form_hurts(nodes, runner):
    good = part('name="model_id"', b"test") + part('name="prompt"', PROMPT.encode()) + part('name="image"; filename="a.png"', PICTURE)
    end = b"--XX--\r\n"
    forms = {"ten thousand fields": part('name="a"', b"1") * 10000 + good + end, "ten thousand files": part('name="image"; filename="a"', PICTURE) * 2000 + good + end,
             "ten thousand models": part('name="model_id"', b"test") * 10000 + good + end, "no last boundary": good, "no boundary": PICTURE, "nothing": b"",
             "only the last boundary": end, "a preamble of a megabyte": b"x" * MB + b"\r\n" + good + end, "an epilogue of a megabyte": good + end + b"x" * MB,
             "boundaries inside": part('name="image"; filename="a"', b"--X\r\n--XX-\r\n--XY--" * 10000) + good + end,
             "nearly a boundary": part('name="image"; filename="a"', b"\r\n--X" * 200000) + good + end,
             "a part's head without end": b"--XX\r\nContent-Disposition: " + b"a" * MB, "a thousand headers in a part": b"--XX\r\n" + b"A: b\r\n" * 100000 + b"\r\n\r\n" + good + end,
             "a form in a form": part('name="image"; filename="a"', b'--YY\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nother\r\n--YY--', "\r\nContent-Type: multipart/mixed; boundary=YY") + good + end,
             "a path for a file name": good.replace(b"a.png", b"../../../../etc/passwd") + end, "line ends in a file name": good.replace(b"a.png", b'a\\"\r\nX-Evil: 1\r\n\r\n') + end,
             "a nul in a file name": good.replace(b"a.png", b"a\0.png") + end, "a long file name": good.replace(b"a.png", b"a" * 100000) + end,
             "an open quote": good.replace(b'a.png"', b"a.png") + end, "file name star": good.replace(b'filename="a.png"', b"filename*=UTF-8''%00%0d%0a..%2f") + end,
             "no name": part("filename=\"x\"", b"1") + good + end, "an empty name": part('name=""', b"1") + good + end, "a name of quotes": part('name="\\"\\"\\""', b"1") + good + end,
             "a field of 3 mb": part('name="prompt"', b"x" * 3 * MB) + end, "bare line ends": (good + end).replace(b"\r\n", b"\n"),
             "a picture that is none": good.replace(PICTURE, b"GIF89a" + bytes(1000)) + end, "a picture of nothing": good.replace(PICTURE, b"") + end,
             "a picture for a field": part('name="image"', b"text") + part('name="model_id"; filename="m"', b"test") + end}
    for name, body in forms.items():
        status, code = send(nodes, body, "multipart/form-data; boundary=XX", "/upscale")
        assert status in (200, 400, 413, 415, 422, 431, 503), (name, status, code)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "X" * 1000, 'multipart/form-data; boundary="X',
                 "multipart/form-data; boundary=\x01", "multipart/form-data; boundary=A; boundary=XX", "multipart/mixed; boundary=XX", "a" * 10000):
        status, code = send(nodes, good + end, kind, "/upscale")
        assert status in (200, 400, 415, 422, 431), (kind[:80], status, code)
    for sent in runner.jobs:
        assert b"X-Evil" not in sent["body"] and b"etc/passwd" not in sent["body"].replace(b"../../../../etc/passwd", b""), sent["body"][:500]


def a_chunked_body_is_bounded_as_one_with_a_length(nodes, runner):
    jobs = len(runner.jobs)
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for path, kind in ("/text-to-image", JSON), ("/upscale", "Content-Type: multipart/form-data; boundary=XX"):
        with plain(nodes) as sock:
            say(sock, head("Transfer-Encoding: chunked", kind, line=f"POST {path} HTTP/1.1"))
            for _ in range(200):
                say(sock, piece)
            answer = read_all(sock)
        assert not answer or answer[9:12] in (b"413", b"400"), (path, answer[:300])
    with plain(nodes) as sock:
        say(sock, head("Transfer-Encoding: chunked", JSON) + b"1\r\n \r\n" * 300000)
        say(sock, b"0\r\n\r\n")
        assert read_all_soon(sock)[9:12] in (b"400", b"413", b"408"), "chunks of one byte"
    assert len(runner.jobs) == jobs


def read_all_soon(sock):
    sock.settimeout(5)
    try:
        return sock.recv(65536)
    except (socket.timeout, ConnectionError):
        return b""


# ---- leaving ----

def media(nodes):
    kept = json.loads(ask(f"http://127.0.0.1:{nodes.cli['gateway']}/status")[2])["media"]
    return kept["memoryBytes"] + kept["diskBytes"]


def a_result_that_nobody_has_a_link_to_is_not_kept(nodes, _):
    """It would fill the room for ten minutes, and whoever asks for answers with the picture inside could fill all of it."""
    before = media(nodes)
    for _ in range(4):
        assert ask(f"{nodes.url}/text-to-image?media=inline", job("large"))[0] == 200
    wait_for(lambda: media(nodes) == before, f"the results to go: {media(nodes)} bytes, {before} before", 3)


def clients_that_leave_at_any_moment_leave_nothing_behind(nodes, runner):
    """With FIN or RST, in the middle of a head, a body, the work or the answer."""
    dice = random.Random(20261124)
    pictures = [json.dumps(job(prompt)).encode() for prompt in ("hang", "slow", "large", "a fox")]
    chats = [json.dumps({"model": "test", "messages": [{"role": "user", "content": words}], "max_tokens": 9, "stream": stream}).encode()
             for words in ("hang", "hello") for stream in (True, False)]

    def one(n):
        body, path = (dice.choice(pictures), "/text-to-image?media=inline") if n % 2 else (dice.choice(chats), "/llm")
        data = head(JSON, f"Content-Length: {len(body)}", line=f"POST {path} HTTP/1.1") + body
        cut = len(data) if n % 4 else dice.randrange(len(data))
        with plain(nodes) as sock:
            sock.sendall(data[:cut])
            time.sleep(dice.random() * 0.3)
            if n % 3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(120)))


def more_clients_than_jobs_get_429_or_503_and_the_others_their_answer(nodes, runner):
    runner.gate.clear()
    before = len(runner.jobs)

    def one(_):
        status, headers, body = ask(f"{nodes.url}/text-to-image", job("wait"), timeout=20)
        assert status == 200 or (error_of(body) and headers["Retry-After"]), (status, body)
        return status
    with concurrent.futures.ThreadPoolExecutor(10 * JOBS) as pool:
        answers = [pool.submit(one, n) for n in range(10 * JOBS)]
        try:
            wait_for(lambda: sum(answer.done() for answer in answers) >= 9 * JOBS, "those too many to be told so", 8)
        finally:
            runner.gate.set()
        statuses = [answer.result() for answer in answers]
    assert set(statuses) <= {200, 429, 503} and 1 <= statuses.count(200) <= JOBS, statuses
    assert len(runner.jobs) - before <= JOBS


def connections_beyond_the_limit_are_told_so(nodes, _):
    socks = [plain(nodes) for _ in range(260)]
    time.sleep(0.2)
    refused = 0
    for sock in socks:
        sock.settimeout(0.01)
        try:
            refused += sock.recv(100)[9:12] == b"503"
        except OSError:
            pass
    for sock in socks:
        sock.close()
    assert refused >= 50, refused


def both_end_well(nodes, _):
    for role in "gateway", "orchestrator":
        assert nodes.end(getattr(nodes, role)) == 0, role


def main():
    options = ("-headerTimeout", "1s", "-bodyTimeout", "1s", "-idleTimeout", "2s", "-maxJobs", str(JOBS), "-maxBodyBytes", "4MiB",
               "-maxConnections", "200", "-jobTimeout", "10s")
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = GoodRunner()
        with Pair(folder, runner.port, capacity=JOBS, options=options) as nodes:
            watch = Watch(nodes)
            tests = watched({name: test for name, test in globals().items() if name != "both_end_well"}, watch)
            return each({**tests, "both_end_well": both_end_well}, nodes, runner)


if __name__ == "__main__":
    sys.exit(main())
