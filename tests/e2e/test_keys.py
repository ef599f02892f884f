#!/usr/bin/env python3
"""test_keys - a node's private key stands once in its memory: in a page that is locked and left out of core dumps."""
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from nodes import LPD, free_port  # noqa: E402


def areas(pid):
    """(range, name, flags) of all that is mapped."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    heads = list(re.finditer(r"^([0-9a-f]+-[0-9a-f]+) (\S+).*$", text, re.M))
    for i, head in enumerate(heads):
        end = heads[i + 1].start() if i + 1 < len(heads) else len(text)
        flags = re.search(r"VmFlags:(.*)", text[head.start():end])
        yield head[1], head[2], head[0], flags[1].split() if flags else []


def find(pid, needle):
    """Where these bytes are."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for span, rights, name, flags in areas(pid):
            low, high = (int(x, 16) for x in span.split("-"))
            if "r" not in rights or "[v" in name:
                continue
            try:
                memory.seek(low)
                have = memory.read(high - low)
            except OSError:
                continue
            for _ in range(have.count(needle)):
                yield name, flags


def wait_until_up(port):
    for _ in range(100):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).status
        except OSError:
            time.sleep(0.1)
    raise SystemExit("not ok the node does not come up")


def main():
    bad = False
    key = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        (here / "key").write_text(key.hex())
        (here / "password").write_text("swordfish\n")
        subprocess.run([LPD, "eth", "account", "import", folder + "/key", "-dataDir", folder, "-ethPassword",
                        folder + "/password"], check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        with open(here / "log", "wb") as log:
            node = subprocess.Popen([LPD, "-mode", "gateway", "-network", "local", "-ledger", folder + "/ledger",
                                     "-dataDir", folder, "-ethPassword", folder + "/password", "-orchAddr",
                                     "127.0.0.1:1", "-httpAddr", f"127.0.0.1:{free_port()}", "-cliAddr",
                                     f"127.0.0.1:{port}", "-v", "6"], stderr=log)
        try:
            wait_until_up(port)
            places = list(find(node.pid, key))
            texts = list(find(node.pid, key.hex().encode()))
        finally:
            node.terminate()
            node.wait(30)
        log = (here / "log").read_text()
        for words, true in (
                ("the key stands once in memory", len(places) == 1 and not texts),
                ("in a page that is locked and in no core dump", all({"lo", "dd"} <= set(f) for _, f in places)),
                ("neither it nor its password is in the log", key.hex() not in log and "swordfish" not in log)):
            bad |= not true
            print("ok" if true else "not ok", words, "" if true else places)
    return bad


sys.exit(main())
