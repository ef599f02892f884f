"""fake_runner - an ai-runner in a thread, which does as the prompt says: a prompt of "fail 500", "bad json", "hang",
"slow", "large" or "refuse WORDS" gives that, "wait" waits until gate is set, and any other gives a good answer.  It
remembers what it was asked."""
import base64
import http.server
import json
import os
import re
import socket
import struct
import threading
import time
import zlib


def png(width=8, height=8):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 31 + y * 17) % 256 for x in range(3 * width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


PICTURE = png()
LARGE = PICTURE[:33] + os.urandom(5000000)      # what a node keeps is bytes: it looks no further than the head


SOUND = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
OTHERS = {
    "/text-to-speech": {"audio": {"url": "data:audio/wav;base64," + base64.b64encode(SOUND).decode()}},
    "/segment-anything-2": {"masks": "[[[True]]]", "scores": "[0.9]", "logits": "[[[0.5]]]"},
    "/image-to-text": {"text": "a fox"},
    "/audio-to-text": {"text": " Hello.", "chunks": [{"text": " Hello.", "timestamp": [0.0, None]}]},
}


def sound(seconds, rate=8000):
    """A wav of silence."""
    data = bytes(int(seconds * rate) * 2)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
            + b"data" + struct.pack("<I", len(data)) + data)


def data_url(picture):
    return "data:image/png;base64," + base64.b64encode(picture).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1       # head and body in one piece, or the asker's kernel waits 40 ms to acknowledge the head

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        routes = {"/health": {"status": "OK"}, "/version": {"pipeline": "test", "model_id": "test", "version": "0.14.1"},
                  "/hardware/info": {"pipeline": "test", "model_id": "test", "gpu_info": {}}}
        self.answer(*((200, routes[self.path]) if self.path in routes else (404, {"detail": "Not Found"})))

    def body(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def do_POST(self):
        body = self.body()
        job = {"path": self.path, "headers": dict(self.headers), "body": body, "gone": threading.Event()}
        self.server.jobs.append(job)
        prompt = body.decode(errors="replace")
        if "fail 500" in prompt:
            return self.answer(500, {"detail": {"msg": "it broke"}})
        if refusal := re.search(r"refuse ([\w ]+)", prompt):
            return self.answer(400, {"detail": {"msg": refusal[1]}})
        if "bad json" in prompt:
            return self.answer(200, b'{"images": [')
        if "hang" in prompt:
            return self.hang(job)
        if "slow" in prompt:
            time.sleep(1)
        if "wait" in prompt:
            self.server.gate.wait(30)
        if self.path == "/llm":
            return self.llm(json.loads(body))
        if self.path == "/image-to-video":
            return self.answer(200, {"frames": [[{"url": data_url(frame), "seed": 7, "nsfw": False}
                                                 for frame in row] for row in self.server.film(body)]})
        if self.path in OTHERS:
            return self.answer(200, OTHERS[self.path])
        url = "data:image/png;base64," + base64.b64encode(LARGE if "large" in prompt else self.server.draw(body)).decode()
        return self.answer(200, {"images": [{"url": url, "seed": 7, "nsfw": False}]})

    def hang(self, job):
        """Until the asker goes away: then the read returns nothing."""
        self.connection.settimeout(30)
        try:
            while self.connection.recv(1024):
                pass
        except (socket.timeout, OSError):
            pass
        job["gone"].set()
        self.close_connection = True

    def llm(self, request):
        def chat(**choice):
            return {"choices": [{"index": 0, **choice}], "created": 1700000000, "id": "chatcmpl-1", "model": "test",
                    "usage": {"completion_tokens": 2, "prompt_tokens": 3, "total_tokens": 5}}
        if not request.get("stream"):
            return self.answer(200, chat(message={"role": "assistant", "content": "Hello."}, delta=None, finish_reason="stop"))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word, reason in (("Hel", ""), ("lo.", ""), ("", "stop")):
            event = chat(delta={"role": "assistant", "content": word}, message=None, finish_reason=reason)
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            self.wfile.flush()
            time.sleep(0.05)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True
        return None


class FakeRunner(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.jobs = []
        self.gate = threading.Event()
        self.draw = lambda body: PICTURE        # the picture that a job's body gives
        self.film = lambda body: [[png(64 + n, 48) for n in range(14)]]     # and the frames of a video
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()
