#!/usr/bin/env python3
"""test_refusals - what the real programs answer to requests that are wrong, on every port and in every version of HTTP.

Each function is a test, its name is what it says.  An error body has both forms that clients read, and its code is one
of docs/generated/errors.md."""
import gzip
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
from fake_runner import FakeRunner  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402

CODES = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", (TOP / "docs/generated/errors.md").read_text(), re.M))
JSON = "Content-Type: application/json"
GOOD = b'{"model_id": "test", "prompt": "a fox", "width": 64, "height": 64}'


def plain(nodes):
    return socket.create_connection(("127.0.0.1", nodes.http), timeout=10)


def tls(nodes):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", nodes.service), timeout=10))


def talk(sock, data):
    """All that comes back until the node closes or pauses for long, as (status, headers, body) of the first answer."""
    with sock:
        try:
            sock.sendall(data)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer) < length_of(answer):
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
        except ConnectionError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def length_of(answer):
    head, _, _ = answer.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head.lower())
    return len(head) + 4 + (int(found[1]) if found else 0)


def request(head, body=b"", method="POST", path="/text-to-image"):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *head]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refused(answer, status, code):
    got, headers, body = answer
    assert got == status, answer
    error = json.loads(body)
    assert error["error"]["code"] == code and error["error"]["message"], body
    detail = error["detail"][0] if code == "invalid_parameter" else error["detail"]      # a list, as FastAPI says it
    assert detail["msg"] and (code == "invalid_parameter" or detail["msg"] == error["error"]["message"]), body
    assert CODES[code] == str(status), (code, CODES[code])
    assert headers["content-type"].startswith("application/json"), headers


def with_length(body, *head):
    return request([f"Content-Length: {len(body)}", *head], body)


def an_address_without_anything_is_404(nodes, _):
    refused(talk(plain(nodes), request([], method="GET", path="/nothing")), 404, "not_found")
    refused(talk(tls(nodes), request([], method="GET", path="/nothing")), 404, "not_found")


def a_wrong_method_is_405_and_names_the_right_one(nodes, _):
    for sock in plain(nodes), tls(nodes):
        answer = talk(sock, request([], method="GET"))
        refused(answer, 405, "method_not_allowed")
        assert "post" in answer[1]["allow"] and "get" not in answer[1]["allow"], answer
    answer = talk(plain(nodes), request(["Content-Length: 0"], path="/stream/x/y"))
    refused(answer, 405, "method_not_allowed")
    assert "get" in answer[1]["allow"], answer


def a_body_that_is_too_large_is_413_before_it_is_sent(nodes, _):
    refused(talk(plain(nodes), request(["Content-Length: 99999999", JSON])), 413, "body_too_large")


def a_chunked_body_that_grows_too_large_is_413(nodes, _):
    """-maxBodyBytes holds where the pipeline's own limit is higher, and also for a form and over HTTP/2."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    refused(talk(plain(nodes), request(["Transfer-Encoding: chunked", JSON], chunk * 20)), 413, "body_too_large")
    form = "Content-Type: multipart/form-data; boundary=XX"
    picture = b"--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n"
    first = b"%x\r\n%s\r\n" % (len(picture), picture)
    answer = talk(plain(nodes), request(["Transfer-Encoding: chunked", form], first + chunk * 20, path="/upscale"))
    assert answer[0] == 413, answer
    # An orchestrator looks at who asks first, and a stranger's body is not read at all.
    answer = talk(tls(nodes), request(["Transfer-Encoding: chunked", form], first + chunk * 20, path="/upscale"))
    assert answer[0] == 403 and b"missing auth token" in answer[2], answer
    with tempfile.NamedTemporaryFile() as file:
        file.write(b" " * 1200000)
        file.flush()
        got, version, body = curl("--http2-prior-knowledge", "-H", JSON, "-H", "Content-Length:", "-X", "POST", "-T", file.name,
                                  f"{nodes.url}/text-to-image")
        assert (got, version) == (413, "2"), (got, version, body)


def a_body_that_pauses_for_long_is_408(nodes, _):
    refused(talk(plain(nodes), request(["Content-Length: 100", JSON], b"{")), 408, "request_timeout")


def the_admin_pages_are_for_this_machine(nodes, _):
    """A browser may be led here by a page whose name now means loopback: it still says that name."""
    for role in nodes.cli:
        def page(host, port=nodes.cli[role]):
            sock = socket.create_connection(("127.0.0.1", port), timeout=10)
            return talk(sock, f"GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        for host in "rebound.example", f"rebound.example:{nodes.cli[role]}", "127.evil.example", "10.0.0.1", "0.0.0.0", "a b":
            got, _, body = page(host)
            assert got in (400, 403), (host, got, body)
        refused(page("rebound.example:80"), 403, "forbidden")
        for host in "localhost", f"localhost:{nodes.cli[role]}", "127.0.0.1", "127.0.0.2:1", "[::1]:5", "LOCALHOST":
            assert page(host)[0] == 200, (host, page(host))


def an_address_that_is_too_long_is_414(nodes, _):
    refused(talk(plain(nodes), request([], method="GET", path="/" + "a" * 20000)), 414, "uri_too_long")


def a_form_where_json_belongs_and_the_reverse_is_415(nodes, runner):
    """JSON comes under any name (the network's own servers do not look), but a form has to say that it is one."""
    jobs = len(runner.jobs)
    form = "Content-Type: multipart/form-data; boundary=XX"
    refused(talk(plain(nodes), with_length(b"--XX--\r\n", form)), 415, "unsupported_media")
    upscale = [f"Content-Length: {len(GOOD)}", JSON]
    refused(talk(plain(nodes), request(upscale, GOOD, path="/upscale")), 415, "unsupported_media")
    assert len(runner.jobs) == jobs


def a_body_in_a_coding_is_415(nodes, _):
    refused(talk(plain(nodes), with_length(gzip.compress(GOOD), JSON, "Content-Encoding: gzip")), 415, "unsupported_media")
    assert talk(plain(nodes), with_length(GOOD, JSON, "Content-Encoding: identity"))[0] == 200


def a_parameter_that_is_missing_or_of_another_kind_is_422(nodes, _):
    refused(talk(plain(nodes), with_length(b'{"model_id": "test"}', JSON)), 422, "invalid_parameter")
    refused(talk(plain(nodes), with_length(b'{"model_id": "test", "prompt": 7}', JSON)), 422, "invalid_parameter")


def what_is_no_json_is_400(nodes, _):
    for body in b"{", b"", b"[]", b'{"a":' * 5000:
        refused(talk(plain(nodes), with_length(body, JSON)), 400, "bad_request")


def headers_that_are_too_large_are_431(nodes, _):
    for sock in plain(nodes), tls(nodes):
        refused(talk(sock, request(["X-Long: " + "a" * 70000 for _ in range(4)])), 431, "headers_too_large")


def smuggling_is_refused_and_ends_the_connection(nodes, runner):
    jobs = len(runner.jobs)
    hidden = request(["Content-Length: 0"])
    for head in (["Content-Length: 4", "Content-Length: 5"], ["Content-Length: 4", "Transfer-Encoding: chunked"],
                 ["Transfer-Encoding: xchunked"], ["Transfer-Encoding: chunked, identity"], ["Content-Length: +4"],
                 ["Content-Length : 4"], ["Transfer-Encoding:\x0bchunked"], ["X: a\r\n folded"], ["Content-Length: 4, 4"]):
        for sock in plain(nodes), tls(nodes):
            with sock:
                sock.sendall(request([JSON, *head], b"0\r\n\r\n" + hidden))
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            assert answer.count(b"HTTP/1.1 ") == 1 and answer.split()[1] in (b"400", b"501"), (head, answer)
    assert len(runner.jobs) == jobs


def a_request_without_a_host_is_400(nodes, _):
    refused(talk(plain(nodes), b"GET / HTTP/1.1\r\n\r\n"), 400, "bad_request")


def curl(*words):
    run = subprocess.run(["curl", "-sk", "-m", "10", "-w", "\n%{http_code} %{http_version}", *words],
                         capture_output=True, text=True, timeout=20)
    body, _, last = run.stdout.rpartition("\n")
    status, version = last.split()
    return int(status), version, body


def the_same_over_http2(nodes, _):
    for how, base in ("--http2-prior-knowledge", nodes.url), ("--http2", f"https://127.0.0.1:{nodes.service}"):
        for status, code, words in ((404, "not_found", ["/nothing"]), (405, "method_not_allowed", ["/text-to-image"])):
            got, version, body = curl(how, base + words[0])
            assert (got, version) == (status, "2"), (got, version, body)
            assert json.loads(body)["error"]["code"] == code and json.loads(body)["detail"]["msg"], body
    got, version, body = curl("--http2-prior-knowledge", "-H", JSON, "-d", "{", f"{nodes.url}/text-to-image")
    assert (got, version) == (400, "2") and json.loads(body)["error"]["code"] == "bad_request", body
    got, version, body = curl("--http2-prior-knowledge", "-H", JSON, "-d", GOOD.decode(), f"{nodes.url}/text-to-image")
    assert (got, version) == (200, "2"), body


def a_job_without_credentials_is_refused_by_the_orchestrator(nodes, runner):
    """Its words are those that peers know, so it is plain text (network-protocol 6)."""
    jobs = len(runner.jobs)
    status, _, body = talk(tls(nodes), with_length(GOOD, JSON))
    assert status in (400, 401, 403) and body, (status, body)
    assert len(runner.jobs) == jobs


def plain_http_to_the_tls_port_is_told_so(nodes, _):
    answer = talk(socket.create_connection(("127.0.0.1", nodes.service), timeout=10), request([], method="GET", path="/"))
    assert answer[0] == 400 and b"https" in answer[2].lower(), answer


def the_admin_pages_refuse_alike(nodes, _):
    for role in nodes.cli:
        base = f"http://127.0.0.1:{nodes.cli[role]}"
        for status, code, method, path in ((404, "not_found", "GET", "/x"), (405, "method_not_allowed", "POST", "/status")):
            got, _, body = ask(base + path, b"" if method == "POST" else None, method=method)
            assert got == status and json.loads(body)["error"]["code"] == code, (got, body)


def after_all_this_a_good_job_runs(nodes, _):
    def good():
        return ask(f"{nodes.url}/text-to-image", GOOD, {"Content-Type": "application/json"})[0] == 200
    wait_for(good, "a good job", 10, 0.2)


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = FakeRunner()
        with Pair(folder, runner.port, options=("-maxBodyBytes", "1MiB", "-bodyTimeout", "2s")) as nodes:
            return each(globals(), nodes, runner)


if __name__ == "__main__":
    sys.exit(main())
