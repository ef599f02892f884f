#!/usr/bin/env python3
"""test_builtin - every pipeline of the built-in runner with its real models, through a gateway and an orchestrator.

Models are taken from $LP_DATA_DIR/models.  A pipeline whose model is not there is skipped, with the words that the
runner itself says of it: what is missing, and how to get it."""
import json
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from nodes import LPD, Pair, Processes, ask, free_port, wait_for  # noqa: E402

SKETCH = {"model_id": "builtin/sketch", "prompt": "a red fox in a forest", "width": 256, "height": 192, "seed": 7}


class Missing(Exception):
    """The words why a test cannot be run here."""


def form(fields, files):
    """(body, headers) of a multipart form."""
    mark = uuid.uuid4().hex
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]
    for name, data in files.items():
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="file"\r\n'
                     "Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"}


class Nodes:
    """A pair of nodes that offers every model which the runner says is ready."""

    def __init__(self, folder, models):
        health = self.ask_runner(folder, models)
        self.ready = {row["name"]: row for row in health["models"]}
        self.missing = {row["name"]: row["why"] for row in health["missing"]}
        entries = [{"pipeline": row["pipeline"], "model_id": name, "warm": True} for name, row in self.ready.items()]
        (folder / "orchestrator").mkdir(exist_ok=True)
        (folder / "orchestrator" / "models").symlink_to(models)
        self.pair = Pair(folder, 0, models=entries)
        wait_for(lambda: self.post("/text-to-image", SKETCH)[0] == 200, "the first picture", 30, 0.3)

    @staticmethod
    def ask_runner(folder, models):
        """What the runner says of itself, before any node is there."""
        (folder / "alone").mkdir()
        (folder / "alone" / "models").symlink_to(models)
        port = free_port()
        with Processes(folder) as alone:
            alone.start("runner", pathlib.Path(LPD).parent / "lpd-runner", "-listen", f"127.0.0.1:{port}", "-dataDir",
                        folder / "alone")
            health = []

            def up():
                try:
                    health.append(json.loads(ask(f"http://127.0.0.1:{port}/health", timeout=5)[2]))
                except OSError:
                    alone.check()
                return bool(health)
            wait_for(up, "lpd-runner", 30, 0.1)
        return health[0]

    def need(self, name):
        if name not in self.ready:
            raise Missing(self.missing.get(name, f"{name} is not in the catalogue"))
        if self.ready[name]["fallback"]:
            raise Missing(self.ready[name]["why"])

    def post(self, path, body, headers=None):
        status, _, answer = ask(self.pair.url + path, body, headers, timeout=120)
        return status, json.loads(answer) if answer[:1] in b"{[" else answer

    def form(self, path, fields, files):
        body, headers = form(fields, files)
        return self.post(path, body, headers)

    def media(self, url):
        status, _, data = ask(self.pair.url + url)
        assert status == 200, (url, status)
        return data

    def picture(self, answer):
        status, body = answer
        assert status == 200, (status, body)
        return self.media(body["images"][0]["url"])

    def speech(self, text, model="builtin/flite-slt", description=""):
        status, body = self.post("/text-to-speech", {"model_id": model, "text": text, "description": description})
        assert status == 200, (status, body)
        return self.media(body["audio"]["url"])


def size_of(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n", png[:8]
    return struct.unpack(">II", png[16:24])


def a_picture_is_painted_anew_and_the_seed_repeats_it(nodes):
    nodes.need("builtin/style26")
    source = nodes.picture(nodes.post("/text-to-image", SKETCH))

    def paint(seed, prompt="a watercolour"):
        return nodes.picture(nodes.form("/image-to-image", {"model_id": "builtin/style26", "prompt": prompt, "seed": seed},
                                        {"image": source}))
    first = paint(3)
    assert size_of(first) == (256, 192)
    assert first == paint(3)
    assert first != paint(4) and first != paint(3, "an ink drawing") and first != source


def several_pictures_have_seeds_of_their_own(nodes):
    nodes.need("builtin/style26")
    source = nodes.picture(nodes.post("/text-to-image", SKETCH))
    status, body = nodes.form("/image-to-image", {"model_id": "builtin/style26", "prompt": "x", "seed": 9,
                                                  "num_images_per_prompt": 3}, {"image": source})
    assert status == 200 and [image["seed"] for image in body["images"]] == [9, 10, 11], body


def a_sentence_is_spoken_and_a_description_is_heeded(nodes):
    nodes.need("builtin/flite-slt")
    plain = nodes.speech("Hello there, this is a test.")
    assert plain[:4] == b"RIFF" and plain[8:12] == b"WAVE" and len(plain) > 32000, plain[:16]
    assert nodes.speech("Hello there, this is a test.") == plain
    assert len(nodes.speech("Hello there, this is a test.", description="a very slow voice")) > 1.2 * len(plain)
    assert nodes.speech("Hello there, this is a test.", "builtin/flite-rms") != plain


def a_thing_is_cut_out_by_a_box_and_by_a_point(nodes):
    nodes.need("builtin/u2netp")
    source = nodes.picture(nodes.post("/text-to-image", {**SKETCH, "prompt": "a red ball on a table", "seed": 3}))

    def cut(**more):
        status, body = nodes.form("/segment-anything-2", {"model_id": "builtin/u2netp", "return_logits": "false", **more},
                                  {"image": source})
        assert status == 200, (status, body)
        return {name: json.loads(text) for name, text in body.items()}
    whole = cut()
    assert len(whole["masks"]) == len(whole["scores"]) == 3 and whole["scores"] == sorted(whole["scores"], reverse=True)
    assert len(whole["masks"][0]) == 192 and len(whole["masks"][0][0]) == 256 and len(whole["logits"][0]) == 256
    best = whole["masks"][0]
    area = sum(map(sum, best))
    assert 256 * 192 * 0.02 < area < 256 * 192 * 0.9, area
    boxed = cut(box="[64, 48, 192, 144]", multimask_output="false")["masks"]
    assert len(boxed) == 1
    outside = sum(boxed[0][y][x] for y in range(192) for x in range(256) if not (63 <= x <= 192 and 47 <= y <= 144))
    assert outside == 0 and sum(map(sum, boxed[0])) > 0
    inside = [(x, y) for y in range(192) for x in range(256) if best[y][x]]
    x, y = inside[len(inside) // 2]
    pointed = cut(point_coords=f"[[{x}, {y}]]", point_labels="[1]")["masks"][0]
    assert pointed[y][x] == 1
    status, body = nodes.form("/segment-anything-2", {"model_id": "builtin/u2netp", "box": "[1, 2]"}, {"image": source})
    assert status == 400 and "box must be" in body["error"]["message"], (status, body)


def text_in_a_picture_is_read(nodes):
    nodes.need("builtin/tesseract-eng")
    text = (pathlib.Path(__file__).resolve().parents[1] / "vectors" / "runner" / "text.png").read_bytes()
    status, body = nodes.form("/image-to-text", {"model_id": "builtin/tesseract-eng"}, {"image": text})
    assert status == 200 and "The quick brown fox" in body["text"] and "13 lazy dogs" in body["text"], (status, body)


def a_picture_is_named_and_its_text_is_read(nodes):
    nodes.need("builtin/efficientnet-lite0")
    text = (pathlib.Path(__file__).resolve().parents[1] / "vectors" / "runner" / "text.png").read_bytes()
    ask_for = {"model_id": "builtin/efficientnet-lite0"}
    status, body = nodes.form("/image-to-text", ask_for, {"image": text})
    assert status == 200 and "quick brown fox" in body["text"], (status, body)
    source = nodes.picture(nodes.post("/text-to-image", SKETCH))
    status, body = nodes.form("/image-to-text", ask_for, {"image": source})
    assert status == 200 and " %)" in body["text"], (status, body)
    status, body = nodes.form("/image-to-text", {**ask_for, "prompt": "What does it say?"}, {"image": text})
    assert status == 200 and body["text"].startswith("The quick brown fox"), (status, body)
    status, body = nodes.form("/image-to-text", {**ask_for, "prompt": "a photo of"}, {"image": text})
    assert status == 200 and body["text"].startswith("a photo of a"), (status, body)


def a_spoken_sentence_is_written_down_again(nodes):
    nodes.need("builtin/flite-rms")
    nodes.need("builtin/whisper-tiny.en")
    speech = nodes.speech("The quick brown fox jumps over the lazy dog.", "builtin/flite-rms")

    def write_down(**more):
        status, body = nodes.form("/audio-to-text", {"model_id": "builtin/whisper-tiny.en", **more}, {"audio": speech})
        assert status == 200, (status, body)
        return body
    body = write_down()
    heard = "".join(letter for letter in body["text"].lower() if letter.isalpha() or letter == " ").split()
    said = "the quick brown fox jumps over the lazy dog".split()
    assert sum(a == b for a, b in zip(heard, said)) >= 7, body
    begin, end = body["chunks"][0]["timestamp"]
    assert 0 <= begin < end <= 6, body
    assert len(write_down(return_timestamps="word")["chunks"]) == len(heard)
    samples = struct.unpack(f"<{(len(speech) - 44) // 2}h", speech[44:])
    speech = struct.pack(">4sIIIII", b".snd", 24, 2 * len(samples), 3, 16000, 1) + struct.pack(f">{len(samples)}h", *samples)
    assert write_down()["text"] == body["text"]     # another kind of file
    assert write_down(return_timestamps="false")["chunks"] == []


def a_question_is_answered_whole_and_in_events(nodes):
    nodes.need("builtin/smollm2-135m")
    want = {"model": "builtin/smollm2-135m", "messages": [{"role": "user", "content": "What is the capital of France?"}],
            "max_tokens": 32, "temperature": 0.0}
    status, whole = nodes.post("/llm", {**want, "stream": False})
    assert status == 200 and "Paris" in whole["choices"][0]["message"]["content"], (status, whole)
    assert whole["choices"][0]["finish_reason"] == "stop" and whole["usage"]["completion_tokens"] > 0, whole
    status, headers, events = ask(nodes.pair.url + "/llm", {**want, "stream": True}, timeout=120)
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream"), (status, events)
    lines = [line[6:] for line in events.decode().splitlines() if line.startswith("data: ") and "[DONE]" not in line]
    pieces = [json.loads(line) for line in lines]
    assert len(pieces) > 3, events
    text = "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces)
    assert text == whole["choices"][0]["message"]["content"], (text, whole)
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop", pieces[-1]


def a_picture_is_set_in_motion(nodes):
    nodes.need("builtin/style26-motion")
    source = nodes.picture(nodes.post("/text-to-image", SKETCH))
    want = {"model_id": "builtin/style26-motion", "width": 256, "height": 192, "fps": 8, "seed": 4}
    status, body = nodes.form("/image-to-video", want, {"image": source})
    if status == 503 and "lpd-media" in json.dumps(body):
        raise Missing(body["error"]["message"])
    assert status == 200 and len(body["images"]) == 1 and body["images"][0]["seed"] == 4, (status, body)
    video = nodes.media(body["images"][0]["url"])
    assert video[4:8] == b"ftyp" and len(video) > 10000, video[:16]
    status, body = nodes.form("/image-to-video", {**want, "width": 250}, {"image": source})
    assert status in (400, 422) and "8" in json.dumps(body), (status, body)


def main():
    models = pathlib.Path(os.environ.get("LP_DATA_DIR") or "~/.lpd").expanduser() / "models"
    tests = [test for test in globals().values() if getattr(test, "__code__", None) and
             test.__code__.co_varnames[:1] == ("nodes",) and test.__code__.co_argcount == 1]
    if not models.is_dir():
        for test in tests:
            print(f"skip {test.__name__.replace('_', ' ')}: no models in {models}: lpd models fetch, or set LP_DATA_DIR")
        return 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lpd-builtin-"))
    bad = False
    nodes = Nodes(folder, models)
    with nodes.pair:
        for test in tests:
            words = test.__name__.replace("_", " ")
            try:
                test(nodes)
                print("ok", words, flush=True)
            except Missing as why:
                print(f"skip {words}: {why}", flush=True)
            except Exception as fault:  # noqa: BLE001    (any fault is this test's)
                bad = True
                print("not ok", words, repr(fault)[:2000], flush=True)
        if bad:
            for log in sorted(folder.glob("*.log")):
                print(f"{log.name}:", *log.read_text(errors="replace").splitlines()[-30:], sep="\n  ")
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
