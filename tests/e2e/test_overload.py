#!/usr/bin/env python3
"""test_overload - ten times what the real pair can carry: who is served, what the others are told, and what it costs.

Each function is a test.  OVERLOAD_SECONDS is how long it lasts (20).  Times are printed, and no failure, since a machine may
have other things to do; sim_overload asserts them in virtual time.  The long form, ./dev overload --minutes 5, does assert
them, and that no floor of memory or open files rises."""
import asyncio
import collections
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import FakeRunner, Handler  # noqa: E402
from flat import Flat  # noqa: E402
from hostile import SANITIZED, error_of, rss  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402

SECONDS = float(os.environ.get("OVERLOAD_SECONDS", 20))
SLOTS, JOB = 12, 1.2     # jobs at once, and how long each takes
RATE = 10 * SLOTS / JOB     # jobs a second that come: 100
EACH = 20     # jobs at once that one client may have
BODY = json.dumps({"model_id": "test", "prompt": "a fox", "width": 64, "height": 64}).encode()
GROWTH = 16     # MB
LONG = SECONDS >= 60
TIMES = 2       # the p99 of those served against that of an idle pair


class Slow(Handler):
    def answer(self, status, body, kind="application/json"):
        if self.command == "POST":
            time.sleep(JOB)
        super().answer(status, body, kind)


class Crowd:
    """Clients of some addresses, which keep their connections."""

    def __init__(self, port, addresses, *headers):
        self.port, self.addresses, self.idle = port, addresses, []
        lines = ["POST /text-to-image HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(BODY)}", *headers]
        self.request = "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY
        self.answers = []       # (when it was asked, seconds, status, Retry-After, body)
        self.lost = []

    async def one(self):
        began = time.monotonic()
        reader = writer = None
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port,
                                                                                             local_addr=(random.choice(self.addresses), 0))
            writer.write(self.request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = await reader.readexactly(int(re.search(r"(?i)content-length: (\d+)", head)[1]))
            wait = re.search(r"(?i)\r\nretry-after: (\d+)\r\n", head)
            self.answers.append((began, time.monotonic() - began, int(head[9:12]), wait and int(wait[1]), body))
        except (OSError, EOFError, asyncio.IncompleteReadError) as why:
            self.lost.append(repr(why))
        if writer and "connection: close" not in head.lower():
            self.idle.append((reader, writer))

    async def come(self, rate, seconds, between=lambda: None):
        """So many a second, whatever becomes of those who came before."""
        jobs, start = [], time.monotonic()
        while (age := time.monotonic() - start) < seconds:
            while len(jobs) < age * rate:
                jobs.append(asyncio.create_task(self.one()))
            between()
            await asyncio.sleep(0.01)
        await asyncio.gather(*jobs)

    def close(self):
        for _, writer in self.idle:
            writer.close()


def statuses(crowd):
    return dict(collections.Counter(status for _, _, status, _, _ in crowd.answers))


def times(crowd):
    return sorted(took for _, took, status, _, _ in crowd.answers if status == 200)


def p99(values):
    return values[len(values) - 1 - len(values) // 100]


def refused_in_words(crowd):
    assert not crowd.lost, crowd.lost[:3]
    for _, _, status, wait, body in crowd.answers:
        assert status in (200, 429, 503), (status, body)
        if status == 200:
            continue
        assert wait and 1 <= wait <= 60, (status, wait)
        assert error_of(body) in ("too_many_requests", "no_orchestrator", "no_capacity", "unavailable"), body
        assert "detail" in json.loads(body), body


class Memory:
    """Of both nodes, every half second, from some seconds on; in the long form all of flat, each five."""

    def __init__(self, nodes, after):
        self.nodes, self.next = nodes, time.monotonic() + after
        self.seen = {role: [] for role in nodes.cli}
        self.flat = Flat({role: lambda process=getattr(nodes, role): process.pid for role in nodes.cli})

    def look(self):
        if time.monotonic() < self.next:
            return
        self.next += 0.5
        for role, values in self.seen.items():
            values.append(rss(getattr(self.nodes, role)))
        if LONG:
            self.flat.look()

    def is_flat(self):
        faults = self.flat.grew() if LONG else []
        for role, values in self.seen.items():
            print(f"{role}: {values[0]:.1f} MB, {values[-1]:.1f} MB at the end, {max(values):.1f} MB at most")
            if not SANITIZED:
                assert max(values) - values[0] < GROWTH, f"the {role} grew from {values[0]:.1f} to {max(values):.1f} MB"
        assert SANITIZED or not faults, "; ".join(faults)


def jobs_of(pair):
    return sum(json.loads(ask(f"http://127.0.0.1:{port}/status")[2])["jobs"] for port in pair.cli.values())


def at_ten_times_the_capacity_all_are_served_or_refused_in_words_and_memory_is_flat(nodes):
    async def play():
        few = Crowd(nodes.http, ["127.0.0.1"])
        for _ in range(20 if LONG else 3):
            await asyncio.gather(*[few.one() for _ in range(SLOTS // 2)])
        few.close()
        many, memory = Crowd(nodes.http, [f"127.0.1.{n}" for n in range(1, 30)]), Memory(nodes, min(30, SECONDS / 4))
        await many.come(RATE, SECONDS, memory.look)
        many.close()
        return few, many, memory
    few, many, memory = asyncio.run(play())
    assert statuses(few).keys() == {200}, statuses(few)
    refused_in_words(many)
    served, alone = times(many), p99(times(few))
    print(f"{len(many.answers)} came in {SECONDS:.0f} s: {statuses(many)}; p99 of those served {p99(served):.2f} s, "
          f"{p99(served) / alone:.2f} times that of an idle pair")
    assert len(many.answers) > RATE * SECONDS / 2, "this was no crowd"
    assert len(served) > 2 * SLOTS, "the slots stood idle"
    memory.is_flat()
    assert not LONG or SANITIZED or p99(served) <= TIMES * alone, "those who were served waited too long"
    wait_for(lambda: jobs_of(nodes) == 0, "all jobs to end", 10)
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", BODY, {"Content-Type": "application/json"})[0] == 200, "a good job", 10)


def one_client_that_asks_for_all_leaves_the_others_room(nodes):
    async def play():
        greedy, modest = Crowd(nodes.http, ["127.0.0.2"]), Crowd(nodes.http, ["127.0.0.3"], "Lp-Priority: high")
        await asyncio.gather(greedy.come(RATE, 6), modest.come(2, 6))
        greedy.close()
        modest.close()
        return greedy, modest
    greedy, modest = asyncio.run(play())
    refused_in_words(greedy)
    refused_in_words(modest)
    assert 429 in statuses(greedy) and 429 not in statuses(modest), (statuses(greedy), statuses(modest))
    assert statuses(modest).get(200, 0) >= 2, statuses(modest)
    print(f"the greedy one: {statuses(greedy)}, the modest one: {statuses(modest)}")


def connections_of_one_client_are_bounded_and_of_others_not(nodes):
    async def play():
        held = [await asyncio.open_connection("127.0.0.1", nodes.http, local_addr=("127.0.0.4", 0)) for _ in range(400)]
        late, other = Crowd(nodes.http, ["127.0.0.4"]), Crowd(nodes.http, ["127.0.0.5"])
        await late.one()
        await other.one()
        for _, writer in held:
            writer.close()
        return late, other
    late, other = asyncio.run(play())
    refused_in_words(late)
    assert statuses(late) == {429: 1}, statuses(late)
    assert statuses(other) == {200: 1}, statuses(other)


def main():
    with tempfile.TemporaryDirectory(prefix="lpd-e2e-") as folder:
        runner = FakeRunner()
        runner.RequestHandlerClass = Slow
        # Who is served waits no longer than a job takes: that is what bounds the answers at twice the time.
        options = ["-aiProcessingRetryTimeout", f"{int(JOB * 1000)}ms", "-mediaTTL", "5s"]
        bounds = ["-maxJobsPerClient", EACH, "-maxConnectionsPerClient", "400", "-allowPriorities"]
        with Loaded(folder, runner.port, capacity=SLOTS, options=options, bounds=bounds) as nodes:
            return each(globals(), nodes)


class Loaded(Pair):
    def __init__(self, *args, bounds, **more):
        self.bounds = bounds
        super().__init__(*args, **more)

    def start_gateway(self):
        return self.node("gateway", "-orchAddr", f"127.0.0.1:{self.service}", "-httpAddr", f"127.0.0.1:{self.http}", *self.bounds)


if __name__ == "__main__":
    sys.exit(main())
