#!/usr/bin/env python3
"""test_pipelines - every pipeline as its specification has it: what reaches the runner, field by field and in order;
defaults, limits, null, the model where none is named; and each refusal, in both forms of an error's body.

The table below is written from the specification, not from the program's rows."""
import json
import pathlib
import re
import shutil
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import FakeRunner, png, sound  # noqa: E402
from nodes import Pair, ask  # noqa: E402

PICTURE = png(24, 16)
RECORDING = sound(3.9)
MIB = 1 << 20
HELLO = [{"role": "user", "content": "Hello."}]


class Row:
    """model: the default one.  least: the least that a client sends.  filled: what the gateway adds.  order: of a form's
    parts as they go on.  good, bad: values that pass, and that are refused (422)."""

    def __init__(self, model, least, filled, order=(), file=None, good=(), bad=(), name="model_id"):
        self.model, self.least, self.filled, self.order, self.file = model, least, filled, order, file
        self.good, self.bad, self.name = good, bad, name


SIZES = [("width", 63), ("height", 4097), ("width", "wide"), ("seed", 1.5), ("seed", "x"), ("num_inference_steps", -1),
         ("guidance_scale", "much"), ("safety_check", "perhaps")]
ROWS = {
    "text-to-image": Row("stabilityai/sdxl-turbo", {"prompt": "a fox"}, {"height": 512, "width": 512, "num_images_per_prompt": 1},
                         good=[("width", 64), ("height", 4096), ("seed", -5), ("num_images_per_prompt", 10), ("loras", "{}"),
                               ("safety_check", False), ("num_inference_steps", 0), ("guidance_scale", 7.5),
                               ("negative_prompt", "rain")],
                         bad=[("prompt", ""), ("prompt", "  "), ("prompt", 7), ("prompt", None), ("num_images_per_prompt", 11),
                              ("prompt", "x" * 65537), *SIZES]),
    "image-to-image": Row("stabilityai/sdxl-turbo", {"prompt": "in oil"}, {"num_images_per_prompt": "1"},
                          ("image", "prompt", "model_id", "loras", "strength", "guidance_scale", "image_guidance_scale",
                           "negative_prompt", "safety_check", "seed", "num_images_per_prompt", "num_inference_steps"), "image",
                          good=[("strength", "0.5"), ("image_guidance_scale", "1.5"), ("seed", "3"), ("safety_check", "f")],
                          bad=[("prompt", ""), ("strength", "1.1"), ("strength", "-1"), ("num_images_per_prompt", "11"),
                               ("seed", ""), ("seed", "1.0"), ("safety_check", "perhaps"), ("image_guidance_scale", "x")]),
    "image-to-video": Row("stabilityai/stable-video-diffusion-img2vid-xt", {}, {"height": "576", "width": "1024", "fps": "6"},
                          ("image", "model_id", "height", "width", "fps", "motion_bucket_id", "noise_aug_strength", "seed",
                           "safety_check", "num_inference_steps"), "image",
                          good=[("fps", "24"), ("motion_bucket_id", "127"), ("noise_aug_strength", "0.02")],
                          bad=[("fps", "0"), ("fps", "121"), ("width", "1001"), ("height", "4104"), ("height", "60"),
                               ("motion_bucket_id", "-1"), ("noise_aug_strength", "11"), ("seed", "x")]),
    "upscale": Row("stabilityai/stable-diffusion-x4-upscaler", {"prompt": "sharp"}, {},
                   ("image", "prompt", "model_id", "safety_check", "seed", "num_inference_steps"), "image",
                   good=[("seed", "0"), ("safety_check", "TRUE"), ("num_inference_steps", "75")],
                   bad=[("prompt", ""), ("seed", "x"), ("num_inference_steps", "1001")]),
    "audio-to-text": Row("openai/whisper-large-v3", {}, {"metadata": '{"duration":"3"}'},
                         ("audio", "model_id", "return_timestamps", "metadata"), "audio",
                         good=[("return_timestamps", "word"), ("return_timestamps", "false")],
                         bad=[("return_timestamps", "x" * 33)]),
    "segment-anything-2": Row("facebook/sam2-hiera-large", {}, {},
                              ("image", "model_id", "point_coords", "point_labels", "box", "mask_input", "multimask_output",
                               "return_logits", "normalize_coords"), "image",
                              good=[("point_coords", "[[1,2]]"), ("box", "[0,0,5,5]"), ("multimask_output", "false"),
                                    ("return_logits", "T"), ("normalize_coords", "1"), ("mask_input", "9" * 900000)],
                              bad=[("multimask_output", "some"), ("box", "x" * 1025)]),
    "llm": Row("meta-llama/llama-3.1-8B-Instruct", {"messages": HELLO}, {"max_tokens": 256, "stream": False}, name="model",
               good=[("temperature", 0), ("temperature", 2), ("top_p", 1), ("top_k", -1), ("max_tokens", 1)],
               bad=[("messages", []), ("messages", "hi"), ("messages", [{"role": "fox", "content": "hi"}]),
                    ("messages", [{"role": "user"}]), ("messages", [{"role": "user", "content": 5}]), ("messages", None),
                    ("temperature", 2.1), ("temperature", -1), ("top_p", 1.1), ("top_k", -2), ("max_tokens", 0),
                    ("max_tokens", -5), ("stream", "yes")]),
    "image-to-text": Row("Salesforce/blip-image-captioning-large", {}, {}, ("image", "prompt", "model_id"), "image",
                         good=[("prompt", ""), ("prompt", "a photo of")], bad=[("prompt", "x" * 65537)]),
    "text-to-speech": Row("parler-tts/parler-tts-large-v1", {"text": "Hello."}, {}, good=[("description", "a calm voice")],
                          bad=[("text", ""), ("text", None), ("text", "x" * 16385), ("text", 7)]),
}


def form(row, fields, data=None, filename="a file.bin"):
    parts = [b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), str(value).encode())
             for name, value in fields.items()]
    if data is not None:
        parts.append(b'--XX\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
                     % (row.file.encode(), filename.encode(), data))
    return b"".join(parts) + b"--XX--\r\n", {"Content-Type": "multipart/form-data; boundary=XX"}


def media_of(row):
    return RECORDING if row.file == "audio" else PICTURE


def send(nodes, path, fields, **more):
    row = ROWS[path]
    if row.file:
        body, headers = form(row, fields, more.pop("data", media_of(row)), **more)
        return ask(f"{nodes.url}/{path}", body, headers)
    return ask(f"{nodes.url}/{path}", fields)


def parts_of(body):
    """(name, filename, value) of each part, in their order."""
    boundary = body.split(b"\r\n", 1)[0]
    for part in body.split(boundary)[1:-1]:
        head, value = part[2:-2].split(b"\r\n\r\n", 1)
        name = re.search(rb' name="([^"]*)"', head)[1].decode()
        filename = re.search(rb'filename="([^"]*)"', head)
        yield name, filename and filename[1].decode(), value


def sent_by(job, row):
    if not row.file:
        return json.loads(job["body"])
    return {name: value.decode() for name, filename, value in parts_of(job["body"]) if filename is None}


def refused(answer, statuses, *words):
    """In both forms, with a code, and with these words somewhere."""
    status, headers, body = answer
    assert status in statuses, (status, body)
    assert headers["Content-Type"] == "application/json", headers
    error = json.loads(body)
    message, detail = error["error"]["message"], error["detail"]
    assert re.fullmatch(r"[a-z0-9_]+", error["error"]["code"]), error
    assert message == (detail[0]["msg"] if status == 422 else detail["msg"]), error
    if status == 422:
        assert detail[0]["loc"] and detail[0]["type"], error
    for word in words:
        assert word in message, (word, error)


def the_least_is_filled_in(nodes, runner, path, row):
    status, _, body = send(nodes, path, row.least)
    assert status == 200, (status, body)
    wanted = {**row.least, **row.filled, row.name: row.model}
    assert sent_by(runner.jobs[-1], row) == wanted, sent_by(runner.jobs[-1], row)


def an_empty_model_is_the_default(nodes, runner, path, row):
    assert send(nodes, path, {**row.least, row.name: ""})[0] == 200
    assert sent_by(runner.jobs[-1], row)[row.name] == row.model


def what_may_be_said_reaches_the_runner(nodes, runner, path, row):
    for field, value in row.good:
        status, _, body = send(nodes, path, {**row.least, field: value})
        assert status == 200, (field, value, status, body)
        got = sent_by(runner.jobs[-1], row)[field]
        if row.file and value.upper() in ("TRUE", "T", "1") and got in ("true", "1"):
            continue
        if row.file and value.upper() in ("FALSE", "F") and got == "false":
            continue
        assert str(got) == str(value) or float(got) == float(value), (field, value, got)


def what_may_not_be_said_is_refused_by_name(nodes, runner, path, row):
    jobs = len(runner.jobs)
    for field, value in row.bad:
        try:
            refused(send(nodes, path, {**row.least, field: value}), (413, 422), field)     # 413: longer than it may be
        except AssertionError as why:
            raise AssertionError(field, str(value)[:40], *why.args) from None
    assert len(runner.jobs) == jobs, "none of it reaches a runner"


def what_is_required_is_missed(nodes, _, path, row):
    for field in row.least:
        refused(send(nodes, path, {key: value for key, value in row.least.items() if key != field}), (422,), field, "required")
    if row.file:
        refused(send(nodes, path, row.least, data=None), (422,), row.file, "required")
        refused(send(nodes, path, row.least, data=b""), (422,), row.file, "empty")


def null_is_absent(nodes, runner, path, row):
    if row.file:
        return
    nulls = {field: None for field, _ in row.good} | {row.name: None, "unknown": None}
    status, _, body = send(nodes, path, {**nulls, **row.least})
    assert status == 200, (status, body)
    assert sent_by(runner.jobs[-1], row) == {**row.least, **row.filled, row.name: row.model}


def unknown_fields_are_left_out(nodes, runner, path, row):
    assert send(nodes, path, {**row.least, "colour": "red"})[0] == 200
    assert b"colour" not in runner.jobs[-1]["body"]


def parts_go_on_in_their_order_file_first(nodes, runner, path, row):
    if not row.file:
        return
    fields = dict(row.good) | row.least
    status, _, body = send(nodes, path, dict(reversed(fields.items())))
    assert status == 200, (status, body)
    parts = list(parts_of(runner.jobs[-1]["body"]))
    names = [name for name, _, _ in parts]
    assert names == [name for name in row.order if name in names] and names[0] == row.file, names
    assert parts[0][1] == "a file.bin" and parts[0][2] == media_of(row)


def a_file_without_a_name_is_taken_too(nodes, runner, path, row):
    """The network's nodes drop it silently; it is certainly what the client meant."""
    if not row.file:
        return
    body, headers = form(row, row.least, media_of(row))
    body = body.replace(b'; filename="a file.bin"', b"")
    assert ask(f"{nodes.url}/{path}", body, headers)[0] == 200
    assert next(parts_of(runner.jobs[-1]["body"]))[2] == media_of(row)


def what_is_no_such_file_is_refused(nodes, runner, path, row):
    if not row.file or path == "image-to-video":    # whose picture is the runner's to read
        return
    jobs = len(runner.jobs)
    for data in b"hello", b"\0" * 100, media_of(row)[:9]:
        refused(send(nodes, path, row.least, data=data), (400, 422), row.file)
    assert len(runner.jobs) == jobs


def a_body_of_the_wrong_kind_is_refused(nodes, _, path, row):
    url = f"{nodes.url}/{path}"
    if row.file:
        refused(ask(url, row.least), (400, 415))
        refused(ask(url, b"no form", {"Content-Type": "multipart/form-data; boundary=XX"}), (400,))
        refused(ask(url, b"x", {"Content-Type": "multipart/form-data"}), (400, 415))
    else:
        refused(ask(url, form(row, row.least)[0], {"Content-Type": "multipart/form-data; boundary=XX"}), (400, 415))
        for body in b"{", b"[]", b"7", b"", b"{}{}", b'{"a":1}x':
            refused(ask(url, body, {"Content-Type": "application/json"}), (400, 422))


def a_body_that_is_too_large_is_refused(nodes, runner, path, row):
    jobs = len(runner.jobs)
    if row.file and path in ("audio-to-text", "image-to-text"):
        refused(send(nodes, path, row.least, data=media_of(row) + bytes(50 * MIB)), (413,))
    elif not row.file:
        refused(send(nodes, path, {**row.least, "unknown": "x" * (4 * MIB + 1)}), (413,))
    assert len(runner.jobs) == jobs


def a_model_that_nobody_has_is_answered_with_those_that_are(nodes, _, path, row):
    refused(send(nodes, path, {**row.least, row.name: "nobody/has-this"}), (503,), row.model)


def other_methods_are_refused(nodes, _, path, __):
    answer = ask(f"{nodes.url}/{path}")
    refused(answer, (405,))
    assert "POST" in answer[1]["Allow"]
    refused(ask(f"{nodes.url}/{path}/", b"{}"), (404,))


def the_document_says_the_same(nodes, _, path, row):
    document = json.loads(ask(f"{nodes.url}/openapi.json")[2])["paths"][f"/{path}"]["post"]["requestBody"]["content"]
    schema = document["multipart/form-data" if row.file else "application/json"]["schema"]
    assert sorted(schema["required"]) == sorted([*row.least, *([row.file] if row.file else [])]), schema["required"]
    assert schema["properties"][row.name]["default"] == row.model
    for field, _ in (*row.good, *row.bad):
        assert field in schema["properties"], field
    for field, value in row.filled.items():
        if field != "metadata":
            assert str(schema["properties"][field]["default"]).lower() == str(value).lower(), field
    assert "metadata" not in schema["properties"]


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__code__", None) and value.__code__.co_argcount == 4
         and value.__code__.co_varnames[2] == "path"]


def main():
    folder, bad = pathlib.Path(tempfile.mkdtemp(prefix="lpd-pipelines-")), False
    runner = FakeRunner()
    models = [{"pipeline": path, "model_id": row.model, "url": f"http://127.0.0.1:{runner.port}", "warm": True,
               "capacity": 4} for path, row in ROWS.items()]
    with Pair(folder, runner.port, models=models) as nodes:
        for test in TESTS:
            for path, row in ROWS.items():
                words = f"{test.__name__.replace('_', ' ')} ({path})"
                try:
                    test(nodes, runner, path, row)
                    print("ok", words, flush=True)
                except Exception:  # noqa: BLE001    (any fault is this test's)
                    bad = True
                    traceback.print_exc(limit=2, file=sys.stdout)
                    print("not ok", words, flush=True)
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
