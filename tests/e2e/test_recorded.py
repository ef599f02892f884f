#!/usr/bin/env python3
"""test_recorded - what a go-livepeer gateway sent on the wire, sent again to an lpd orchestrator.

The requests are tests/vectors/network.json's captures, byte for byte but for the auth token, which is this
orchestrator's own.  Its answers are compared with those recorded from go-livepeer, by form.  Each function is a test."""
import base64
import json
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "peer")]
import h2  # noqa: E402
from fake_runner import FakeRunner, png  # noqa: E402
from nodes import LPD, Processes, ask, free_port, wait_for  # noqa: E402
from wire import (CAPTURES, MESSAGES, fields, frame, message, numbers, one, send, shape, unframe,  # noqa: E402
                  with_token)

T2I = "stabilityai/sdxl-turbo"
MODELS = [("text-to-image", T2I, 8), ("text-to-image", "solo", 1), ("upscale", "up", 8), ("llm", "m", 8),
          ("image-to-image", T2I, 8)]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Orchestrator(Processes):
    def __init__(self, folder, runner):
        super().__init__(folder)
        models = [{"pipeline": pipeline, "model_id": model, "url": f"http://127.0.0.1:{runner.port}", "warm": True,
                   "capacity": capacity} for pipeline, model, capacity in MODELS]
        (self.folder / "aiModels.json").write_text(json.dumps(models))
        self.address, self.admin = f"127.0.0.1:{free_port()}", free_port()
        self.url = f"https://{self.address}"

    def __enter__(self):
        self.process = self.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", self.address, "-aiModels",
                                  self.folder / "aiModels.json", "-dataDir", self.folder / "data", "-cliAddr",
                                  f"127.0.0.1:{self.admin}")
        wait_for(self.ready, "the orchestrator to be ready")
        return self

    def ready(self):
        self.check()
        try:
            return ask(f"http://127.0.0.1:{self.admin}/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def status(self):
        return json.loads(ask(f"http://127.0.0.1:{self.admin}/status")[2])

    def rpc(self, path, body):
        headers = CAPTURES["grpc_get_orchestrator_request"]["headers"]
        return send(self.url + path, body, {name: value for name, value in headers.items() if name[0] != ":"})

    def info(self):
        row = CAPTURES["grpc_get_orchestrator_request"]
        return unframe(self.rpc(row["path"], bytes.fromhex(row["body_hex"])).body)

    def headers(self, name):
        """Those of a recorded job, with a token of ours; curl writes the length itself."""
        recorded = {key: value for key, value in CAPTURES[name]["headers"].items() if key[0] != ":"}
        del recorded["content-length"]
        recorded["livepeer-segment"] = with_token(recorded["livepeer-segment"], one(self.info(), 6))
        return recorded

    def job(self, name, version="2", body=None, **headers):
        """A recorded job; what is given stands for what was recorded, and None leaves a header out."""
        row = CAPTURES[name]
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        sent = {key: value for key, value in {**self.headers(name), **given}.items() if value is not None}
        return send(self.url + row["path"], bytes.fromhex(row["body_hex"]) if body is None else body, sent, version)


def body_of(name):
    return bytes.fromhex(CAPTURES[name]["body_hex"])


# ---- gRPC ----

@test
def the_recorded_question_is_answered_in_the_recorded_form(o, _):
    row = CAPTURES["grpc_get_orchestrator_request"]
    reply = o.rpc(row["path"], body_of("grpc_get_orchestrator_request"))
    assert (reply.version, reply.status, reply.headers["content-type"]) == ("2", 200, "application/grpc"), reply
    assert reply.headers["grpc-status"] == "0" and not reply.headers.get("grpc-message"), reply
    ours, theirs = unframe(reply.body), unframe(body_of("grpc_get_orchestrator_response"))
    assert numbers(ours) == numbers(theirs) == [1, 4, 5, 6]
    assert numbers(one(ours, 5)) == numbers(one(theirs, 5)) == [1, 3, 4, 5], "constraints must be there"
    assert one(ours, 1) == o.url.encode() and one(ours, 4) == bytes(20)
    token = one(ours, 6)
    assert len(one(token, 1)) == 32 and re.fullmatch(rb"[0-9a-f]{8}", one(token, 2)), token
    assert abs(one(token, 3) - time.time() - 1800) < 5


@test
def the_answer_offers_every_model_and_counts_every_capability(o, _):
    offer = one(o.info(), 5)
    assert re.fullmatch(rb"\d+\.\d+\.\d+", one(offer, 4)), offer
    words = fields(message([(1, one(offer, 1))]))[0][1]
    bits, at, shift = 0, 0, 0
    while at < len(words):
        bits |= (words[at] & 127) << shift
        at, shift = at + 1, shift + 7
    capacities = {one(row, 1) if 1 in numbers(row) else 0 for number, row in fields(offer) if number == 3}
    assert capacities == {n for n in range(64) if bits >> n & 1} and {27, 30, 33} <= capacities, capacities
    found = {}
    for number, entry in fields(one(offer, 5)):
        if number == 2:
            for _, model in fields(one(entry, 2)):
                found[(one(entry, 1), one(model, 1).decode())] = one(model, 2)
    assert set(found) == {(27, T2I), (27, "solo"), (28, T2I), (30, "up"), (33, "m")}, found
    terms = found[(27, T2I)]
    assert one(terms, 1) == 1 and one(terms, 2) == 8 and one(terms, 3) == b"0.14.1", terms


@test
def a_question_without_capabilities_brings_the_hardware_too(o, _):
    reply = o.rpc("/net.Orchestrator/GetOrchestrator", frame(bytes.fromhex(MESSAGES["orchestrator_request_poller"]["hex"])))
    assert reply.headers["grpc-status"] == "0" and 7 in numbers(unframe(reply.body)), reply


@test
def every_question_gets_a_session_of_its_own(o, _):
    assert one(one(o.info(), 6), 2) != one(one(o.info(), 6), 2)


@test
def a_ping_off_chain_is_answered_with_nothing(o, _):
    reply = o.rpc("/net.Orchestrator/Ping", frame(message([(1, bytes(32))])))
    assert reply.body == bytes(5) and reply.headers["grpc-status"] == "0", reply


@test
def what_is_not_served_is_unimplemented(o, _):
    for path in "/net.Foo/Bar", "/net.Orchestrator/Foo":
        reply = o.rpc(path, b"")    # curl 7.88 loses an answer that comes before its body has gone
        assert reply.status == 200 and reply.headers["grpc-status"] == "12", reply


@test
def a_question_that_is_no_protobuf_is_an_error_and_no_more(o, _):
    reply = o.rpc("/net.Orchestrator/GetOrchestrator", frame(b"\xff\xff"))
    assert reply.headers["grpc-status"] not in ("", "0"), reply
    assert numbers(o.info()) == [1, 4, 5, 6]


# ---- jobs ----

def check_picture(o, runner, reply):
    """As in http_job_text_to_image_response; the picture is fetched as a Go client does."""
    assert reply.status == 200 and reply.headers["content-type"] == "application/json", reply
    recorded = json.loads(body_of("http_job_text_to_image_response"))
    answer = json.loads(reply.body)
    assert reply.body.endswith(b"}\n") and shape(answer) == shape(recorded), reply
    url = answer["images"][0]["url"]
    assert re.fullmatch(re.escape(o.url) + r"/stream/[0-9a-f]+/[0-9a-f]+\.png", url), url
    got = send(url, None, {"user-agent": "Go-http-client/1.1", "accept-encoding": "gzip"}, "1.1")
    assert got.status == 200 and got.body == runner.draw(b""), got
    wanted = {"content-type": "image/png", "content-length": str(len(got.body)), "access-control-allow-origin": "*"}
    assert {name: got.headers.get(name) for name in wanted} == wanted and "content-encoding" not in got.headers, got


@test
def a_recorded_picture_job_runs_over_h2(o, runner):
    reply = o.job("http_job_text_to_image")
    assert reply.version == "2"
    check_picture(o, runner, reply)
    assert json.loads(runner.jobs[-1]["body"]) == json.loads(body_of("http_job_text_to_image"))


@test
def a_recorded_picture_job_runs_over_http_1_1(o, runner):
    reply = o.job("http_job_text_to_image", "1.1")
    assert reply.version == "1.1"
    check_picture(o, runner, reply)


@test
def a_recorded_upload_runs(o, runner):
    """The form of image-to-image as it was recorded, its names those of upscale."""
    recorded = body_of("http_job_image_to_image")
    headers = o.headers("http_job_image_to_image")
    mark = b"--" + headers["content-type"].split("boundary=")[1].encode()
    parts = [part for part in recorded.split(mark)[1:-1]
             if re.search(rb'name="(image|prompt|safety_check|seed)"', part)]
    parts.append(b'\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nup\r\n')
    body = mark + mark.join(parts) + mark + b"--\r\n"
    need = {"livepeer-segment": segment_for(o, 30, b"up")}
    check_picture(o, runner, send(o.url + "/upscale", body, {**headers, **need}))
    picture = parts[0].split(b"\r\n\r\n", 1)[1][:-2]
    assert picture.startswith(b"\x89PNG") and picture in runner.jobs[-1]["body"]


@test
def a_recorded_image_to_image_job_runs(o, runner):
    check_picture(o, runner, o.job("http_job_image_to_image", "1.1"))


@test
def a_recorded_stream_runs(o, runner):
    reply = o.job("http_job_llm_stream")
    assert reply.status == 200 and reply.headers["content-type"] == "text/event-stream", reply
    assert reply.headers["cache-control"] == "no-cache" and "connection" not in reply.headers, reply
    ours, theirs = (text.decode().split("\n\n") for text in (reply.body, body_of("http_job_llm_stream_response")))
    assert ours.pop() == theirs.pop() == "" and all(record.startswith("data: {") for record in ours), ours
    assert "[DONE]" not in reply.body.decode(), "nothing comes after the event with a finish_reason"
    mine, recorded = json.loads(ours[-1][6:]), json.loads(theirs[-1][6:])
    mine["choices"][0].pop("message", None)     # a runner sends it as null, a Go node drops it
    assert shape(mine) == shape(recorded) and mine["choices"][0]["finish_reason"] == "stop", ours
    assert json.loads(runner.jobs[-1]["body"]) == json.loads(body_of("http_job_llm_stream"))


@test
def a_chat_that_is_not_streamed_runs(o, _):
    reply = o.job("http_job_llm_stream", body=body_of("http_job_llm_stream").replace(b"true", b"false"))
    assert reply.status == 200 and reply.headers["content-type"] == "application/json", reply
    mine = json.loads(reply.body)
    assert mine["choices"][0].pop("delta", None) is None     # a runner sends it as null, a Go node drops it
    assert shape(mine) == shape(json.loads(body_of("http_job_llm_response"))), reply


@test
def an_old_gateway_gets_its_picture_inline(o, runner):
    reply = o.job("http_job_text_to_image", authorization=None)
    url = json.loads(reply.body)["images"][0]["url"]
    assert url.startswith("data:image/png;base64,") and base64.b64decode(url.split(",")[1]) == runner.draw(b"")


# ---- refusals: text/plain, in go-livepeer's words ----

def refused(reply, status, words):
    assert (reply.status, reply.body.decode()) == (status, words + "\n"), reply
    assert reply.headers["content-type"] == "text/plain; charset=utf-8", reply
    assert reply.headers["x-content-type-options"] == "nosniff", reply


def segment_for(o, capability, model):
    """A segment of ours: one capability, one model, and what every node has."""
    terms = message([(2, message([(1, capability), (2, message([(1, message([(1, model), (2, b"")]))]))]))])
    words = 67133439 | 1 << capability
    need = message([(1, message([(0, words)])[1:]), (4, b"0.9.1"), (5, terms)])
    rows = [(1, b"%d_%s" % (capability, model)), (3, bytes(32)), (4, b"invalid"), (7, need), (8, one(o.info(), 6))]
    return base64.b64encode(message(rows)).decode()


@test
def a_token_of_another_orchestrator_is_refused(o, _):
    theirs = CAPTURES["http_job_text_to_image"]["headers"]["livepeer-segment"]
    refused(o.job("http_job_text_to_image", livepeer_segment=theirs), 403, "invalid auth token")


@test
def a_job_without_credentials_is_refused(o, _):
    reply = o.job("http_job_text_to_image", livepeer_segment=None, livepeer_payment=None)
    refused(reply, 403, "missing auth token")


@test
def credentials_that_are_no_base64_are_refused(o, _):
    refused(o.job("http_job_text_to_image", livepeer_segment="%%%"), 403, "ErrorSegEncoding")
    reply = o.job("http_job_text_to_image", livepeer_payment="%%%")
    assert reply.status == 402 and reply.body.startswith(b"base64 decode error"), reply


def first_words(o, headers):
    """What is said to an upload of which no more than the head and a few bytes ever come."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    with h2.tls_client(int(o.address.split(":")[1]), ("http/1.1",), timeout=5) as peer:
        peer.sendall("\r\n".join(["POST /text-to-image HTTP/1.1", f"host: {o.address}", *lines, "", ""]).encode())
        if "chunked" in headers.values():
            peer.sendall(b"8\r\n{\"prompt\r\n")
        said = b""
        while b"\r\n\r\n" not in said:
            more = peer.recv(4096)
            assert more, said
            said += more
    return said.decode()


@test
def a_stranger_is_refused_before_his_body_comes(o, runner):
    jobs, good = len(runner.jobs), o.headers("http_job_text_to_image")
    strangers = [({"livepeer-payment": "%%%"}, 402), ({"livepeer-segment": "%%%"}, 403), ({"livepeer-segment": ""}, 403),
                 ({"livepeer-segment": CAPTURES["http_job_text_to_image"]["headers"]["livepeer-segment"]}, 403),
                 ({"livepeer-segment": segment_for(o, 27, b"nobody/has-this")}, 403)]
    bodies = [{"content-length": str(1 << 20)}, {"transfer-encoding": "chunked"},
              {"content-length": "100", "expect": "100-continue"}]
    for fault, status in strangers:
        for body in bodies:
            said = first_words(o, {**good, **fault, **body})
            assert said.startswith(f"HTTP/1.1 {status} "), (fault, body, said)
    said = first_words(o, {**good, "content-length": str(1 << 30)})
    assert said.startswith("HTTP/1.1 413 "), "and so is a body of which the head alone says that it is too large: " + said
    said = first_words(o, {**good, **bodies[-1]})
    assert said.startswith("HTTP/1.1 100 "), "whom we know is asked for his body: " + said
    assert len(runner.jobs) == jobs
    wait_for(lambda: o.status()["jobs"] == 0, "the jobs to end")


@test
def a_model_that_is_not_offered_is_refused(o, runner):
    jobs = len(runner.jobs)
    refused(o.job("http_job_text_to_image", livepeer_segment=segment_for(o, 27, b"nobody/has-this")), 403,
            "incompatible capabilities")
    body = body_of("http_job_text_to_image").replace(T2I.encode(), b"nobody/has-this")
    reply = o.job("http_job_text_to_image", body=body)
    assert reply.status == 503 and b"insufficient capacity" in reply.body, reply
    assert len(runner.jobs) == jobs


@test
def a_job_beyond_the_capacity_is_refused_at_once(o, runner):
    body = body_of("http_job_text_to_image").replace(T2I.encode(), b"solo")
    first = []
    thread = threading.Thread(target=lambda: first.append(o.job("http_job_text_to_image", body=body.replace(b"cat", b"wait"))))
    thread.start()
    try:
        wait_for(lambda: b"wait" in runner.jobs[-1]["body"], "the job to reach the runner")
        second = o.job("http_job_text_to_image", body=body)
        refused(second, 503, second.body.decode().strip())
        assert second.body.startswith(b"insufficient capacity"), second
    finally:
        runner.gate.set()
        thread.join()
    assert first[0].status == 200, first
    assert o.job("http_job_text_to_image", body=body).status == 200


@test
def a_runners_refusal_is_told_in_the_words_that_a_gateway_looks_for(o, _):
    body = body_of("http_job_text_to_image").replace(b"a cat", b"refuse no such style")
    reply = o.job("http_job_text_to_image", body=body.replace(b" \\u003cb\\u003e\\u0026", b""))
    assert reply.status >= 400 and reply.body == b"text-to-image container returned 400: no such style\n", reply


@test
def bodies_that_make_no_sense_are_refused(o, runner):
    jobs = len(runner.jobs)
    assert o.job("http_job_text_to_image", body=b'{"prompt":').status == 400
    assert o.job("http_job_text_to_image", body=b"").status == 400
    refused(o.job("http_job_llm_stream", body=b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'), 400,
            "MaxTokens not specified")
    headers = {**o.headers("http_job_image_to_image"), "livepeer-segment": segment_for(o, 30, b"up")}
    assert send(o.url + "/upscale", b"--nothing", headers, "1.1").status == 400
    assert len(runner.jobs) == jobs


@test
def a_picture_that_is_not_there_is_404(o, _):
    assert send(o.url + "/stream/0a1b2c3d/0a1b2c3d.png", None, {}, "1.1").status == 404


@test
def a_token_outlives_the_orchestrator_that_gave_it_but_not_its_secret(o, runner):
    body, before = body_of("http_job_text_to_image"), o.headers("http_job_text_to_image")
    runner.gate.set()

    def again():
        return send(o.url + "/text-to-image", body, before)

    def restart():
        assert o.end(o.process) == 0
        o.__enter__()
    assert again().status == 200, again()
    restart()
    assert again().status == 200, again()
    assert o.end(o.process) == 0
    for file in (o.folder / "data").glob("lpd.db*"):
        file.unlink()
    o.__enter__()
    refused(again(), 403, "invalid auth token")
    assert send(o.url + "/text-to-image", body, o.headers("http_job_text_to_image")).status == 200


@test
def nothing_is_left_under_way(o, _):
    status = o.status()
    assert status["jobs"] == 0 and all(row["in_use"] == 0 for row in status["orchestrator"]["runners"]), status
    assert o.end(o.process) == 0


def main():
    if not shutil.which("curl"):
        print("curl is not installed")
        return 77
    folder = tempfile.mkdtemp(prefix="lpd-recorded-")
    runner, bad = FakeRunner(), False
    runner.draw = lambda body: png(12, 7)
    with Orchestrator(folder, runner) as o:
        for one_test in TESTS:
            words = one_test.__name__.replace("_", " ")
            runner.gate.clear()
            try:
                one_test(o, runner)
                print("ok", words, flush=True)
            except Exception:   # noqa: BLE001    (any fault is this test's)
                bad = True
                traceback.print_exc(file=sys.stdout)
                print("not ok", words, flush=True)
    if bad:
        print(*(pathlib.Path(folder) / "orchestrator.log").read_text().splitlines()[-30:], sep="\n  ")
    shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
