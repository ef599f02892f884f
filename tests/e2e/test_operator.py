#!/usr/bin/env python3
"""test_operator - what somebody who runs nodes does with the real programs: other addresses, certificates of his own,
options from a file and the environment, restarts, two nodes where one belongs.

Each function is a test, its name is what it says."""
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import PICTURE, FakeRunner  # noqa: E402
from nodes import LPD, Pair, Processes, ask, each, free_port, wait_for  # noqa: E402

JOB = {"model_id": "test", "prompt": "a fox", "width": 64, "height": 64}


def good_picture(url):
    status, _, body = ask(f"{url}/text-to-image", JOB)
    if status != 200:
        return False
    link = json.loads(body)["images"][0]["url"]
    return ask(link if "://" in link else url + link)[2] == PICTURE


def refused(*words):
    """One sentence on stderr besides the log, exit status 1."""
    run = subprocess.run([LPD, *map(str, words)], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    lines = [line for line in run.stderr.splitlines() if not line[:4].isdigit()]
    assert run.returncode == 1 and len(lines) == 1, run
    return lines[0]


def certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def make_pair(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                    "-out", cert, "-subj", f"/CN={name}", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=30)
    return cert, key


def a_second_orchestrator_on_a_data_directory_is_refused(nodes, _):
    words = refused("-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{free_port()}", "-aiModels", nodes.folder / "aiModels.json",
                    "-dataDir", nodes.folder / "orchestrator", "-cliAddr", f"127.0.0.1:{free_port()}")
    assert str(nodes.folder / "orchestrator") in words, words


def a_port_that_is_taken_is_one_sentence(nodes, _):
    for port in nodes.service, nodes.http:
        words = refused("-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{port}", "-aiModels", nodes.folder / "aiModels.json",
                        "-dataDir", nodes.folder / "other", "-cliAddr", f"127.0.0.1:{free_port()}")
        assert str(port) in words and "in use" in words, words
    words = refused("-mode", "gateway", "-httpAddr", f"127.0.0.1:{free_port()}", "-dataDir", nodes.folder / "other",
                    "-cliAddr", f"127.0.0.1:{nodes.cli['gateway']}")
    assert str(nodes.cli["gateway"]) in words, words


def the_pair_made_at_the_first_start_is_good_and_private(nodes, _):
    folder = nodes.folder / "orchestrator"
    words = subprocess.run(["openssl", "x509", "-in", folder / "cert.pem", "-noout", "-text"], capture_output=True, text=True,
                           check=True, timeout=10).stdout
    assert "prime256v1" in words and "IP Address:127.0.0.1" in words, words
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert certificate(nodes.service).split() == (folder / "cert.pem").read_text().split()


def a_pair_that_does_not_fit_is_refused_in_words(nodes, _):
    (cert, _), (_, key) = make_pair(nodes.folder, "one"), make_pair(nodes.folder, "two")
    start = ["-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{free_port()}", "-aiModels", nodes.folder / "aiModels.json",
             "-dataDir", nodes.folder / "other", "-cliAddr", f"127.0.0.1:{free_port()}"]
    assert "two.key" in refused(*start, "-tlsCert", cert, "-tlsKey", key)
    assert "-tlsKey" in refused(*start, "-tlsCert", cert)
    before = sorted(nodes.folder.iterdir())
    words = refused(*start, "-tlsCert", nodes.folder / "none.pem", "-tlsKey", nodes.folder / "none.key")
    assert "none" in words and sorted(nodes.folder.iterdir()) == before, words


def sighup_reads_the_certificate_anew_and_keeps_the_old_one_when_it_is_bad(nodes, runner):
    cert, key = make_pair(nodes.folder, "mine")
    with Processes(nodes.folder / "hup") as more:
        port = free_port()
        node = more.start("node", LPD, "-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{port}", "-tlsCert", cert, "-tlsKey", key,
                          "-aiModels", nodes.folder / "aiModels.json", "-dataDir", nodes.folder / "hup",
                          "-cliAddr", f"127.0.0.1:{free_port()}")
        log = nodes.folder / "hup" / "node.log"
        wait_for(lambda: "lpd runs" in log.read_text(), "the node")
        first = certificate(port)
        assert first.split() == cert.read_text().split()
        new_cert, new_key = make_pair(nodes.folder, "newer")
        new_cert.rename(cert)
        new_key.rename(key)
        node.send_signal(signal.SIGHUP)
        wait_for(lambda: certificate(port).split() == cert.read_text().split(), "the new certificate", 5)
        second = certificate(port)
        assert second != first
        kept = cert.read_text()
        cert.write_text("no certificate")
        node.send_signal(signal.SIGHUP)
        wait_for(lambda: "unusual" in log.read_text().split("lpd runs")[1], "the log to tell", 5)
        assert certificate(port) == second and node.poll() is None and kept
        assert more.end(node) == 0


def a_token_outlives_the_orchestrator_that_gave_it(nodes, _):
    """The gateway goes on with the credentials it had: a secret that was new would have them refused."""
    assert good_picture(nodes.url)
    log = nodes.folder / "gateway.log"
    seen = len(log.read_text())
    assert nodes.end(nodes.orchestrator) == 0
    nodes.orchestrator = nodes.start_orchestrator()
    wait_for(lambda: nodes.ready("orchestrator"), "the orchestrator to be ready")
    wait_for(lambda: good_picture(nodes.url), "a good job", 15, 0.1)
    assert "token" not in log.read_text()[seen:], log.read_text()[seen:]


def the_version_told_to_peers_is_the_operators(nodes, _):
    with Processes(nodes.folder / "version") as more:
        service, runs = free_port(), free_port()
        more.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{service}", "-aiModels",
                   nodes.folder / "aiModels.json", "-dataDir", more.folder / "o", "-cliAddr", f"127.0.0.1:{free_port()}",
                   "-advertiseVersion", "0.8.7-mine")
        more.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"127.0.0.1:{service}", "-httpAddr", f"127.0.0.1:{free_port()}",
                   "-dataDir", more.folder / "g", "-cliAddr", f"127.0.0.1:{runs}")

        def told():
            more.check()
            try:
                rows = json.loads(ask(f"http://127.0.0.1:{runs}/status", timeout=2)[2])["gateway"]["orchestrators"]
            except OSError:
                return None
            return rows[0].get("version")
        wait_for(told, "the orchestrator to be known")
        assert told() == "0.8.7-mine", told()


def everything_works_over_ipv6(nodes, runner):
    with Processes(nodes.folder / "six") as more:
        service, http, runs = free_port(), free_port(), free_port()
        models = [{"pipeline": "text-to-image", "model_id": "test", "url": f"http://127.0.0.1:{runner.port}", "warm": True}]
        (more.folder / "m.json").write_text(json.dumps(models))
        more.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", f"[::1]:{service}", "-httpAddr", f"[::1]:{service}",
                   "-aiModels", more.folder / "m.json", "-dataDir", more.folder / "o", "-cliAddr", f"[::1]:{free_port()}")
        more.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"[::1]:{service}", "-httpAddr", f"[::1]:{http}",
                   "-dataDir", more.folder / "g", "-cliAddr", f"[::1]:{runs}", "-publicUrl", f"http://[::1]:{http}/")

        def ready():
            more.check()
            try:
                return ask(f"http://[::1]:{runs}/readyz", timeout=2)[0] == 200
            except OSError:
                return False
        wait_for(ready, "the gateway at [::1]")
        wait_for(lambda: good_picture(f"http://[::1]:{http}"), "a good job", 10, 0.2)
        link = json.loads(ask(f"http://[::1]:{http}/text-to-image", JOB)[2])["images"][0]["url"]
        assert link.startswith(f"http://[::1]:{http}/stream/"), link
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", http)) != 0, "only the address that was given"


def one_process_may_be_both_with_its_options_in_a_file_and_the_environment(nodes, runner):
    with Processes(nodes.folder / "both") as more:
        service, http, runs = free_port(), free_port(), free_port()
        config = more.folder / "lpd.conf"
        config.write_text(f"# both\nmode gateway,orchestrator\nserviceAddr 127.0.0.1:{service}\norchAddr 127.0.0.1:{service}\n"
                          f"httpAddr 127.0.0.1:1\ncliAddr 127.0.0.1:{runs}\naiModels {nodes.folder}/aiModels.json\n")
        more.start("node", LPD, "-config", config, "-dataDir", more.folder / "data",
                   env={"LP_HTTP_ADDR": f"127.0.0.1:{http}", "LP_DATA_DIR": "/nonexistent"})
        wait_for(lambda: (more.check() or True) and _ready(runs), "the node")
        wait_for(lambda: good_picture(f"http://127.0.0.1:{http}"), "a good job", 10, 0.2)


def _ready(port):
    try:
        return ask(f"http://127.0.0.1:{port}/readyz", timeout=2)[0] == 200
    except OSError:
        return False


def an_address_with_http_has_no_tls(nodes, runner):
    """As behind a proxy that ends TLS: -serviceAddr with a scheme says so, at both ends."""
    with Processes(nodes.folder / "plain") as more:
        service, http, runs = free_port(), free_port(), free_port()
        more.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", f"http://127.0.0.1:{service}", "-aiModels",
                   nodes.folder / "aiModels.json", "-dataDir", more.folder / "o", "-cliAddr", f"127.0.0.1:{free_port()}")
        more.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"http://127.0.0.1:{service}", "-httpAddr", f"127.0.0.1:{http}",
                   "-dataDir", more.folder / "g", "-cliAddr", f"127.0.0.1:{runs}")
        wait_for(lambda: (more.check() or True) and _ready(runs), "the gateway")
        wait_for(lambda: good_picture(f"http://127.0.0.1:{http}"), "a good job", 10, 0.2)     # the runner may be met later


def a_public_certificate_makes_the_gateway_speak_https(nodes, runner):
    cert, key = make_pair(nodes.folder, "public")
    with Processes(nodes.folder / "https") as more:
        http = free_port()
        more.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"127.0.0.1:{nodes.service}", "-httpAddr", f"127.0.0.1:{http}",
                   "-publicTlsCert", cert, "-publicTlsKey", key, "-dataDir", more.folder / "g", "-cliAddr",
                   f"127.0.0.1:{free_port()}")

        def curl(how):
            words = subprocess.run(["curl", "-s", "-m", "10", how, "--cacert", cert, "-w", "\n%{http_code} %{http_version}", "-d",
                                    json.dumps(JOB), f"https://127.0.0.1:{http}/text-to-image"],
                                   capture_output=True, text=True, timeout=20).stdout
            return words.rpartition("\n")[2]
        wait_for(lambda: curl("--http2") == "200 2", "a job over HTTP/2 and TLS", 10, 0.2)
        assert curl("--http1.1") == "200 1.1"


def line_of(nodes, role, trace):
    """What the role's log says of the job with this trace."""
    def find():
        return [line for line in (nodes.folder / f"{role}.log").read_text().splitlines() if '"job"' in line and f"trace={trace}" in line]
    wait_for(find, f"the line of {role}", 5)
    return dict(word.split("=", 1) for word in find()[-1].split() if "=" in word)


def the_clients_trace_is_carried_to_the_runner_and_stands_in_both_logs(nodes, runner):
    span, chat = "00f067aa0ba902b7", {"model": "test", "messages": [{"role": "user", "content": "hello"}]}
    for path, body, last in ("text-to-image", JOB, 6), ("llm", chat, 7):
        trace = f"4bf92f3577b34da6a3ce929d0e0e473{last}"
        status, headers, _ = ask(f"{nodes.url}/{path}", body, {"traceparent": f"00-{trace}-{span}-01", "tracestate": "mine=a, yours=b"})
        assert status == 200, status
        told = runner.jobs[-1]["headers"]
        gateway, orchestrator = (line_of(nodes, role, trace) for role in ("gateway", "orchestrator"))
        assert gateway["parent"] == span and orchestrator["parent"] == gateway["span"], (gateway, orchestrator)
        assert told["traceparent"] == f"00-{trace}-{orchestrator['span']}-01", told
        assert told["tracestate"] == "mine=a,yours=b", told
        assert len({span, gateway["span"], orchestrator["span"]}) == 3


def a_trace_that_is_bad_or_absent_begins_at_the_gateway(nodes, runner):
    bad = "4bf92f3577b34da6a3ce929d0e0e4736"
    seen = set()
    for headers in {}, {"traceparent": f"00-{bad}-0000000000000000-01", "tracestate": "mine=a"}, {"tracestate": "mine=a"}:
        assert ask(f"{nodes.url}/text-to-image", JOB, headers)[0] == 200
        told = runner.jobs[-1]["headers"]
        version, trace, span, flags = told["traceparent"].split("-")
        assert (version, len(trace), len(span), flags) == ("00", 32, 16, "00") and trace != bad, told
        assert "tracestate" not in told, told
        assert not line_of(nodes, "gateway", trace)["parent"].strip('"')
        assert line_of(nodes, "orchestrator", trace)["parent"] == line_of(nodes, "gateway", trace)["span"]
        seen.add(trace)
    assert len(seen) == 3


def the_built_in_runner_logs_the_trace_too(nodes, _):
    trace = "4bf92f3577b34da6a3ce929d0e0e4738"
    port = free_port()
    with Processes(nodes.folder / "runner") as more:
        more.start("runner", pathlib.Path(LPD).with_name("lpd-runner"), "-listen", f"127.0.0.1:{port}", "-dataDir", more.folder)

        def asked(value):
            try:
                return ask(f"http://127.0.0.1:{port}/text-to-image", {**JOB, "model_id": "builtin/sketch"}, {"traceparent": value})[0] == 200
            except OSError:
                more.check()
                return False
        wait_for(lambda: asked(f"00-{trace}-00f067aa0ba902b7-01"), "a good picture")
        assert asked("00-no trace=forged-0-0")
        lines = [line for line in (more.folder / "runner.log").read_text().splitlines() if '"job done"' in line]
        assert f"trace={trace}" in lines[0] and "forged" not in lines[-1] and len(lines) == 2, lines


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = FakeRunner()
        with Pair(folder, runner.port) as nodes:
            return each(globals(), nodes, runner)


if __name__ == "__main__":
    sys.exit(main())
