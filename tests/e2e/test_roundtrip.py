#!/usr/bin/env python3
"""test_roundtrip - a gateway and an orchestrator, real processes with TLS between them, and a fake runner behind.

Each function is a test; its name is what it says.  All share one pair of nodes; before each, a good job has run, so
an orchestrator that rests after the fault of an earlier test is back."""
import base64
import json
import pathlib
import shutil
import socket
import ssl
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import LARGE, OTHERS, PICTURE, SOUND, FakeRunner, sound  # noqa: E402
from nodes import Pair, ask, wait_for  # noqa: E402

CHAT = {"model": "test", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16, "stream": False}


def picture(prompt, **more):
    return {"model_id": "test", "prompt": prompt, "width": 64, "height": 64, **more}


def a_good_job_runs(nodes):
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", picture("a fox"))[0] == 200, "a good job", 15, 0.2)


def code_of(body):
    """Both forms of an error body must be there: some clients read only one."""
    error = json.loads(body)
    assert error["error"]["message"] and error["detail"], body
    return error["error"]["code"]


def a_picture_comes_through_both_nodes(nodes, runner):
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("a fox"))
    assert status == 200, (status, body)
    image = json.loads(body)["images"][0]
    assert image["seed"] == 7 and image["nsfw"] is False and image["url"].startswith("/stream/"), image
    status, headers, bytes_ = ask(nodes.url + image["url"])
    assert (status, headers["Content-Type"]) == (200, "image/png") and bytes_ == PICTURE
    sent = json.loads(runner.jobs[-1]["body"])
    assert sent["prompt"] == "a fox" and sent["width"] == 64 and sent["num_images_per_prompt"] == 1, sent


def a_picture_larger_than_memory_keeps_comes_too(nodes, _):
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("large"))
    assert status == 200, (status, body)
    assert ask(nodes.url + json.loads(body)["images"][0]["url"])[2] == LARGE
    inline = json.loads(ask(f"{nodes.url}/text-to-image?media=inline", picture("large"))[2])["images"][0]["url"]
    assert base64.b64decode(inline.split(",", 1)[1]) == LARGE


def a_client_that_reads_slowly_gets_it_all(nodes, _):
    url = json.loads(ask(f"{nodes.url}/text-to-image", picture("large"))[2])["images"][0]["url"]
    with socket.create_connection(("127.0.0.1", nodes.http), timeout=20) as sock:
        sock.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        file = sock.makefile("rb")
        got = file.read(100000)
        time.sleep(1)
        got += file.read()
    assert got.endswith(LARGE), len(got)


def a_picture_comes_inline_when_asked(nodes, _):
    status, _, body = ask(f"{nodes.url}/text-to-image?media=inline", picture("a fox"))
    url = json.loads(body)["images"][0]["url"]
    assert status == 200 and url.startswith("data:image/png;base64,")
    assert base64.b64decode(url.split(",", 1)[1]) == PICTURE


def send_form(url, file=("image", PICTURE), more=None, **fields):
    parts = {"model_id": b"test", **fields, f"{file[0]}\"; filename=\"a.bin": file[1]}
    body = b"".join(b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
                    for name, value in parts.items()) + b"--XX--\r\n"
    return ask(url, body, {"Content-Type": "multipart/form-data; boundary=XX", **(more or {})})


def an_upload_reaches_the_runner_whole(nodes, runner):
    status, _, answer = send_form(f"{nodes.url}/upscale", prompt=b"sharper")
    assert status == 200, (status, answer)
    assert PICTURE in runner.jobs[-1]["body"] and runner.jobs[-1]["path"] == "/upscale"


def a_picture_is_changed_as_described(nodes, runner):
    status, _, answer = send_form(f"{nodes.url}/image-to-image", prompt=b"in oil", strength=b"0.5")
    assert status == 200, (status, answer)
    assert ask(nodes.url + json.loads(answer)["images"][0]["url"])[2] == PICTURE
    sent = runner.jobs[-1]["body"]
    assert b"0.500000" in sent and sent.index(b'name="image"') < sent.index(b'name="prompt"'), sent


def masks_of_a_picture_come_as_the_runner_wrote_them(nodes, runner):
    status, _, answer = send_form(f"{nodes.url}/segment-anything-2", point_coords=b"[[1,2]]", point_labels=b"[1]")
    assert status == 200 and json.loads(answer) == OTHERS["/segment-anything-2"], (status, answer)
    assert b"[[1,2]]" in runner.jobs[-1]["body"]


def a_picture_is_put_into_words(nodes, _):
    status, _, answer = send_form(f"{nodes.url}/image-to-text", prompt=b"")
    assert status == 200 and json.loads(answer) == {"text": "a fox"}, (status, answer)


def a_text_is_spoken(nodes, runner):
    status, _, answer = ask(f"{nodes.url}/text-to-speech", {"model_id": "test", "text": "Hello."})
    assert status == 200, (status, answer)
    status, headers, sound = ask(nodes.url + json.loads(answer)["audio"]["url"])
    assert (status, headers["Content-Type"], sound) == (200, "audio/wav", SOUND)
    assert json.loads(runner.jobs[-1]["body"])["text"] == "Hello."


def boxes(mp4):
    """The boxes at the top of an mp4: name and bytes of each."""
    while mp4:
        size = int.from_bytes(mp4[:4], "big")
        assert 8 <= size <= len(mp4), (size, len(mp4))
        yield mp4[4:8].decode(), mp4[8:size]
        mp4 = mp4[size:]


def rate_of(video):
    """Frames a second, of an mp4 with one track."""
    mdhd, stts = video.index(b"mdhd"), video.index(b"stts")
    assert video[mdhd + 4] == 0 and int.from_bytes(video[stts + 8:stts + 12], "big") == 1, "one length for all frames"
    return int.from_bytes(video[mdhd + 16:mdhd + 20], "big") / int.from_bytes(video[stts + 16:stts + 20], "big")


def a_video_has_the_rate_that_was_asked_for_or_else_the_runners(nodes, runner):
    for fps, rate in ((None, 6), (b"7", 7), (b"24", 24)):
        more = {} if fps is None else {"fps": fps}
        status, _, answer = send_form(f"{nodes.url}/image-to-video", width=b"64", height=b"64", **more)
        assert status == 200, (status, answer)
        assert rate_of(ask(nodes.url + json.loads(answer)["images"][0]["url"])[2]) == rate, fps
        assert b'"fps"\r\n\r\n%d\r\n' % rate in runner.jobs[-1]["body"], "the runner is told the same"


def a_picture_becomes_a_video(nodes, runner):
    status, _, answer = send_form(f"{nodes.url}/image-to-video", width=b"256", height=b"144", fps=b"7", safety_check=b"false")
    assert status == 200, (status, answer)
    image = json.loads(answer)["images"][0]
    assert image["seed"] == 7 and image["nsfw"] is False and image["url"].endswith(".mp4"), image
    status, headers, video = ask(nodes.url + image["url"])
    assert (status, headers["Content-Type"]) == (200, "video/mp4"), (status, headers)
    parts = dict(boxes(video))
    assert list(parts)[:2] == ["ftyp", "moov"], "its index comes first"
    assert b"avc1" in parts["moov"] or b"vp09" in parts["moov"]
    sent = runner.jobs[-1]["body"]
    order = [sent.index(b'name="%s"' % name) for name in (b"image", b"model_id", b"height", b"width", b"fps", b"safety_check")]
    assert order == sorted(order), order
    assert b'"fps"\r\n\r\n7\r\n' in sent and b'"safety_check"\r\n\r\ntrue\r\n' in sent, sent


def a_video_is_come_back_for_as_the_networks_clients_do(nodes, _):
    status, _, body = send_form(f"{nodes.url}/image-to-video", more={"Prefer": "respond-async"}, width=b"64", height=b"64")
    assert status == 202, (status, body)
    ticket = {"request_id": json.loads(body)["request_id"]}
    wait_for(lambda: ask(f"{nodes.url}/image-to-video/result", ticket)[0] == 200, "the video", 15, 0.1)
    answer = json.loads(ask(f"{nodes.url}/image-to-video/result", ticket)[2])
    assert answer["status"] == "complete", answer
    assert ask(nodes.url + answer["result"]["images"][0]["url"])[2][4:8] == b"ftyp"


def frames_that_are_no_pictures_are_the_runners_failure(nodes, runner):
    def film():
        return send_form(f"{nodes.url}/image-to-video", width=b"64", height=b"64")

    good = runner.film
    for frames in [[PICTURE], [PICTURE]], [[PICTURE, b"no picture"]]:
        wait_for(lambda: film()[0] == 200, "a good video", 15, 0.2)
        runner.film = lambda body, frames=frames: frames
        try:
            status, _, body = film()
        finally:
            runner.film = good
        assert status in (500, 502) and code_of(body), (frames, status, body)
    wait_for(lambda: film()[0] == 200, "a good video", 15, 0.2)


def a_recording_is_written_down(nodes, runner):
    recording = sound(12.7)
    status, _, answer = send_form(f"{nodes.url}/audio-to-text", ("audio", recording), return_timestamps=b"word",
                                  metadata=b'{"duration":"1"}')
    assert status == 200, (status, answer)
    assert json.loads(answer) == OTHERS["/audio-to-text"]   # a null inside of a timestamp has a meaning
    sent = runner.jobs[-1]["body"]
    assert recording in sent and b'"metadata"\r\n\r\n{"duration":"12"}\r\n' in sent, sent[-400:]
    assert b'"return_timestamps"\r\n\r\nword' in sent


def what_is_no_recording_is_refused_at_the_gateway(nodes, runner):
    jobs = len(runner.jobs)
    video = ask(nodes.url + json.loads(send_form(f"{nodes.url}/image-to-video", width=b"64", height=b"64")[2])
                ["images"][0]["url"])[2]
    for file in PICTURE, b"hello, this is text " * 99, b"\0" * 5000, sound(0.5), video, b"":
        status, _, body = send_form(f"{nodes.url}/audio-to-text", ("audio", file))
        assert status == 422 and code_of(body) == "invalid_parameter" and b"audio" in body, (status, body)
    assert len(runner.jobs) == jobs + 1


def a_pipeline_that_is_known_by_name_says_what_there_is(nodes, _):
    status, _, body = ask(f"{nodes.url}/live-video-to-video", {"model_id": "noop"})
    assert status == 404 and code_of(body) == "not_found", (status, body)
    assert b"image-to-video" in body and b"audio-to-text" in body, body
    status, _, body = ask(f"{nodes.url}/text-to-video", {"model_id": "x"})
    assert status == 404 and b"image-to-video" in body, (status, body)


def a_chat_is_answered_whole(nodes, _):
    status, _, body = ask(f"{nodes.url}/llm", CHAT)
    assert status == 200 and json.loads(body)["choices"][0]["message"]["content"] == "Hello.", (status, body)


def a_chat_is_streamed_as_events(nodes, _):
    status, headers, body = ask(f"{nodes.url}/llm", {**CHAT, "stream": True})
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: {")]
    assert "".join(event["choices"][0]["delta"]["content"] for event in events) == "Hello.", body
    assert body.endswith(b"}\n\ndata: [DONE]\n\n") and body.count(b"[DONE]") == 1, body
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def a_failing_runner_is_an_error_in_both_forms(nodes, _):
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("fail 500"))
    assert status >= 500 and code_of(body), (status, body)


def an_answer_that_is_no_json_is_an_error(nodes, _):
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("bad json"))
    assert status >= 500 and code_of(body), (status, body)


def a_model_that_nobody_offers_is_503_with_retry_after(nodes, _):
    status, headers, body = ask(f"{nodes.url}/text-to-image", picture("a fox", model_id="nobody/has-this"))
    assert status == 503 and headers["Retry-After"] and code_of(body) == "no_orchestrator", (status, body)


def malformed_requests_are_refused(nodes, runner):
    jobs = len(runner.jobs)
    status, _, body = ask(f"{nodes.url}/text-to-image", b"{", {"Content-Type": "application/json"})
    assert status == 400 and code_of(body) == "bad_request", (status, body)
    status, _, body = ask(f"{nodes.url}/text-to-image", {"model_id": "test"})
    assert status in (400, 422) and code_of(body), (status, body)
    status, headers, _ = ask(f"{nodes.url}/text-to-image")
    assert status == 405 and "POST" in headers["Allow"], status
    assert ask(f"{nodes.url}/nothing-here")[0] == 404
    assert len(runner.jobs) == jobs


def a_client_that_leaves_ends_the_job_at_the_runner(nodes, runner):
    body = json.dumps(picture("hang")).encode()
    with socket.create_connection(("127.0.0.1", nodes.http)) as sock:
        sock.sendall(b"POST /text-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_for(lambda: b"hang" in runner.jobs[-1]["body"], "the job to reach the runner")
    assert runner.jobs[-1]["gone"].wait(5), "the runner was not told"


def the_wire_between_the_nodes_is_tls_with_h2(nodes, _):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", nodes.service)) as sock, context.wrap_socket(sock) as tls:
        assert tls.selected_alpn_protocol() == "h2" and tls.version() in ("TLSv1.2", "TLSv1.3")


def the_admin_pages_are_there(nodes, _):
    for role in ("gateway", "orchestrator"):
        base = f"http://127.0.0.1:{nodes.cli[role]}"
        assert ask(f"{base}/healthz")[0] == 200 and ask(f"{base}/readyz")[0] == 200
        assert json.loads(ask(f"{base}/status")[2])
        assert b"lpd_jobs_total" in ask(f"{base}/metrics")[2]


def the_gateway_finds_its_orchestrator_again(nodes, _):
    assert nodes.end(nodes.orchestrator) == 0
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("a fox"))
    assert status in (502, 503) and code_of(body), (status, body)
    status, headers, body = ask(f"{nodes.url}/text-to-image", picture("a fox"))
    assert status == 503 and headers["Retry-After"] and code_of(body) == "no_orchestrator", (status, body)
    assert str(nodes.service) not in body.decode(), "where an orchestrator is is not the client's business"
    cert = (nodes.folder / "orchestrator" / "cert.pem").read_bytes()
    nodes.orchestrator = nodes.start_orchestrator()
    wait_for(lambda: nodes.ready("orchestrator"), "the orchestrator to be ready")
    a_good_job_runs(nodes)
    assert (nodes.folder / "orchestrator" / "cert.pem").read_bytes() == cert


def a_node_that_is_asked_to_stop_finishes_its_jobs(nodes, _):
    with socket.create_connection(("127.0.0.1", nodes.http)) as sock:
        body = json.dumps(picture("slow")).encode()
        sock.sendall(b"POST /text-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        time.sleep(0.3)
        nodes.gateway.terminate()
        assert sock.makefile("rb").readline().split()[1] == b"200"
    assert nodes.end(nodes.gateway) == 0


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__code__", None) and value.__code__.co_varnames[:value.__code__.co_argcount]
         in (("nodes", "runner"), ("nodes", "_"))]


def main():
    folder = tempfile.mkdtemp(prefix="lpd-e2e-")
    runner = FakeRunner()
    bad = False
    with Pair(folder, runner.port) as nodes:
        for test in TESTS:
            try:
                a_good_job_runs(nodes)
                test(nodes, runner)
                print("ok", test.__name__.replace("_", " "), flush=True)
            except Exception:  # noqa: BLE001    (any fault is this test's)
                bad = True
                traceback.print_exc(file=sys.stdout)
                print("not ok", test.__name__.replace("_", " "), flush=True)
    if bad:
        for log in ("orchestrator", "gateway"):
            print(f"{log}'s log:", *(pathlib.Path(folder) / f"{log}.log").read_text().splitlines()[-30:], sep="\n  ")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
