"""sdk - what a published client of the network must see from lpd, whatever language it is written in.

A client is a function call(pipeline, fields, file) that gives Answer: what the client's own types made of the reply, or the
error that it raised.  Fields and answers have the names of the wire; a driver of a client translates them."""
import json
import re
import tempfile
import threading
import time

import fake_runner
from fake_runner import FakeRunner, png, sound
from nodes import Pair, TOP, ask, each, wait_for

PLACE = TOP / "build" / "deps" / "clients"
MODEL = "test/model-1"
PICTURE, RECORDING = png(24, 16), sound(3.9)
HELLO = [{"role": "user", "content": "Hello."}]
FILE = {"audio-to-text": ("audio", RECORDING), **{pipeline: ("image", PICTURE) for pipeline in (
    "image-to-image", "image-to-video", "upscale", "segment-anything-2", "image-to-text")}}

# The least that a client must say, and everything that it can say beside the model.
LEAST = {"text-to-image": {"prompt": "a fox"}, "image-to-image": {"prompt": "in oil"}, "image-to-video": {},
         "upscale": {"prompt": "sharp"}, "audio-to-text": {}, "segment-anything-2": {}, "llm": {"messages": HELLO},
         "image-to-text": {}, "text-to-speech": {"text": "Hello."}}
MOST = {
    "text-to-image": {"loras": "{}", "height": 512, "width": 768, "guidance_scale": 7.5, "negative_prompt": "rain",
                      "safety_check": False, "seed": 9, "num_inference_steps": 20, "num_images_per_prompt": 2},
    "image-to-image": {"loras": "{}", "strength": 0.5, "guidance_scale": 7.5, "image_guidance_scale": 1.5,
                       "negative_prompt": "rain", "safety_check": True, "seed": 9, "num_inference_steps": 20,
                       "num_images_per_prompt": 2},
    "image-to-video": {"height": 64, "width": 128, "fps": 6, "motion_bucket_id": 127, "noise_aug_strength": 0.5,
                       "safety_check": True, "seed": 9, "num_inference_steps": 20},
    "upscale": {"safety_check": True, "seed": 9, "num_inference_steps": 20},
    "audio-to-text": {"return_timestamps": "word"},
    "segment-anything-2": {"point_coords": "[[1,2]]", "point_labels": "[1]", "box": "[0,0,5,5]", "mask_input": "[[0.5]]",
                           "multimask_output": False, "return_logits": True, "normalize_coords": True},
    "llm": {"temperature": 0.5, "max_tokens": 12, "top_p": 0.9, "top_k": 40, "stream": False},
    "image-to-text": {"prompt": "a photo of"},
    "text-to-speech": {"description": "a calm voice"},
}
# One thing that each may not say: field, value, and where it is the file that is wrong.
WRONG = {"text-to-image": ("width", 5000), "image-to-image": ("strength", 2.5), "image-to-video": ("fps", 0),
         "upscale": ("prompt", ""), "audio-to-text": ("audio", b"this is no recording"), "segment-anything-2": ("box", "x" * 2000),
         "llm": ("temperature", 3.0), "image-to-text": ("image", b"this is no picture"), "text-to-speech": ("text", "")}
OTHERWISE = {"segment-anything-2": 413, "image-to-text": 400}  # too long; a file of another kind: not of the kind that has a list


class Answer:
    """kind: "ok" or the name of the client's error.  value: the reply, or the error's detail."""

    def __init__(self, kind, value, status=None, body=""):
        self.kind, self.value, self.status, self.body = kind, value, status, body

    def __repr__(self):
        return f"{self.kind} {self.status or ''} {str(self.value)[:300]} {self.body[:300]}"


def model_name(pipeline):
    return "model" if pipeline == "llm" else "model_id"


def send(call, pipeline, more=None, file=None, model=MODEL):
    name, data = FILE.get(pipeline, (None, None))
    fields = {**LEAST[pipeline], **(more or {})}
    if model is not None:
        fields[model_name(pipeline)] = model
    return call(pipeline, fields, name and (name, file or data))


def good(nodes, pipeline, answer):
    assert answer.kind == "ok", answer
    value = answer.value
    if pipeline == "llm":
        [choice] = value["choices"]
        assert choice["message"] == {"role": "assistant", "content": "Hello."} and not choice.get("delta"), value
        assert value["usage"]["total_tokens"] == 5 and choice["finish_reason"] == "stop" and value["id"], value
    elif pipeline in ("audio-to-text", "image-to-text"):
        assert value["text"] == fake_runner.OTHERS["/" + pipeline]["text"], value
        assert pipeline == "image-to-text" or value["chunks"][0]["timestamp"] == [0.0, None], value
    elif pipeline == "segment-anything-2":
        assert value == fake_runner.OTHERS["/segment-anything-2"], value
    elif pipeline == "text-to-speech":
        fetched(nodes, value["audio"]["url"], b"RIFF")
    else:
        [picture] = value["images"]
        assert picture["seed"] == 7 and picture["nsfw"] is False, value
        fetched(nodes, picture["url"], b"\0\0\0 ftyp" if pipeline == "image-to-video" else b"\x89PNG")


def fetched(nodes, url, start):
    status, _, body = ask(nodes.url + url if url.startswith("/") else url)
    assert status == 200 and body.startswith(start), (status, body[:20])


def sent(job, pipeline):
    """What reached the runner, as text."""
    if pipeline not in FILE:
        return {name: str(value) for name, value in json.loads(job["body"]).items()}
    parts = re.findall(rb'name="([^"]*)"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', job["body"], re.S)
    return {name.decode(): value.decode(errors="replace") for name, value in parts}


def the_least_gives_a_result(nodes, runner, call, pipeline):
    good(nodes, pipeline, send(call, pipeline))
    assert sent(runner.jobs[-1], pipeline)[model_name(pipeline)] == MODEL


def no_model_is_the_default_model(nodes, _, call, pipeline):
    """The clients send "" for it; nobody here has the network's own models, and the answer says what was asked for."""
    answer = send(call, pipeline, model=None)
    assert answer.status == 503 and "/" in json.loads(answer.body)["error"]["message"], answer


def everything_that_can_be_said_arrives(nodes, runner, call, pipeline):
    good(nodes, pipeline, send(call, pipeline, MOST[pipeline]))
    arrived = sent(runner.jobs[-1], pipeline)
    for name, value in MOST[pipeline].items():
        same = arrived[name].lower() == str(value).lower()
        assert same or float(arrived[name]) == float(value), (name, value, arrived)


def what_may_not_be_said_is_a_validation_error(nodes, runner, call, pipeline):
    jobs, (field, value) = len(runner.jobs), WRONG[pipeline]
    answer = send(call, pipeline, file=value) if isinstance(value, bytes) else send(call, pipeline, {field: value})
    if pipeline in OTHERWISE:
        readable(answer, (OTHERWISE[pipeline],))
    else:
        assert answer.kind == "HTTPValidationError", answer
        assert field in answer.value[0]["msg"] and answer.value[0]["loc"] and answer.value[0]["type"], answer
    assert len(runner.jobs) == jobs


def where_words_go(pipeline):
    for field in "prompt", "text", "description":
        if field in {**LEAST[pipeline], **MOST[pipeline]}:
            return field
    return None


def told(pipeline, words):
    """Fields, and a file, that tell the fake runner what to do."""
    if pipeline == "llm":
        return {"messages": [{"role": "user", "content": words}]}, None
    if field := where_words_go(pipeline):
        return {field: words}, None
    name, data = FILE[pipeline]         # behind the end of a picture or a recording nobody looks
    return {}, data + words.encode()


def a_runners_refusal_is_an_error_with_its_words(nodes, _, call, pipeline):
    answer = send(call, pipeline, *told(pipeline, "refuse LoRA not found"))
    assert answer.kind == "HTTPError" and "LoRA not found" in answer.value["msg"], answer
    assert not answer.value["msg"].startswith(":"), answer


def a_model_that_nobody_has_is_503_and_says_so(nodes, _, call, pipeline):
    answer = send(call, pipeline, model="nobody/has-this")
    readable(answer, (503,))
    assert MODEL in answer.body, answer


def readable(answer, statuses):
    """Not "the response failed to validate": the client's own error for a status, with the body in it."""
    if answer.kind == "HTTPError":
        assert answer.value["msg"], answer
        return
    assert answer.kind == "SDKError" and answer.status in statuses, answer
    body = json.loads(answer.body)
    assert body["error"]["message"] == body["detail"]["msg"] and body["error"]["code"], answer


def live_video_is_refused_in_words(nodes, _, call):
    answer = call("live-video-to-video", {"subscribe_url": "http://127.0.0.1:1/a", "publish_url": "http://127.0.0.1:1/b",
                                          "model_id": "noop"}, None)
    readable(answer, (404, 501, 503))


def a_file_that_is_too_large_is_readable(nodes, _, call):
    answer = send(call, "image-to-text", file=PICTURE + bytes(51 << 20))
    readable(answer, (413,))


def held(call):
    """As a client does: asks again while it is told that there is no room, as a gateway may think whose news are old."""
    for _ in range(40):
        answer = send(call, "text-to-image", {"prompt": "wait"})
        if answer.kind == "ok" or answer.status not in (429, 503):
            return answer
        time.sleep(0.2)
    return answer


def busy_is_readable(nodes, runner, call):
    """Both slots of the only orchestrator are taken: 503 or 429 that says when to come back."""
    runner.gate.clear()
    before = len(runner.jobs)
    answers = []
    holders = [threading.Thread(target=lambda: answers.append(held(call))) for _ in range(2)]
    for holder in holders:
        holder.start()
    try:
        wait_for(lambda: len(runner.jobs) == before + 2, "two jobs to run", 60)
        answer = send(call, "text-to-image")
    finally:
        runner.gate.set()
        for holder in holders:
            holder.join()
    readable(answer, (429, 503))
    for done in answers:
        good(nodes, "text-to-image", done)


def a_runner_that_breaks_is_an_error_that_can_be_read(nodes, _, call, pipeline):
    """The last of them: the only orchestrator rests after it."""
    answer = send(call, pipeline, *told(pipeline, "fail 500"))
    readable(answer, (500, 502, 503))


def tests_of(call, runner):
    """Every test above as each() wants it; those that name a pipeline once for each."""
    made = {}
    for name, test in list(globals().items()):
        code = getattr(test, "__code__", None)
        if not code or code.co_varnames[:3] not in (("nodes", "runner", "call"), ("nodes", "_", "call")):
            continue
        for pipeline in [[pipeline] for pipeline in LEAST] if code.co_argcount == 4 else [[]]:
            made[" ".join([name, *pipeline])] = bind(test, runner, call, *pipeline)
    return made


def bind(test, *more):
    def bound(nodes):
        test(nodes, *more)
    return bound


def main(client):
    """client: a context that makes call(...) for a gateway's address."""
    runner = FakeRunner()
    models = [{"pipeline": pipeline, "model_id": MODEL, "url": f"http://127.0.0.1:{runner.port}", "warm": True, "capacity": 2}
              for pipeline in LEAST]
    with tempfile.TemporaryDirectory(prefix="lpd-sdk-") as folder, Pair(folder, runner.port, models=models) as nodes, \
            client(nodes.url) as call:
        # What the gateway was told while runners were not yet met holds for two seconds.
        wait_for(lambda: all(send(call, pipeline).kind == "ok" for pipeline in LEAST), "every pipeline to be offered", 60, 0.5)
        return each(tests_of(call, runner), nodes)
