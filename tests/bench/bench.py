#!/usr/bin/env python3
"""bench - gateway, orchestrator and an instant runner against nginx doing the same two hops, in the same run.

    ./dev bench [NAME...]      llm  text-to-image  pay  slow  relay  inflight  growth  idle  start  market; all without a name

Prints "name value unit" lines, ratios among them, and writes build/bench.json.  A figure is the median of
rounds in which lpd and nginx took turns.  It fails when something breaks, never because of a time."""
import concurrent.futures
import datetime
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from pairs import Lpd, Nginx, PaidLpd, Runner
from measure import BODIES, cpu, fetch, forget_peak, load, memory, peak, rounds, script_of
from money import rows
from nodes import BUILD, TOP, Processes, answers, ask, free_port, wait_for

SECONDS = int(os.environ.get("BENCH_SECONDS", "2"))
PAIRS = [{"lpd": Lpd, "nginx": Nginx}[name] for name in os.environ.get("BENCH_PAIRS", "lpd,nginx").split(",")]
figures = {}

# What the project aims at: figure, at least or at most, value.
AIMS = [
    ("llm.c100.rate_vs_nginx", ">=", 1.0), ("llm.c100.lpd.cpu", "<=", 0.12), ("text-to-image.c100.lpd.cpu", "<=", 0.20),
    ("slow.c100.p99_vs_nginx", "<=", 1.5), ("slow.c100.lpd.gateway.longest_step", "<=", 1),
    ("slow.c100.lpd.orchestrator.longest_step", "<=", 1), ("relay.llm.bytes_vs_nginx", ">=", 0.9), ("inflight.lpd.gateway", "<=", 16),
    ("growth.lpd", "<=", 1), ("idle.gateway.rss", "<=", 13), ("idle.gateway.private", "<=", 4),
    ("idle.orchestrator.rss", "<=", 13), ("idle.orchestrator.private", "<=", 4), ("start.gateway", "<=", 30),
    ("start.orchestrator", "<=", 30), ("market.lpd.p99_vs_fastest", "<=", 1.2), ("market.lpd_price.p99_vs_fastest", "<=", 1.2),
    ("market.lpd_price.price_vs_cheapest", "<=", 1.05), ("market.lpd.starved", "<=", 0), ("market.lpd_price.starved", "<=", 0),
    ("market.lpd.choose", "<=", 5000), ("market.lpd_price.choose", "<=", 5000),
    ("pay.llm.c100.rate_vs_nginx", ">=", 0.4), ("pay.llm.c100.lpd.rate", ">=", 5000), ("pay.llm.c100.lpd.cpu", "<=", 0.23),
    ("pay.llm.cpu_vs_signatures", "<=", 2.0), ("pay.text-to-image.c100.lpd.cpu", "<=", 0.32), ("pay.ping.p99", "<=", 2),
]


def say(name, value, unit):
    figures[name] = {"value": round(value, 4), "unit": unit}
    print(f"{name} {value:.4g} {unit}" if value < 1e4 else f"{name} {value:.0f} {unit}", flush=True)


def load_figures(name, pairs, pipeline, clients, folder):
    found = rounds(pairs, pipeline, clients, SECONDS, folder)
    ratios = found.pop("ratio", {})
    for pair, result in found.items():
        say(f"{name}.{pair}.rate", result["rate"], "jobs/s")
        say(f"{name}.{pair}.p50", result["p50"], "ms")
        say(f"{name}.{pair}.p99", result["p99"], "ms")
        for hop in ("gateway", "orchestrator", "cpu"):
            say(f"{name}.{pair}.{hop}", result[hop], "ms/job")
    for what, value in ratios.items():
        say(f"{name}.{what}_vs_nginx", value, "x")


def opened(folder, runner):
    return [kind(f"{folder}/{kind.name}", runner) for kind in PAIRS]


def with_pairs(folder, work, **runner_options):
    """work(pairs, runner), and everything ended after it."""
    with Runner(f"{folder}/runner", **runner_options) as runner:
        pairs = opened(folder, runner)
        try:
            work(pairs, runner)
        finally:
            for pair in pairs:
                pair.__exit__()


def rates(pipeline):
    def bench(folder):
        with_pairs(folder, lambda pairs, _: [load_figures(f"{pipeline}.c{clients}", pairs, pipeline, clients, folder)
                                             for clients in (1, 100, 1000)])
    return bench


def longest(pair):
    """{hop: {what: ms}} of the loop's longest turn (handshakes included) and step (callback; not) since this was last asked.
    Times on the clock: when the machine stops us in the middle, that counts as well."""
    pages = {hop: ask(f"http://127.0.0.1:{port}/metrics")[2].decode() for hop, port in pair.cli.items()}
    return {hop: {what: int(re.search(rf"^lpd_loop_longest_{what}_microseconds (\d+)", page, re.M)[1]) / 1e3
                  for what in ("turn", "step")} for hop, page in pages.items()}


def signatures():
    """ms of processor for signing and for finding out who signed, measured now"""
    runs = [json.loads(subprocess.run([BUILD / "tests" / "bench" / "signatures"], check=True, capture_output=True, text=True,
                                      timeout=120).stdout) for _ in range(3)]
    cost = {what: statistics.median(run[what] for run in runs) for what in runs[0]}
    for what, ms in cost.items():
        say(f"pay.signatures.{what}", ms, "ms")
    return sum(cost.values())


def tickets_a_job(pair, capability):
    """By the gateway's ledger."""
    sums = "SELECT sum(tickets), sum(kind = 'spent') FROM ledger WHERE capability = "
    tickets, jobs = rows(pair.store("gateway"), f"{sums}{capability} AND kind IN ('paid', 'spent')")[0]
    return tickets / jobs


def pay(folder):
    """paid jobs: their rate and processor time, that over the time of their signatures (of the job's head and of its tickets:
    the gateway signs, the orchestrator finds out who did), nginx as ever; and what a question that costs nothing waits beside
    payments of a hundred tickets"""
    with Runner(f"{folder}/runner") as runner:
        pairs = [PaidLpd(f"{folder}/paid", runner), *(kind(f"{folder}/nginx", runner) for kind in PAIRS if kind is Nginx)]
        try:
            for pipeline, capability in (("llm", 33), ("text-to-image", 27)):
                cost = signatures()
                load_figures(f"pay.{pipeline}.c100", pairs, pipeline, 100, folder)
                tickets = tickets_a_job(pairs[0], capability)
                say(f"pay.{pipeline}.tickets", tickets, "tickets/job")
                say(f"pay.{pipeline}.cpu_vs_signatures", figures[f"pay.{pipeline}.c100.lpd.cpu"]["value"] / (cost * (1 + tickets)), "x")
        finally:
            for pair in pairs:
                pair.__exit__()
        with PaidLpd(f"{folder}/hundred", runner, tickets=100) as pair:
            say("pay.ping.alone.p99", ping(pair)["p99"], "ms")
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                stream = pool.submit(load, pair, "text-to-image", 4, SECONDS * 2 + 1, folder)
                time.sleep(0.5)
                beside, jobs = ping(pair), stream.result()
            say("pay.ping.p99", beside["p99"], "ms")
            say("pay.ping.tickets", jobs["jobs"] / jobs["seconds"] * 100, "tickets/s")


def ping(pair):
    """A question to the orchestrator's loop, one after another."""
    script = script_of("llm", pair.folder)
    script.write_text(script.read_text().replace("POST", "GET").replace("wrk.body", "_"))
    run = subprocess.run(["wrk", "-t1", "-c1", f"-d{SECONDS}s", "-s", script, f"http://127.0.0.1:{pair.cli['orchestrator']}/healthz"],
                         check=True, capture_output=True, text=True, timeout=60)
    return json.loads([line for line in run.stdout.splitlines() if line.startswith("{")][-1])


def slow(folder):
    """a runner that takes 100 ms, 100 clients; and the loop's longest turn and step, in the quietest of five loads"""
    def work(pairs, _):
        load_figures("slow.c100", pairs, "llm", 100, folder)
        for pair in pairs:
            if pair.name == "lpd":
                longest(pair)
                loads = [load(pair, "llm", 100, 1, folder) and longest(pair) for _ in range(5)]
                for hop in pair.hops:
                    for what in ("turn", "step"):
                        say(f"slow.c100.lpd.{hop}.longest_{what}", min(found[hop][what] for found in loads), "ms")
    with_pairs(folder, work, delay=100)


def relay(folder):
    """an answer of 50 MB, lpd and nginx in turns: bytes a second, what it costs in processor and memory, and the loop's
    longest turn and step in the quietest of the runs"""
    size = 50 * 1024 * 1024

    def once(pair, pipeline):
        seconds, length, head = fetch(f"{pair.url}/{pipeline}", BODIES[pipeline])
        link = re.search(rb'"url":"((?:https?:/)?/[^"]+)"', head)
        if link:        # the picture is kept by the gateway: get it there
            more, length, _ = fetch(link.group(1).decode() if b"://" in link.group(1) else pair.url + link.group(1).decode())
            seconds += more
        if length < size:
            raise RuntimeError(f"{pair.name}: {length} bytes of {size} came")
        return length / seconds / 1e6

    def measured(pair, pipeline):
        pids = sum(pair.hops.values(), [])
        before = cpu(pids)
        figures_there = {"bytes": once(pair, pipeline), "cpu": (cpu(pids) - before) * 1e3}
        for hop, found in longest(pair).items() if pair.name == "lpd" else ():
            figures_there |= {f"{hop}.longest_{what}": ms for what, ms in found.items()}
        return figures_there

    def work(pairs, _):
        for pipeline in ("llm", "text-to-image"):
            for pair in pairs:
                once(pair, pipeline)
                forget_peak(sum(pair.hops.values(), []))
            runs = {pair.name: [] for pair in pairs}
            for _ in range(7):
                for pair in pairs:
                    runs[pair.name].append(measured(pair, pipeline))
            for pair in pairs:
                for what in runs[pair.name][0]:
                    of = min if "longest" in what else statistics.median
                    unit = {"bytes": "MB/s", "cpu": "ms/job"}.get(what, "ms")
                    say(f"relay.{pipeline}.{pair.name}.{what}", of(run[what] for run in runs[pair.name]), unit)
                for hop, hop_pids in pair.hops.items():
                    say(f"relay.{pipeline}.{pair.name}.{hop}.peak", peak(hop_pids) / 1024, "MB")
            if len(pairs) == 2:
                say(f"relay.{pipeline}.bytes_vs_nginx", statistics.median(
                    ours["bytes"] / theirs["bytes"] for ours, theirs in zip(runs["lpd"], runs["nginx"])), "x")
    with_pairs(folder, work, size=size)


def inflight(folder):
    """10,000 jobs at once, or as many as the descriptors allow: memory for each"""
    clients = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)

    def work(pairs, runner):
        for pair in pairs:
            before = {hop: memory(pids)["rss"] for hop, pids in pair.hops.items()}
            script = script_of("llm", folder)
            with Processes(f"{folder}/wrk") as wrk:
                wrk.start("wrk", "wrk", "-t1", f"-c{clients}", "-d40s", "--timeout", "100s", "-s", script, f"{pair.url}/llm")
                held = 0
                for _ in range(60):
                    time.sleep(0.5)
                    now = runner.stats()["in_hand"]
                    if now and now == held:
                        break
                    held = now
                say(f"inflight.{pair.name}.jobs", held, "jobs")
                each = {hop: (memory(pids)["rss"] - before[hop]) / max(held, 1) for hop, pids in pair.hops.items()}
                for hop, kib in each.items():
                    say(f"inflight.{pair.name}.{hop}", kib, "KiB/job")
                say(f"inflight.{pair.name}.per_job", sum(each.values()), "KiB/job")
            wait_for(lambda: runner.stats()["in_hand"] == 0, "the jobs to end", 60)
            pair.check()
    with_pairs(folder, work, delay=20000)


def growth(folder):
    """what 100,000 jobs leave behind"""
    def work(pairs, _):
        for pair in pairs[:1]:
            pids = sum(pair.hops.values(), [])
            load(pair, "llm", 100, 2, folder)
            time.sleep(15)
            before, jobs = memory(pids)["rss"], 0
            while jobs < 100000:
                jobs += load(pair, "llm", 100, 5, folder)["jobs"]
            time.sleep(15)      # what is kept for a while is let go, and the heap trimmed
            say(f"growth.{pair.name}.jobs", jobs, "jobs")
            say(f"growth.{pair.name}", (memory(pids)["rss"] - before) / 1024, "MB")
    with_pairs(folder, work)


def idle(folder):
    """memory before any job"""
    def work(pairs, _):
        time.sleep(2)
        for pair in pairs:
            prefix = "idle" if pair.name == "lpd" else f"idle.{pair.name}"
            for hop, pids in pair.hops.items():
                held = memory(pids)
                say(f"{prefix}.{hop}.rss", held["rss"] / 1024, "MB")
                say(f"{prefix}.{hop}.private", held["private"] / 1024, "MB")
    with_pairs(folder, work)


def start(folder):
    """from exec to the first connection accepted; the certificate is there already"""
    with Runner(f"{folder}/runner") as runner, Lpd(f"{folder}/lpd", runner) as lpd:
        for hop, begin, port in (("gateway", lpd.start_gateway, "http"), ("orchestrator", lpd.start_orchestrator, "service")):
            lpd.end(getattr(lpd, hop))
            times = []
            for _ in range(15):
                setattr(lpd, port, free_port())
                began = time.monotonic()
                process = begin()
                wait_for(lambda: answers(getattr(lpd, port)), hop, pause=0.0005)
                times.append((time.monotonic() - began) * 1e3)
                lpd.end(process)
            say(f"start.{hop}", statistics.median(times), "ms")
            say(f"start.{hop}.best", min(times), "ms")


def market(_):
    """jobs dealt out among 10,000 orchestrators in virtual time, by lpd's code and in other ways (market.c)"""
    made = subprocess.run([TOP / "build" / "release" / "tests" / "bench" / "market_bench"], check=True, capture_output=True,
                          text=True, timeout=900).stdout
    for line in made.splitlines():
        name, value, unit = line.split(" ", 2)
        say(name, float(value), unit)


BENCHES = {"idle": idle, "start": start, "llm": rates("llm"), "text-to-image": rates("text-to-image"), "pay": pay, "slow": slow,
           "relay": relay, "inflight": inflight, "growth": growth,
           "market": market}


def machine():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    commit = subprocess.run(["git", "-c", f"safe.directory={TOP}", "-C", TOP, "describe", "--always", "--dirty"],
                            capture_output=True, text=True).stdout.strip()
    return {"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit,
            "cpu": model.group(1) if model else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0], "seconds_a_round": SECONDS}


def main(names):
    for name in names:
        if name not in BENCHES:
            sys.exit(f"no such bench: {name}; there are {' '.join(BENCHES)}")
    os.environ.pop("http_proxy", None)
    about = machine()
    print(f"# {about['cpu']}, {about['cores']} cores, load {about['load_before']:.1f}, {about['when']}, {about['commit']}")
    broken = []
    for name in names or BENCHES:
        folder = tempfile.mkdtemp(prefix=f"lpd-bench-{name}-")
        try:
            BENCHES[name](folder)
            shutil.rmtree(folder, ignore_errors=True)
        except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
            print(f"# {name} broke: {fault} (logs: {folder})", flush=True)
            broken.append(name)
    met = {}
    for name, than, value in AIMS:
        if name in figures:
            met[name] = figures[name]["value"] >= value if than == ">=" else figures[name]["value"] <= value
            print(f"# aim {name} {than} {value}: {'met' if met[name] else 'MISSED'}, {figures[name]['value']:.4g}")
    (TOP / "build" / "bench.json").write_text(json.dumps({"machine": about, "figures": figures, "aims": met}, indent=1))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
