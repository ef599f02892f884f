#!/usr/bin/env python3
"""test_peer - lpd and a real go-livepeer do jobs for each other, off-chain, each once as gateway and as orchestrator.

LPD_PEER names the go-livepeer program; without it there is nothing to test against.  Each function is a test, its name
is what it says; all of a pair share its two nodes, so none may leave them worse."""
import concurrent.futures
import hashlib
import json
import pathlib
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "peer")]
from fake_runner import OTHERS, FakeRunner, png, sound  # noqa: E402
from nodes import LPD, wait_for  # noqa: E402
from peers import FAKETIME, PEER, Pair, files_of, form  # noqa: E402
from picture import colours  # noqa: E402

CHAT = {"model": "test", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16, "stream": False}
UPLOAD = png(5, 3)


def drawn_for(body):
    """A picture for each job's own body: its size tells the jobs apart."""
    n = hashlib.sha256(body).digest()
    return png(8 + n[0] % 64, 8 + n[1] % 64)


def text_job(prompt, model="test"):
    return {"model_id": model, "prompt": prompt, "width": 64, "height": 64}


def draw(pair, prompt, model="test"):
    return pair.post("/text-to-image", text_job(prompt, model))


def fetch(pair, answer):
    """The picture that an answer names: at the gateway, whoever made it."""
    status, _, body = answer
    assert status == 200, answer
    image = json.loads(body)["images"][0]
    assert image["seed"] == 7 and image["nsfw"] is False and image["url"].startswith("/stream/"), image
    status, headers, data = pair.post(image["url"], None)
    assert (status, headers["Content-Type"]) == (200, "image/png"), (status, headers)
    return data


def same_picture(pair, got, made):
    """lpd gives on the runner's bytes; a go-livepeer orchestrator writes the picture anew."""
    if pair.is_lpd("orchestrator"):
        return got == made
    return colours(got) == colours(made) and colours(got) is not None


def message(answer):
    return json.loads(answer[2])["error"]["message"]


TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


@test
def a_picture_comes_through(pair, runner):
    got = fetch(pair, draw(pair, "a fox"))
    sent = json.loads(runner.jobs[-1]["body"])
    assert same_picture(pair, got, drawn_for(runner.jobs[-1]["body"]))
    assert sent == {**text_job("a fox"), "num_images_per_prompt": 1}, sent


@test
def a_picture_in_the_last_makers_form_keeps_its_bytes(pair, runner):
    """What a go-livepeer orchestrator has written once it writes the same again: then bytes can be compared."""
    first = fetch(pair, draw(pair, "a fox"))
    runner.draw = lambda body: first
    assert fetch(pair, draw(pair, "a fox")) == first


@test
def an_upload_reaches_the_runner_whole(pair, runner):
    fields = {"model_id": "test", "prompt": "sharper <&>", "safety_check": "false", "seed": 7}
    headers, body = form(fields, "my picture.png", UPLOAD)
    got = fetch(pair, pair.post("/upscale", body, headers))
    sent = runner.jobs[-1]
    assert same_picture(pair, got, drawn_for(sent["body"]))
    assert sent["path"] == "/upscale" and UPLOAD in sent["body"] and b'filename="my picture.png"' in sent["body"], sent
    for name, value in fields.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in sent["body"], (name, sent)


def write_down(pair, recording):
    headers, body = form({"model_id": "test", "return_timestamps": "word"}, "a.wav", recording, "audio")
    return pair.post("/audio-to-text", body, headers)


@test
def a_recording_is_written_down(pair, runner):
    recording = sound(12.7)
    status, _, body = write_down(pair, recording)
    assert status == 200 and json.loads(body) == OTHERS["/audio-to-text"], (status, body)
    sent = runner.jobs[-1]["body"]
    assert recording in sent and b'"metadata"\r\n\r\n{"duration":"12"}\r\n' in sent, sent[-400:]


@test
def what_is_no_recording_is_the_clients_fault(pair, runner):
    """And is asked of an orchestrator once at most, by a go-livepeer gateway too."""
    jobs, calls = len(runner.jobs), pair.log("orchestrator").count("pipeline=audio-to-text")
    for recording in sound(0.5), b"words, and no sound " * 50:
        status, _, body = write_down(pair, recording)
        assert status == (422 if pair.is_lpd("gateway") else 400) and message((status, {}, body)), (status, body)
    assert len(runner.jobs) == jobs
    if pair.is_lpd("orchestrator"):
        assert pair.log("orchestrator").count("pipeline=audio-to-text") <= calls + 2
    assert draw(pair, "a fox")[0] == 200, "it must not cost the orchestrator its place"


@test
def a_picture_becomes_a_video(pair, runner):
    headers, body = form({"model_id": "test", "width": 256, "height": 144}, "a.png", UPLOAD)
    status, _, answer = pair.post("/image-to-video", body, headers)
    sent = runner.jobs[-1]
    assert sent["path"] == "/image-to-video" and b'name="height"\r\n\r\n144' in sent["body"], sent
    if status != 200 and not pair.is_lpd("orchestrator") and "TranscoderInvalidInput" in pair.log("orchestrator"):
        raise Skip("this go-livepeer was built without its media library")
    assert status == 200, (status, answer)
    image = json.loads(answer)["images"][0]
    assert image["seed"] == 7 and image["nsfw"] is False and image["url"].endswith(".mp4"), image
    status, headers, video = pair.post(image["url"], None)
    assert (status, headers["Content-Type"]) == (200, "video/mp4") and video[4:8] == b"ftyp", (status, headers)


@test
def a_chat_is_answered_whole(pair, _):
    status, headers, body = pair.post("/llm", CHAT)
    assert status == 200 and headers["Content-Type"] == "application/json", (status, body)
    answer = json.loads(body)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello."}, answer
    assert answer["usage"]["total_tokens"] == 5, answer


@test
def a_chat_is_streamed_as_events(pair, _):
    status, headers, body = pair.post("/llm", {**CHAT, "stream": True})
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream"), (status, body)
    events = [json.loads(record[6:]) for record in body.decode().split("\n\n") if record.startswith("data: {")]
    assert "".join(event["choices"][0]["delta"]["content"] for event in events) == "Hello.", body
    assert [event["choices"][0]["finish_reason"] for event in events][-1] == "stop", body


@test
def a_runners_refusal_reaches_the_client_in_its_words(pair, runner):
    jobs = len(runner.jobs)
    answer = draw(pair, "refuse no such style here")
    assert answer[0] == 400 and message(answer).strip(": ") == "no such style here", answer
    assert len(runner.jobs) == jobs + 1, "a refusal is no reason to try again"
    assert draw(pair, "a fox")[0] == 200, "a refusal must not cost the orchestrator its place"


@test
def a_refused_stream_is_the_clients_fault_too(pair, _):
    """A go-livepeer worker tells only the status of its runner then, and a go-livepeer gateway not even that."""
    messages = [{"role": "user", "content": "refuse such talk"}]
    answer = pair.post("/llm", {**CHAT, "messages": messages, "stream": True})
    assert answer[0] == (400 if pair.is_lpd("gateway") else 500) and message(answer), answer
    assert pair.post("/llm", CHAT)[0] == 200


@test
def a_model_that_nobody_offers_is_refused(pair, runner):
    jobs = len(runner.jobs)
    answer = draw(pair, "a fox", "nobody/has-this")
    if pair.is_lpd("gateway"):
        assert answer[0] == 503 and json.loads(answer[2])["error"]["code"] == "no_orchestrator", answer
    else:
        assert answer[0] == 0, answer   # go-livepeer ends the connection
    assert len(runner.jobs) == jobs
    assert draw(pair, "a fox")[0] == 200


@test
def a_full_orchestrator_is_busy_not_bad(pair, runner):
    first = []
    thread = threading.Thread(target=lambda: first.append(draw(pair, "wait", "solo")))
    thread.start()
    try:
        wait_for(lambda: b"wait" in runner.jobs[-1]["body"], "the job to reach the runner")
        jobs = len(runner.jobs)
        second = draw(pair, "a fox", "solo")
        assert len(runner.jobs) == jobs, "one job at a time"
    finally:
        runner.gate.set()
        thread.join()
    if pair.is_lpd("gateway"):
        assert second[0] == 503 and "full" in message(second), second
    else:
        assert second[0] == 0, second
    assert first[0][0] == 200, first
    wait_for(lambda: draw(pair, "a fox", "solo")[0] == 200, "the slot to be free again", 10, 0.2)


@test
def a_client_that_leaves_frees_its_slot(pair, runner):
    body = json.dumps(text_job("hang", "solo")).encode()
    with socket.create_connection(("127.0.0.1", pair.http)) as sock:
        sock.sendall(b"POST /text-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_for(lambda: b"hang" in runner.jobs[-1]["body"], "the job to reach the runner")
    assert runner.jobs[-1]["gone"].wait(5), "the runner was not told"
    wait_for(lambda: draw(pair, "a fox", "solo")[0] == 200, "the slot to be free again", 10, 0.2)


@test
def many_jobs_at_once_get_each_their_own_answer(pair, runner):
    """A go-livepeer orchestrator may crash when more than two come at once."""
    at_once = 16 if pair.is_lpd("orchestrator") else 2
    prompts = [f"picture number {n}" for n in range(100)]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        got = list(pool.map(lambda prompt: fetch(pair, draw(pair, prompt)), prompts))
    made = {json.loads(job["body"])["prompt"]: drawn_for(job["body"]) for job in runner.jobs if b"number" in job["body"]}
    assert all(same_picture(pair, data, made[prompt]) for data, prompt in zip(got, prompts))


@test
def an_orchestrator_that_started_anew_gets_jobs_again(pair, _):
    """It has another secret, so the token that the gateway holds is worth nothing: the next job has to find out."""
    assert draw(pair, "a fox")[0] == 200
    pair.restart("orchestrator")
    answer = draw(pair, "a fox")
    assert answer[0] == 200, answer


@test
def a_token_that_has_ended_is_asked_for_anew(pair, _):
    """Tokens live 30 minutes; here lpd's clock goes 31 minutes ahead between two jobs."""
    if not FAKETIME:
        raise Skip("libfaketime is not installed")
    if b"__asan_init" in pathlib.Path(LPD).read_bytes():
        raise Skip("libfaketime and the address sanitizer do not go together")
    role = "gateway" if pair.is_lpd("gateway") else "orchestrator"
    pair.set_clock("+0")
    try:
        pair.restart(role)
        wait_for(lambda: draw(pair, "a fox")[0] == 200, "jobs to run again", 10, 0.1)
        pair.set_clock("+31m")
        for _ in range(3):
            answer = draw(pair, "a fox")
            assert answer[0] == 200, answer
    finally:
        pair.set_clock(None)
        pair.restart(role)
        wait_for(lambda: draw(pair, "a fox")[0] == 200, "jobs to run again", 20, 0.1)


@test
def a_gateway_outlives_its_orchestrator(pair, _):
    pair.end(pair.orchestrator)
    answer = draw(pair, "a fox")
    assert answer[0] in ((502, 503) if pair.is_lpd("gateway") else (0, 503)), answer
    pair.start_orchestrator()
    wait_for(lambda: draw(pair, "a fox")[0] == 200, "jobs to run again", 20, 0.5)


@test
def nothing_is_left_behind(pair, _):
    """lpd has no job and no slot in hand, and 60 more jobs cost it no descriptor."""
    for role in ("gateway", "orchestrator"):
        if pair.is_lpd(role):
            process = getattr(pair, role)
            wait_for(lambda: pair.busy(role) == (0, 0), f"{role} to have nothing in hand", 10, 0.1)
            files = files_of(process)
            for n in range(60):
                assert draw(pair, f"number {n}")[0] == 200
            wait_for(lambda: pair.busy(role) == (0, 0), f"{role} to have nothing in hand", 10, 0.1)
            assert files_of(process) <= files + 4, (files, files_of(process))


@test
def lpd_finishes_its_job_when_it_is_asked_to_stop(pair, runner):
    role = "gateway" if pair.is_lpd("gateway") else "orchestrator"
    answers = []
    thread = threading.Thread(target=lambda: answers.append(draw(pair, "wait")))
    thread.start()
    wait_for(lambda: b"wait" in runner.jobs[-1]["body"], "the job to reach the runner")
    getattr(pair, role).terminate()
    time.sleep(0.3)
    runner.gate.set()
    thread.join()
    assert answers[0][0] == 200, answers
    pair.restart(role)
    wait_for(lambda: draw(pair, "a fox")[0] == 200, "jobs to run again", 20, 0.2)


@test
def both_end_well(pair, _):
    for role in ("gateway", "orchestrator"):
        assert pair.end(getattr(pair, role)) == 0, role
        assert "panic" not in pair.log(role) or not pair.is_lpd(role)


def run(pair, runner, names):
    """True: all of them are well."""
    good = True
    for one in TESTS:
        words = f"{one.__name__.replace('_', ' ')} ({names})"
        runner.gate.clear()
        runner.draw = drawn_for
        try:
            one(pair, runner)
            print("ok", words, flush=True)
        except Skip as why:
            print("skip", f"{words}: {why}", flush=True)
        except Exception:   # noqa: BLE001    (any fault is this test's)
            good = False
            traceback.print_exc(file=sys.stdout)
            print("not ok", words, flush=True)
    return good


def main():
    if not PEER:
        print("LPD_PEER names no go-livepeer program")
        return 77
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lpd-peer-"))
    good = True
    for gateway, orchestrator in ("lpd", "go"), ("go", "lpd"):
        runner, well = FakeRunner(), False
        names = f"{gateway} gateway, {orchestrator} orchestrator"
        pair = Pair(folder / gateway, runner, gateway, orchestrator)
        try:
            with pair:
                well = run(pair, runner, names)
        except RuntimeError as why:
            print("not ok the pair starts", f"({names}): {why}")
        for role in ("gateway", "orchestrator") if not well else ():
            print(f"{role}'s log:", *pair.log(role).splitlines()[-20:], sep="\n  ")
        good = good and well
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print("all of it is in", folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
