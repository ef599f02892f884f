#!/usr/bin/env python3
"""test_hostile_builtin - lpd-runner attacked over HTTP, as by an orchestrator that passes everything on.

It says 4xx in words, or does the job; after each attack the same process draws a good picture, and it ends with 0."""
import json
import pathlib
import re
import socket
import struct
import sys
import tempfile
import threading
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hostile import REPORT, SANITIZED, files, rss  # noqa: E402
from nodes import LPD, Processes, ask, each, free_port, wait_for  # noqa: E402

SKETCH = {"model_id": "builtin/sketch", "prompt": "xyzzy-prompt", "width": 64, "height": 64, "seed": 7}
MB = 1 << 20


class Runner(Processes):
    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.one = self.start("runner", pathlib.Path(LPD).parent / "lpd-runner", "-listen", f"127.0.0.1:{self.port}",
                              "-dataDir", self.folder)
        wait_for(self.up, "the runner", 20)
        self.look()
        self.files, self.rss = files(self.one), rss(self.one)

    def up(self):
        self.check()
        try:
            return ask(self.url + "/health", timeout=5)[0] == 200
        except OSError:
            return False

    def look(self):
        self.check()
        wait_for(lambda: ask(self.url + "/text-to-image", SKETCH, timeout=20)[0] == 200, "a good picture", 20, 0.2)

    def after(self):
        self.look()
        wait_for(lambda: files(self.one) <= self.files + 4, "files to be closed", 10, 0.1)
        if not SANITIZED:       # it keeps for long what was freed
            wait_for(lambda: rss(self.one) < self.rss + 64, f"memory: {rss(self.one):.0f} MB, {self.rss:.0f} before", 10, 0.2)

    def post(self, path, body, kind="application/json"):
        """The status: 200, or 4xx with words; 503 only if the model was never fetched."""
        status, _, said = ask(self.url + path, body, {"Content-Type": kind}, timeout=30)
        known = 400 <= status < 500 or status == 503 and b"is not fetched" in said
        assert status == 200 or known and json.loads(said)["detail"], (path, status, said[:300])
        return status

    def refuse(self, path, body, kind="application/json"):
        status = self.post(path, body, kind)
        assert status != 200, (path, str(body)[:100])

    def open(self, data=b""):
        sock = socket.create_connection(("127.0.0.1", self.port), 10)
        sock.sendall(data)
        return sock


def form(name, data, fields=()):
    lines = [f'--m\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields]
    return b"".join(lines) + (f'--m\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n'.encode() + data
                              + b"\r\n--m--\r\n")


def png(width, height, pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


def json_that_is_no_job_is_refused_in_words(nodes):
    for body in (b"", b"{", b"[]", b"null", b"\0" * 100, b"[" * 100000, b'{"a":' * 50000, b'"' + b"\\u0000" * 9999,
                 b'{"prompt":"\xff\xfe"}', b"{}", b'{"prompt":7}', b'{"prompt":"a","prompt":["b"]}', b"9" * MB):
        nodes.refuse("/text-to-image", body)
    nodes.after()


def numbers_of_every_size_hold_up_nobody(nodes):
    for field in ("width", "height", "num_images_per_prompt", "num_inference_steps"):
        for number in ("-1", "1e308", "1e999999", "9" * 400, "NaN", "4294967297", '"64"' + " " * 9, "2147483648"):
            body = json.dumps({**SKETCH, field: "#"}).replace('"#"', number)
            nodes.post("/text-to-image", body.encode())
    for number in ("-9223372036854775809", "1e400", "9" * 4000):
        nodes.post("/text-to-image", json.dumps({**SKETCH, "seed": "#"}).replace('"#"', number).encode())
    nodes.after()


def a_prompt_of_a_megabyte_is_served_or_refused(nodes):
    for prompt in ("fox " * (MB // 4), "\0" * 1000, "é\u202e\U0001f98a" * 50000, "(" * MB):
        nodes.post("/text-to-image", {**SKETCH, "prompt": prompt})
        nodes.post("/text-to-speech", {"model_id": "builtin/nobody", "text": prompt, "description": prompt})
    nodes.after()


def forms_that_are_broken_are_refused_in_words(nodes):
    kind = "multipart/form-data; boundary=m"
    for body in (b"", b"--m", b"--m--\r\n", b"--m\r\n\r\n", b"--m\r\n" + b"A: b\r\n" * 9999, b"\r\n--m" * 20000,
                 form("image", b"x")[:-9], form("image\0", b"x"), form("image", b"x" * MB)):
        nodes.refuse("/upscale", body, kind)
        nodes.refuse("/audio-to-text", body, kind)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "m" * 5000):
        nodes.refuse("/upscale", form("image", b"x"), kind)
    nodes.after()


def pictures_and_sounds_cut_anywhere_are_refused_in_words(nodes):
    good = png(40, 40, (b"\0" + bytes(120)) * 40)
    bombs = [png(30000, 30000, bytes(MB)), png(2**31 - 1, 2**31 - 1, b""), png(0, 0, b"")]
    wave = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 65535, 2**32 - 1, 0, 0, 16) + b"data\xff\xff\xff\xff"
    sounds = [wave[:n] for n in range(0, len(wave), 5)] + [b"fLaC" + bytes(99), b"ID3" + b"\xff" * 999, b"OggS" + bytes(99)]
    kind = "multipart/form-data; boundary=m"
    for picture in [good[:n] for n in range(0, len(good) - 13, 7)] + bombs:
        nodes.refuse("/upscale", form("image", picture, [("model_id", "builtin/span-x2"), ("prompt", "x")]), kind)
    for sound in sounds:
        nodes.refuse("/audio-to-text", form("audio", sound, [("model_id", "builtin/whisper-tiny.en")]), kind)
    nodes.after()


def hundreds_of_connections_and_slow_bodies_hold_up_nobody(nodes):
    head = b"POST /text-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n\r\n"
    many = [nodes.open((b"", b"GET /hea", head, head + b'{"prompt":"')[i % 4]) for i in range(300)]
    nodes.look()
    for sock in many:
        sock.close()
    nodes.after()


def those_who_leave_before_the_answer_cost_nothing(nodes):
    body = json.dumps({**SKETCH, "width": 512, "height": 512}).encode()
    head = f"POST /text-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    def leave():
        nodes.open(head.encode() + body).close()
    threads = [threading.Thread(target=leave) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    nodes.after()


def it_ends_with_0_and_has_said_no_prompt(nodes):
    assert nodes.end(nodes.one) == 0
    log = (nodes.folder / "runner.log").read_text(errors="replace")
    assert "xyzzy-prompt" not in log and not re.search(REPORT, log), log[-3000:]


with tempfile.TemporaryDirectory(prefix="lpd-builtin-") as folder, Runner(pathlib.Path(folder)) as runner:
    bad = each(globals(), runner)
sys.exit(bad)
