"""flat - what processes hold while they work, looked at every few seconds: memory and open files, each in its parts.

Under load both go up and down, so what counts is the floor: the time is cut into pieces, the low of each is taken, and the
slope is the median of all slopes between two of them.  What rose is told with the part that did."""
import collections
import itertools
import os
import pathlib
import re
import statistics
import time

PIECES = 12
ROOM = {"memory": 2.0, "files": 4.0}     # MB and files: so much may the floor rise over the whole time
TICKS = os.sysconf("SC_CLK_TCK")


def memory(pid):
    """MB by part: the heap, other memory of its own (threads, large pieces), what is mapped from files, shared memory."""
    parts, where = collections.Counter(), ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+)\s*(.*)", line)
        if head:
            where = "heap" if head[2] == "[heap]" else "shared memory" if "memfd:" in head[2] or "/dev/shm" in head[2] \
                else "mapped files" if head[1] != "0" else "other memory"
        elif line.startswith("Rss:"):
            parts[where] += int(line.split()[1]) / 1024
    return parts


def files(pid):
    """Open files by kind, without results that wait to be fetched."""
    kinds, folder = collections.Counter(), f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            what = os.readlink(f"{folder}/{name}")
        except OSError:
            continue        # the one of this very look
        if "/media/" not in what:
            kinds["files" if what.startswith("/") else what.split(":")[0] + "s"] += 1
    return kinds


def seconds(pid):
    """Of processor time."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def floor(samples):
    """(when, low) of each piece of a list of (when, value)."""
    first, span = samples[0][0], samples[-1][0] - samples[0][0]
    pieces = [[] for _ in range(PIECES)]
    for when, value in samples:
        pieces[min(PIECES - 1, int((when - first) / (span or 1) * PIECES))].append(value)
    return [(first + (i + 0.5) * span / PIECES, min(values)) for i, values in enumerate(pieces) if values]


def rise(samples):
    """How much the floor rose from the first to the last of the samples, by its slope."""
    points = floor(samples)
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in itertools.combinations(points, 2)]
    return statistics.median(slopes) * (samples[-1][0] - samples[0][0]) if slopes else 0.0


class Flat:
    """processes: a function each, by name, that tells the pid; one whose pid changes begins anew."""

    def __init__(self, processes, every=5.0):
        self.processes, self.every, self.next = processes, every, 0.0
        self.seen, self.began = {}, time.monotonic()

    def look(self):
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + self.every
        for name, pid_of in self.processes.items():
            pid = pid_of()
            if not pid:
                continue
            if name not in self.seen or self.seen[name]["pid"] != pid:
                self.seen[name] = {"pid": pid, "memory": [], "files": [], "work": seconds(pid), "since": now}
            self.seen[name]["memory"].append((now, memory(pid)))
            self.seen[name]["files"].append((now, files(pid)))

    def words(self):
        """One line a process, for whoever reads along."""
        return ", ".join(f"{name} {sum(row['memory'][-1][1].values()):.1f} MB {sum(row['files'][-1][1].values())} files"
                         for name, row in self.seen.items())

    def grew(self):
        """What did, in words; prints how it was with all."""
        faults = []
        for name, row in self.seen.items():
            span = row["memory"][-1][0] - row["memory"][0][0]
            work = seconds(row["pid"]) - row["work"] if os.path.exists(f"/proc/{row['pid']}/stat") else 0
            print(f"{name}: {work:.0f} s of processor in {span:.0f} s")
            for what, unit in ("memory", "MB"), ("files", "files"):
                faults += grown(name, row[what], what, unit)
        return faults


def grown(name, samples, what, unit):
    whole = [(when, sum(parts.values())) for when, parts in samples]
    values, up = [value for _, value in whole], rise(whole)
    lows = [low for _, low in floor(whole)]
    print(f"  {what}: {values[0]:.1f} {unit} at first, {values[-1]:.1f} at the end, {max(values):.1f} at most; "
          f"the floor from {lows[0]:.1f} to {lows[-1]:.1f}, by its slope {up:+.2f}")
    if up <= ROOM[what] or lows[-1] - lows[0] <= ROOM[what]:
        return []
    parts = {part: rise([(when, parts[part]) for when, parts in samples]) for part in set().union(*(p for _, p in samples))}
    most = max(parts, key=parts.get)
    hours = (samples[-1][0] - samples[0][0]) / 3600
    return [f"{name}: its {what} rose by {up:.1f} {unit} ({up / hours:.1f} an hour), {parts[most]:.1f} of it {most}"]
