#!/usr/bin/env python3
"""test_sdk_js - the published client `@livepeer/ai`, unmodified, against every pipeline of real nodes.

What it must see is in tests/support/sdk.py.  tests/e2e/clients/driver.js makes its calls, one line of JSON each, several
at once.  ./dev deps --test brings the client, and node where there is none."""
import base64
import contextlib
import itertools
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
import sdk  # noqa: E402

NODE = shutil.which("node", path=f"{os.environ['PATH']}:{sdk.PLACE}/node/bin")


class Driver:
    def __init__(self, url):
        self.process = subprocess.Popen([NODE, TOP / "tests/e2e/clients/driver.js", url], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, "NODE_PATH": str(sdk.PLACE / "node_modules")})
        self.ids, self.waiting, self.lock = itertools.count(), {}, threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).put(answer)

    def call(self, pipeline, fields, file):
        mine, asked = queue.Queue(), {"pipeline": pipeline, "fields": fields}
        with self.lock:
            asked["id"] = next(self.ids)
            if file:        # every other one with a name, the others as a bare Blob
                asked["file"] = {"field": file[0], "name": "a fox.bin" if asked["id"] % 2 else None,
                                 "data": base64.b64encode(file[1]).decode()}
            self.waiting[asked["id"]] = mine
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
        got = mine.get(timeout=60)
        value = got.get("value") or got.get("message")
        return sdk.Answer(got["kind"], value, got.get("status"), got.get("body") or "")


@contextlib.contextmanager
def client(url):
    driver = Driver(url)
    try:
        yield driver.call
    finally:
        driver.process.stdin.close()
        driver.process.wait(20)


if __name__ == "__main__":
    if not (sdk.PLACE / "js.stamp").exists() or not NODE:
        print("the package @livepeer/ai could not be had (./dev deps --test)")
        sys.exit(77)
    sys.exit(sdk.main(client))
