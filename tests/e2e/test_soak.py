#!/usr/bin/env python3
"""test_soak - mixed jobs of all pipelines for a while, with everything that goes wrong meanwhile: runners that are slow, fail,
babble, break off and die, an orchestrator that is restarted or killed, clients that leave, SIGHUP.  Afterwards every job has
ended one way or another, memory and files are as they were, all slots are free, and each pipeline works.

SOAK_SECONDS is how long (60), SOAK_SEED another course of it, SOAK_RATE how many requests a second at most (as many as six
clients make).  ./dev test runs it with the release build and with the sanitized one; ./dev soak --minutes 60 is the long
form, in which the built-in runner works too and no floor of memory or open files may rise."""
import collections
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import threading
import time

os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"     # or what was freed looks like growth
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fake_runner import FakeRunner, Handler  # noqa: E402
from flat import Flat, grown  # noqa: E402
from hostile import PROMPT, SANITIZED, Watch, files, rss  # noqa: E402
from nodes import LPD, Pair, answers, ask, each, free_port, wait_for  # noqa: E402
from test_pipelines import ROWS, form, media_of  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", 60))
SEED = int(os.environ.get("SOAK_SEED", 1))
RATE = float(os.environ.get("SOAK_RATE", 0))
LONG = SECONDS >= 120
SETTLING = min(SECONDS / 3, 600)        # then nothing may grow any more
CLIENTS = 6
ENDS = {200, 202, 204, 400, 404, 413, 422, 429, 500, 502, 503, 504}     # 500: a runner's own fault, as its orchestrator says it
GROWTH = 96 if SANITIZED else 32    # MB


class Moody(Handler):
    """Good for the most part while the server's mood is good, and seldom while it is not."""

    def do_POST(self):
        self.mood = self.server.mood()
        if self.mood == "slow":
            time.sleep(1.5)
        if self.mood == "fail":
            self.body()
            return self.answer(500, {"detail": {"msg": f"{PROMPT} broke it"}})
        if self.mood == "babble":
            self.body()
            return self.answer(200, b"<p>no</p>")
        if self.mood == "dead":     # in the middle of the request
            self.connection.close()
            self.close_connection = True
            return None
        return super().do_POST()

    def answer(self, status, body, kind="application/json"):
        if self.command == "POST" and self.mood == "half":
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        super().answer(status, body, kind)


class Runner(FakeRunner):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = Moody
        self.jobs = collections.deque(maxlen=50)
        self.ill = None     # what most answers are like; "down": no health either
        self.dice = random.Random(SEED)

    def mood(self):
        if self.ill:
            return "dead" if self.ill == "down" else self.ill
        return self.dice.choice(["good"] * 30 + ["slow", "fail", "babble", "dead", "half"])

    def process_request(self, request, address):
        if self.ill == "down":
            self.shutdown_request(request)
        else:
            super().process_request(request, address)

    def handle_error(self, *_):
        """Nodes leave in the middle of its answers; that is no news here."""


class Three(Pair):
    """A gateway, and two orchestrators: one that stays, and one that does not."""

    def __init__(self, folder, steady, other, **more):
        self.spare, self.spare_cli = free_port(), free_port()
        self.spare_models = pathlib.Path(folder) / "spare.json"
        pathlib.Path(folder).mkdir(exist_ok=True)
        self.spare_models.write_text(json.dumps([{"pipeline": pipeline, "model_id": "test", "warm": True, "capacity": 3,
                                                  "url": f"http://127.0.0.1:{other.port}"} for pipeline in ROWS]))
        if LONG:
            self.offer_builtin(pathlib.Path(folder), steady.port, more)
        super().__init__(folder, steady.port, **more)

    @staticmethod
    def offer_builtin(folder, port, more):
        """Beside the models of the fake runner; drawn more simply when no models are in $LP_DATA_DIR."""
        more["models"] = [{"pipeline": pipeline, "model_id": "test", "url": f"http://127.0.0.1:{port}", "warm": True,
                           "capacity": more["capacity"]} for pipeline in more.pop("pipelines")]
        more["models"].append({"pipeline": "text-to-image", "model_id": "builtin/sketch", "warm": True})
        models = pathlib.Path(os.environ.get("LP_DATA_DIR", "/nonexistent")) / "models"
        if models.is_dir():
            (folder / "orchestrator").mkdir()
            (folder / "orchestrator" / "models").symlink_to(models)

    def child(self):
        """The pid of the lpd-runner that the orchestrator has started; None: there is none."""
        children = pathlib.Path(f"/proc/{self.orchestrator.pid}/task/{self.orchestrator.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def start_spare(self):
        return self.start("spare", *self.node_words(), "-serviceAddr", f"127.0.0.1:{self.spare}", "-aiModels", self.spare_models)

    def node_words(self):
        return [LPD, "-mode", "orchestrator", "-cliAddr", f"127.0.0.1:{self.spare_cli}", "-dataDir", self.folder / "spare",
                *self.options]

    def start_gateway(self):
        self.second = self.start_spare()
        return self.node("gateway", "-orchAddr", f"127.0.0.1:{self.service},127.0.0.1:{self.spare}", "-httpAddr",
                         f"127.0.0.1:{self.http}", "-discoveryInterval", "2s", "-maxJobsPerClient", "200", "-allowPriorities",
                         *(["-jobsTTL", "1m"] if LONG else []))


# ---- clients ----

class Client(threading.Thread):
    def __init__(self, nodes, n, ends):
        super().__init__(daemon=True)
        self.nodes, self.dice, self.ends = nodes, random.Random(1000 * SEED + n), ends
        self.seen, self.odd = collections.Counter(), []

    def run(self):
        while not self.ends.is_set():
            try:
                self.one()
            except Exception as why:  # noqa: BLE001    (any fault is the test's)
                self.odd.append(repr(why))
                time.sleep(0.2)
            time.sleep(2 * self.dice.random() * CLIENTS / RATE if RATE else self.dice.random() * 0.1)

    def request(self):
        path = self.dice.choice(list(ROWS))
        row = ROWS[path]
        fields = {row.name: "test", **row.least}
        if "prompt" in fields:
            fields["prompt"] = PROMPT
        if path == "llm":
            fields = {**fields, "stream": self.dice.random() < 0.5}
        if self.dice.random() < 0.05:
            name, value = self.dice.choice(row.bad)
            fields[name] = value
        headers = {"Lp-Priority": self.dice.choice(["high", "normal", "low"])}
        if row.file:
            body, more = form(row, fields, media_of(row))
            return path, body, {**headers, **more}
        return path, json.dumps(fields).encode(), {**headers, "Content-Type": "application/json"}

    def one(self):
        path, body, headers = self.request()
        how = self.dice.random()
        if how < 0.15:
            self.leave(path, body, headers)
        elif how < 0.3 and b'"stream": true' not in body:
            self.later(path, body, headers)
        else:
            self.whole(path, body, headers)

    def whole(self, path, body, headers):
        if path == "text-to-image" and self.dice.random() < 0.3:
            path += "?media=inline"
        try:
            status, _, got = ask(f"{self.nodes.url}/{path}", body, headers, timeout=60)
        except (http.client.IncompleteRead, ConnectionError):
            self.seen["broken"] += 1    # an answer that had begun and whose maker died
            return
        self.count(status)
        if status == 200 and b'"/stream/' in got and self.dice.random() < 0.5:
            link = got[got.index(b'"/stream/') + 1:].split(b'"')[0].decode()
            self.count(ask(self.nodes.url + link)[0])

    def later(self, path, body, headers):
        status, got, answer = ask(f"{self.nodes.url}/{path}", body, {**headers, "Prefer": "respond-async"}, timeout=60)
        self.count(status)
        if status != 202:
            return
        where = self.nodes.url + got["Location"]
        if self.dice.random() < 0.3:
            time.sleep(self.dice.random() * 0.2)
            self.count(ask(where, method="DELETE")[0])
            return
        for _ in range(400):
            status = ask(where + "/result")[0]
            if status != 202:
                self.count(status)
                return
            time.sleep(0.1)
        self.odd.append(f"{where} did not end in 40 s")

    def leave(self, path, body, headers):
        lines = [f"POST /{path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        with socket.create_connection(("127.0.0.1", self.nodes.http), timeout=10) as sock:
            sock.sendall(data[:self.dice.randint(1, len(data))] if self.dice.random() < 0.3 else data)
            time.sleep(self.dice.random() * 0.3)
        self.seen["left"] += 1

    def count(self, status):
        self.seen[status] += 1
        if status not in ENDS:
            self.odd.append(f"status {status}")


class Artist(Client):
    """One that asks the built-in runner for a small picture now and then."""

    def one(self):
        fields = {"model_id": "builtin/sketch", "prompt": f"{PROMPT} a fox", "width": 128, "height": 128, "num_inference_steps": 2}
        status, got = ask(f"{self.nodes.url}/text-to-image?media=inline", fields, timeout=60)[::2]
        self.count(status)
        self.seen["drawn"] += status == 200 and b'"data:image/png' in got
        self.ends.wait(4)


# ---- what goes wrong ----

def restart(pair, how):
    process = pair.second
    if how == signal.SIGKILL:
        pair.all = [row for row in pair.all if row[1] is not process]
        process.kill()
        process.wait()
    else:
        code = pair.end(process)
        assert code == 0, f"the restarted orchestrator ended with {code}"
    pair.second = pair.start_spare()


def trouble(pair, runners, dice):
    what = dice.randrange(8)
    if what < 3:
        runners[dice.randrange(2)].ill = dice.choice(["slow", "fail", "babble", "half", "down"])
    elif what == 3:
        restart(pair, signal.SIGTERM)
    elif what == 4:
        restart(pair, signal.SIGKILL)
    elif what == 5:
        for process in pair.gateway, pair.orchestrator:
            process.send_signal(signal.SIGHUP)
    else:
        for runner in runners:
            runner.ill = None


def live(pair, runners, seconds, watch=lambda: None):
    ends, dice = threading.Event(), random.Random(SEED)
    clients = [Client(pair, n, ends) for n in range(CLIENTS)] + [Artist(pair, CLIENTS, ends)] * LONG
    for client in clients:
        client.start()
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            time.sleep(min(1 + dice.random() * 3, max(0, until - time.monotonic())))
            trouble(pair, runners, dice)
            watch()
    finally:
        ends.set()
        for runner in runners:
            runner.ill = None
    for client in clients:
        client.join(90)
        assert not client.is_alive(), "a client's request does not end"
        assert not client.odd, client.odd[:5]
    return sum((client.seen for client in clients), collections.Counter())


def works(pair, path):
    row = ROWS[path]
    fields = {row.name: "test", **row.least}
    if not row.file:
        return ask(f"{pair.url}/{path}", fields)[0] == 200
    return ask(f"{pair.url}/{path}", *form(row, fields, media_of(row)))[0] == 200


def all_is_well(pair, watch):
    pair.check()
    for role in pair.cli:
        wait_for(lambda: pair.ready(role), f"the {role} to be ready", 40)
    for path in ROWS:
        wait_for(lambda: works(pair, path), f"a good job of {path}", 90, 0.5)
    wait_for(watch.idle, "the slots to be free", 30)
    rows = watch.status("orchestrator")["orchestrator"]["runners"]
    wait_for(lambda: all(row["state"] == "ready" and row["capacity"] == (1 if row["model"].startswith("builtin/") else 3)
                         for row in watch.status("orchestrator")["orchestrator"]["runners"]), f"the capacity of before: {rows}", 40)


class Look:
    """While the second part runs: the most memory, and in the long form all of flat, told each minute."""

    def __init__(self, nodes, watch):
        self.watch, self.most, self.began, self.told = watch, {role: 0 for role in nodes.cli}, time.monotonic(), 0
        self.flat = Flat({**{role: lambda process=process: process.pid for role, process in watch.both()}, "lpd-runner": nodes.child})

    def __call__(self):
        for role, process in self.watch.both():
            self.most[role] = max(self.most[role], rss(process))
        if not LONG:
            return
        self.flat.look()
        minute = int((time.monotonic() - self.began) / 60)
        if minute != self.told:
            self.told = minute
            print(f"minute {minute}: {self.flat.words()}", flush=True)


def mixed_jobs_and_faults_leave_the_nodes_as_they_were(nodes, runners):
    watch = Watch(nodes)
    seen = live(nodes, runners, SETTLING)
    all_is_well(nodes, watch)       # from here on nothing may grow
    before = {role: (rss(process), files(process)) for role, process in watch.both()}
    look = Look(nodes, watch)
    seen += live(nodes, runners, SECONDS - SETTLING, look)
    faults = look.flat.grew() if LONG else []
    all_is_well(nodes, watch)
    print(f"{SECONDS:.0f} s, {sum(seen.values())} requests: {dict(seen)}")
    assert seen[200] > (min(1, RATE / 3) if RATE else 1) * SECONDS, "hardly a job was served"
    assert SANITIZED or not faults, "; ".join(faults)
    for role, process in watch.both():
        memory, opened = before[role]
        print(f"the {role}: {memory:.1f} MB, later {rss(process):.1f} MB, {look.most[role]:.1f} MB at most; {opened} files, later "
              f"{files(process)}")
        wait_for(lambda: files(process) <= opened + 12, f"the {role} to close files: {files(process)}, {opened} before", 30)
        wait_for(lambda: rss(process) <= memory + GROWTH, f"the {role} to give memory back: {rss(process):.0f} MB", 30, 0.5)
    assert nodes.end(nodes.second) == 0
    watch.end()
    assert PROMPT not in (nodes.folder / "spare.log").read_text(errors="replace")


def a_floor_that_rises_is_told_with_the_part_that_does_and_a_noisy_one_is_not(nodes, runners):
    def samples(slope):
        dice = random.Random(7)
        return [(when, {"heap": 10 + slope * when / 3600 + dice.random(), "mapped files": 5.0 + 9 * (dice.random() < 0.3)})
                for when in range(0, 3600, 5)]
    assert grown("even", samples(0), "memory", "MB") == []
    assert grown("slow", samples(1), "memory", "MB") == []
    words, = grown("leaky", samples(6), "memory", "MB")
    assert "leaky: its memory rose by" in words and words.endswith("heap"), words


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runners = [Runner(), Runner()]
        options = ["-mediaTTL", "3s", "-jobTimeout", "20s"]
        with Three(folder, *runners, capacity=3, options=options, pipelines=list(ROWS)) as nodes:
            wait_for(lambda: answers(nodes.spare), "the second orchestrator")
            return each(globals(), nodes, runners)


if __name__ == "__main__":
    sys.exit(main())
