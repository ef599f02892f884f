#!/usr/bin/env python3
"""test_bounds - what the real programs may not do: hold a large upload in memory, let a runner work for nobody, write
into a log what is nobody's business.

Each function is a test, its name is what it says.  The nodes log all that they can (-v 6)."""
import concurrent.futures
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import PICTURE, FakeRunner  # noqa: E402
from nodes import LPD, Pair, Processes, answers, ask, each, free_port, wait_for  # noqa: E402

SECRETS = {"prompt": "xyzzy-prompt", "chat": "xyzzy-chat", "negative prompt": "xyzzy-negative", "form field": "xyzzy-field",
           "token of the runner": "xyzzy-runner-token", "secret of the workers": "xyzzy-workers",
           "name of the file": "xyzzy-file", "key": "PRIVATE KEY", "query": "xyzzy-query", "authorization": "xyzzy-bearer"}
MB = 1 << 20


def job(prompt, **more):
    return {"model_id": "test", "prompt": prompt, "width": 64, "height": 64, **more}


def chat(words, **more):
    return {"model": "test", "messages": [{"role": "user", "content": words}], "max_tokens": 16, **more}


def form(data, prompt="sharper"):
    parts = {"model_id": b"test", "prompt": prompt.encode(), f"image\"; filename=\"{SECRETS['name of the file']}.png": data}
    body = b"".join(b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
                    for name, value in parts.items()) + b"--XX--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=XX"}


def peak(process):
    """The most memory that a process has had since forget_peak, in MB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def forget_peak(process):
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return peak(process)


def an_upload_of_50_mb_is_not_held_in_memory(nodes, runner):
    body, headers = form(PICTURE + os.urandom(50 * MB))
    both = {"gateway": nodes.gateway, "orchestrator": nodes.orchestrator}
    before = {name: forget_peak(process) for name, process in both.items()}
    status, _, answer = ask(f"{nodes.url}/upscale", body, headers, timeout=60)
    assert status == 200, (status, answer)
    assert len(runner.jobs[-1]["body"]) > 50 * MB
    for name, process in both.items():
        grown = peak(process) - before[name]
        assert grown < 8, f"the {name} grew by {grown:.1f} MB"
    runner.jobs[-1]["body"] = b""
    left = [path for name in both for path in (nodes.folder / name).rglob("*") if path.is_file() and path.stat().st_size > 9 * MB]
    assert not left, left


def eight_uploads_at_once_are_not_either(nodes, runner):
    body, headers = form(PICTURE + os.urandom(8 * MB))
    before = forget_peak(nodes.gateway), forget_peak(nodes.orchestrator)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(f"{nodes.url}/upscale", body, headers, timeout=60)[0], range(8)))
    assert answers == [200] * 8, answers
    grown = peak(nodes.gateway) - before[0], peak(nodes.orchestrator) - before[1]
    assert max(grown) < 32, f"they grew by {grown} MB"
    del runner.jobs[:-1]
    runner.jobs[-1]["body"] = b""


def three_hundred_results_are_kept_and_fetched(nodes, _):
    def one(n):
        return json.loads(ask(f"{nodes.url}/text-to-image", job(f"fox {n}"), timeout=60)[2])["images"][0]["url"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        links = list(pool.map(one, range(300)))
        assert len(set(links)) == 300
        assert all(pool.map(lambda link: ask(nodes.url + link)[2] == PICTURE, links))


def two_hundred_jobs_are_at_a_runner_at_once(nodes, runner):
    before = len(runner.jobs)
    runner.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(ask, f"{nodes.url}/llm", chat("wait"), timeout=60) for _ in range(200)]
        try:
            wait_for(lambda: len(runner.jobs) - before == 200, f"200 jobs at the runner, where {len(runner.jobs) - before} came")
        finally:
            runner.gate.set()
        assert [answer.result()[0] for answer in answers] == [200] * 200


def leaves(nodes, runner, path, body, *how):
    before = len(runner.jobs)
    client = subprocess.Popen(["curl", "-sN", *how, "-H", "Content-Type: application/json", "-d", json.dumps(body), nodes.url + path],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(runner.jobs) > before, "the job to reach the runner")
    client.kill()
    client.wait()
    assert runner.jobs[-1]["gone"].wait(5), "the runner was not told"


def a_client_of_http_1_that_leaves_ends_the_job_at_the_runner(nodes, runner):
    leaves(nodes, runner, "/text-to-image", job("hang"), "--http1.1")
    leaves(nodes, runner, "/llm", chat("hang", stream=True), "--http1.1")


def a_client_of_http_2_that_leaves_ends_the_job_at_the_runner(nodes, runner):
    leaves(nodes, runner, "/text-to-image", job("hang"), "--http2-prior-knowledge")
    leaves(nodes, runner, "/llm", chat("hang", stream=True), "--http2-prior-knowledge")


def no_log_and_no_page_tells_a_secret(nodes, runner):
    bearer = {"Authorization": f"Bearer {SECRETS['authorization']}", "Content-Type": "application/json"}
    prompt = SECRETS["prompt"]
    for body in job(prompt, negative_prompt=SECRETS["negative prompt"]), job(f"fail 500 {prompt}"), job(f"bad json {prompt}"), \
            job(prompt, width=-1), job(prompt, seed="x"), job(f"large {prompt}"), job(prompt, model_id="nobody/has-this"):
        ask(f"{nodes.url}/text-to-image?q={SECRETS['query']}", json.dumps(body).encode(), bearer)
    ask(f"{nodes.url}/text-to-image", b'{"prompt": "%s' % prompt.encode(), bearer)
    for stream in False, True:
        assert ask(f"{nodes.url}/llm", chat(SECRETS["chat"], stream=stream))[0] == 200
    body, headers = form(PICTURE, SECRETS["form field"])
    assert ask(f"{nodes.url}/upscale", body, headers)[0] == 200
    sent = runner.jobs[-1]
    assert {k.lower(): v for k, v in sent["headers"].items()}["authorization"] == f"Bearer {SECRETS['token of the runner']}", sent["headers"]
    time.sleep(0.1)     # lines leave 20 ms after they were written
    texts = {f"{role}'s log": (nodes.folder / f"{role}.log").read_text() for role in nodes.cli}
    for role, port in nodes.cli.items():
        for page in "status", "metrics", "readyz", "healthz":
            texts[f"{role}'s /{page}"] = ask(f"http://127.0.0.1:{port}/{page}")[2].decode()
    for where, text in texts.items():
        for what, secret in SECRETS.items():
            assert secret not in text, f"{where} tells the {what}: " + next(line for line in text.splitlines() if secret in line)
        if "log" in where:
            assert not re.search(r"[A-Za-z0-9+/]{80}", text), f"{where} has coded bytes"


def a_log_has_one_line_a_job_and_each_line_is_pairs(nodes, _):
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", job("a fox"))[0] == 200, "the orchestrator to have rested", 15, 0.2)
    time.sleep(0.1)
    text = (nodes.folder / "gateway.log").read_text()
    assert ask(f"{nodes.url}/text-to-image", job("a fox"))[0] == 200

    def lines():
        return (nodes.folder / "gateway.log").read_text()[len(text):].splitlines()
    wait_for(lambda: [line for line in lines() if "trail=" in line], "the job's line", 5)
    told = [line for line in lines() if "trail=" in line]
    assert len(told) == 1 and "code=ok" in told[0], told
    form_of = re.compile(r'\S+Z \w+ (\w+|"[^"]*")( \w+=("(\\.|[^"\\])*"|\S*))*$')
    assert all(form_of.match(line) for line in text.splitlines()), next(x for x in text.splitlines() if not form_of.match(x))


def one_gateway(pair, more, *options, **how):
    http = free_port()
    process = subprocess.Popen([LPD, "-mode", "gateway", "-orchAddr", f"127.0.0.1:{pair.service}", "-httpAddr", f"127.0.0.1:{http}",
                                "-dataDir", str(more.folder / "g"), "-cliAddr", f"127.0.0.1:{free_port()}", *options],
                               stdin=subprocess.DEVNULL, **how)
    more.all.append(("gateway", process))
    wait_for(lambda: answers(http), "the gateway")
    return http


def a_log_that_nobody_reads_stops_nothing(nodes, _):
    with Processes(nodes.folder / "unread") as more:
        http = one_gateway(nodes, more, "-v", "6", stderr=subprocess.PIPE)
        for _ in range(1000):       # far more lines than a pipe holds
            assert ask(f"http://127.0.0.1:{http}/llm", b"{", {"Content-Type": "application/json"}, timeout=5)[0] == 400
        assert ask(f"http://127.0.0.1:{http}/healthz", timeout=5)[0] == 200


def requests_that_do_not_end_hold_no_more_memory_than_there_is(nodes, _):
    with Processes(nodes.folder / "memory") as more:
        http = one_gateway(nodes, more, "-memoryBudget", "2MiB", stderr=subprocess.DEVNULL)
        head = b"POST /llm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 300000\r\n\r\n"
        socks = [socket.create_connection(("127.0.0.1", http), timeout=5) for _ in range(12)]
        for sock in socks:
            sock.sendall(head + b" " * 150000)
        time.sleep(0.5)
        refused = 0
        for sock in socks:
            sock.settimeout(0.05)
            try:
                refused += sock.recv(100)[9:12] == b"503"
            except OSError:
                pass
        assert 8 <= refused <= 10, refused      # three of them fill the 512 KiB that are for bodies
        for sock in socks:
            sock.close()
        wait_for(lambda: ask(f"http://127.0.0.1:{http}/llm", chat("hello"))[0] == 200, "a good job", 10, 0.2)


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = FakeRunner()
        os.environ["LP_ORCH_SECRET"] = SECRETS["secret of the workers"]
        with Pair(folder, runner.port, capacity=1000, options=("-v", "6"), token=SECRETS["token of the runner"]) as nodes:
            return each(globals(), nodes, runner)


if __name__ == "__main__":
    sys.exit(main())
