"""measure - load and what it costs: wrk for the load, /proc for the cost."""
import json
import pathlib
import statistics
import subprocess
import time

# wrk runs this: it posts one body for ever and says in the end how it went, as JSON.
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
function done(summary, latency)
  local e = summary.errors
  print(string.format('{"jobs":%%d,"seconds":%%.6f,"p50":%%.3f,"p99":%%.3f,"failed":%%d}', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

BODIES = {
    "llm": {"model": "test", "max_tokens": 64, "stream": False, "messages": [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "Why do leaves turn red in autumn, and why not all of them at once?"}]},
    "text-to-image": {"model_id": "test", "prompt": "a red maple leaf on wet stone, morning light", "width": 512,
                      "height": 512, "seed": 1},
}


def script_of(pipeline, folder):
    script = pathlib.Path(folder) / f"{pipeline}.lua"
    script.write_text(SCRIPT % json.dumps(BODIES[pipeline]))
    return script


def load(pair, pipeline, clients, seconds, folder):
    """Keep `clients` requests in flight for some seconds."""
    script = script_of(pipeline, folder)
    run = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "120s", "-s", script,
                          f"{pair.url}/{pipeline}"], capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    pair.check()
    if not lines:
        raise RuntimeError(f"wrk: {run.stdout} {run.stderr}")
    result = json.loads(lines[-1])
    if result["failed"] or not result["jobs"]:
        raise RuntimeError(f"{pair.name}: {result['failed']} of {result['jobs']} {pipeline} jobs failed at {clients} clients")
    return result


def cpu(pids):
    """Seconds that the processes have run, all threads, user and kernel, as the scheduler counted them."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory(pids):
    """{"rss", "private"} in KiB, of all of them."""
    found = {"rss": 0, "private": 0}
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == "Rss":
                found["rss"] += int(value.split()[0])
            elif key in ("Private_Dirty",):
                found["private"] += int(value.split()[0])
    return found


def forget_peak(pids):
    for pid in pids:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pids):
    """KiB, the most since forget_peak, of all of them."""
    total = 0
    for pid in pids:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("VmHWM:")[1].split()[0])
    return total


def timed_load(pair, pipeline, clients, seconds, folder):
    before = {hop: cpu(pids) for hop, pids in pair.hops.items()}
    result = load(pair, pipeline, clients, seconds, folder)
    result["rate"] = result["jobs"] / result["seconds"]
    for hop, pids in pair.hops.items():
        result[hop] = (cpu(pids) - before[hop]) / result["jobs"] * 1e3
    result["cpu"] = sum(result[hop] for hop in pair.hops)
    return result


def rounds(pairs, pipeline, clients, seconds, folder, n=5):
    """{pair: {what: median}}, and under "ratio" the median of what lpd had to what nginx had in the same round: the
    pairs take turns, so that what else the machine does meets each alike."""
    found = {pair.name: [] for pair in pairs}
    for pair in pairs:
        load(pair, pipeline, clients, 1, folder)
    for _ in range(n):
        for pair in pairs:
            found[pair.name].append(timed_load(pair, pipeline, clients, seconds, folder))
    medians = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    if len(pairs) == 2:
        both = list(zip(found["lpd"], found["nginx"]))
        medians["ratio"] = {key: statistics.median(ours[key] / theirs[key] for ours, theirs in both)
                            for key in ("rate", "p50", "p99", "cpu")}
    return medians


def fetch(url, body=None):
    """(seconds, bytes, first 4 KiB) of one request by curl, which throws the rest away."""
    command = ["curl", "-sS", "--fail", "-w", "%{stderr}%{size_download}", "-m", "120", url]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        head = process.stdout.read(4096)
        while process.stdout.read(1 << 20):
            pass
        words = process.stderr.read().decode()
    if process.returncode:
        raise RuntimeError(f"curl: {words}")
    return time.monotonic() - start, int(words), head
