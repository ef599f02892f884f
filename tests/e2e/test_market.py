#!/usr/bin/env python3
"""test_market - whom a real gateway lets work: the list of a webhook, a board's scores, a blocklist, what a client wishes,
and what it is told of the choice.

Each function is a test, its name is what it says.  Off-chain orchestrators have no Ethereum address; where one is needed a
go-between (Named) writes it into their answers."""
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import FakeRunner  # noqa: E402
from h2 import certificate  # noqa: E402
from nodes import LPD, Pair, Processes, ask, each, free_port, wait_for  # noqa: E402

JOB = {"model_id": "test", "prompt": "a fox", "width": 64, "height": 64}
ADDRESS = "0x" + "ab" * 20


class Pages(http.server.ThreadingHTTPServer):
    """What a webhook and a board answer: (status, value) by path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Pages.Handler)
        self.pages, self.asked = {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            pages = self.server.pages.get(self.path, [(404, None)])
            status, value = pages.pop(0) if len(pages) > 1 else pages[0]
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


class Named:
    """Stands before an orchestrator and gives it an Ethereum address: field 4 of its answer is 20 bytes long."""

    def __init__(self, port, folder):
        self.behind, self.context = port, certificate(folder)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            front, _ = self.sock.accept()
            threading.Thread(target=self.pass_on, args=(front,), daemon=True).start()

    def pass_on(self, front):
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
        plain.set_alpn_protocols(["h2"])
        try:
            with self.context.wrap_socket(front, server_side=True) as front, \
                    plain.wrap_socket(socket.create_connection(("127.0.0.1", self.behind))) as back:
                for sock in front, back:
                    sock.settimeout(0.01)
                while True:
                    for one, other in (front, back), (back, front):
                        try:
                            data = one.recv(65536)
                        except TimeoutError:
                            continue
                        if not data:
                            return
                        other.sendall(data.replace(b"\x22\x14" + bytes(20), b"\x22\x14" + bytes.fromhex(ADDRESS[2:])))
        except OSError:
            pass


def gateway(more, name, *options):
    """Its URL, when it has found somebody, or has looked for long enough."""
    port, cli = free_port(), free_port()
    more.start(name, LPD, "-mode", "gateway", "-httpAddr", f"127.0.0.1:{port}", "-dataDir", more.folder / name, "-cliAddr",
               f"127.0.0.1:{cli}", *options)

    def asked():
        more.check()
        try:
            status = json.loads(ask(f"http://127.0.0.1:{cli}/status")[2])
        except OSError:
            return False
        orchs = status["gateway"]["orchestrators"]
        return orchs and all("models" in orch for orch in orchs)
    wait_for(asked, f"{name} to know its orchestrators")
    return f"http://127.0.0.1:{port}"


def job(url, pin=None):
    """(status, trace, words of the error)"""
    headers = {"Lp-Trace": "1", **({"Lp-Orchestrator": pin} if pin else {})}
    status, headers, body = ask(f"{url}/text-to-image", JOB, headers)
    return status, headers.get("Lp-Trace", ""), body.decode() if status != 200 else ""


def logged(more, words):
    """Lines are written a moment after what they tell."""
    wait_for(lambda: words in (more.folder / "gateway.log").read_text(), f"the log to say {words}")


def second(more, nodes):
    port = free_port()
    more.start("second", LPD, "-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{port}", "-aiModels",
               nodes.folder / "aiModels.json", "-dataDir", more.folder / "o", "-cliAddr", f"127.0.0.1:{free_port()}")
    return port


def a_webhook_names_the_orchestrators_and_may_fail_at_first(nodes, pages):
    pages.pages["/list"] = [(500, []), (200, [{"address": f"https://127.0.0.1:{nodes.service}", "score": 1, "more": {}},
                                              {"address": "nonsense://"}, {}])]
    with Processes(nodes.folder / "webhook") as more:
        url = gateway(more, "gateway", "-orchWebhookUrl", pages.url("/list"), "-orchAddr", "127.0.0.1:1")
        status, trace, _ = job(url)
        assert status == 200 and f"chose https://127.0.0.1:{nodes.service}" in trace, trace
        for words in "it answers 500", "-orchAddr is not used", "skipped=2":
            logged(more, words)
    assert pages.asked.count("/list") == 2


def a_client_pins_and_excludes_and_is_told_why(nodes, _):
    with Processes(nodes.folder / "pin") as more:
        other = second(more, nodes)
        url = gateway(more, "gateway", "-orchAddr", f"127.0.0.1:{nodes.service},127.0.0.1:{other}")
        for port, pin in (nodes.service, f"127.0.0.1:{nodes.service}"), (other, f"!https://127.0.0.1:{nodes.service}"):
            for _ in range(4):
                status, trace, _ = job(url, pin)
                assert status == 200 and f"chose https://127.0.0.1:{port}, only one of 1 eligible" in trace, trace
                assert "passed over: 1 excluded" in trace, trace
        status, trace, words = job(url, "elsewhere.example")
        assert status == 503 and "2 excluded" in words and "chose nobody; passed over: 2 excluded" in trace, (trace, words)
        assert job(url, "!")[0] == 400
        _, headers, _ = ask(f"{url}/text-to-image", JOB)
        assert "Lp-Trace" not in headers
        logged(more, 'passed_over="1 excluded"')


def who_is_on_the_blocklist_gets_nothing(nodes, _):
    named = Named(nodes.service, nodes.folder)
    with Processes(nodes.folder / "block") as more:
        orch = ("-orchAddr", f"127.0.0.1:{named.port}")
        assert job(gateway(more, "open", *orch), ADDRESS)[0] == 200
        status, trace, words = job(gateway(more, "shut", *orch, "-orchBlocklist", f"0x{'00' * 19}01, {ADDRESS.upper()[2:]}"))
        assert status == 503 and "1 excluded" in words and "1 excluded" in trace, (trace, words)


def a_score_on_the_board_goes_before_none(nodes, pages):
    named = Named(nodes.service, nodes.folder)
    pages.pages["/scores"] = [(200, {ADDRESS: {"FRA": {"score": 0.9}}})]
    with Processes(nodes.folder / "board") as more:
        other = second(more, nodes)
        url = gateway(more, "gateway", "-orchAddr", f"127.0.0.1:{other},127.0.0.1:{named.port}", "-orchPerfStatsUrl",
                      pages.url("/scores"), "-region", "fra", "-minPerfScore", "0.5")
        logged(more, "scores of orchestrators")
        for _ in range(5):
            status, trace, _ = job(url)
            assert status == 200 and f"chose https://127.0.0.1:{named.port}" in trace and "1 perf" in trace, trace


def a_mistake_in_an_option_is_one_sentence(nodes, _):
    for words, said in ((("-selectStakeWeight", "0.9"), "add up to 1, not to 1.2"), (("-selectRandFreq", "x"), "-selectRandFreq"),
                        (("-orchBlocklist", "0x12"), "'0x12' is no Ethereum address"), (("-minPerfScore", "0.5"), "-orchPerfStatsUrl"),
                        (("-maxPricePerUnit", "0.02USD"), "exchange rate"), (("-maxPricePerCapability", "{}"), "capabilities_prices"),
                        (("-maxPricePerCapability", "/nowhere"), "/nowhere"), (("-orchWebhookUrl", "unix:/x"), "-orchWebhookUrl"),
                        (("-pipelineTimeouts", "llm=soon"), "llm=2m"), (("-extraNodes", "-1"), "-extraNodes")):
        run = subprocess.run([LPD, "-mode", "gateway", "-dataDir", nodes.folder / "none", "-cliAddr", f"127.0.0.1:{free_port()}",
                              "-httpAddr", f"127.0.0.1:{free_port()}", *words], capture_output=True, text=True, timeout=20)
        lines = [line for line in run.stderr.splitlines() if not line[:4].isdigit()]
        assert run.returncode == 1 and len(lines) == 1 and said in lines[0], (words, run)


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner, pages = FakeRunner(), Pages()
        with Pair(folder, runner.port, pipelines=("text-to-image",)) as nodes:
            return each(globals(), nodes, pages)


if __name__ == "__main__":
    sys.exit(main())
