#!/usr/bin/env python3
"""test_kill - paid jobs run, and gateway or orchestrator is killed (-9) at any instant, over and over.  In the end both
stores, both ledgers and the file of the bank tell the same story.

KILLS=n (200) so many; KILL_SEED=n another row of dice.  It stops early, and says so, when its time is up (KILL_SECONDS,
150)."""
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hostile import REPORT, GoodRunner, job  # noqa: E402
from money import Paid, amount, lpd, rows  # noqa: E402
from nodes import ask, each, wait_for  # noqa: E402

KILLS, SEED = int(os.environ.get("KILLS", "200")), int(os.environ.get("KILL_SEED", "1"))
SECONDS = float(os.environ.get("KILL_SECONDS", "150" if "KILLS" not in os.environ else "1e9"))
CLIENTS, EV, TICKETS = 4, 8 * 10**9, 3
UNITS = 64 * 64             # of a job
WEI = 1 << 64               # in the unit of the stores
JOB = (TICKETS + 1) * EV * WEI      # no payment is worth more than its job and a ticket
SEEN = re.compile(r"already seen|invalid ticket|recipientRand|a bug:")


class Load:
    """Clients that ask for one job after another, whatever becomes of it."""

    def __init__(self, url):
        self.url, self.stopped, self.statuses = url, False, {}
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(CLIENTS)
        self.runs = [self.pool.submit(self.run) for _ in range(CLIENTS)]

    def run(self):
        while not self.stopped:
            try:
                status = ask(f"{self.url}/text-to-image", job(), timeout=10)[0]
            except OSError:
                status = 0
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
            if status != 200:
                time.sleep(0.02)

    def end(self):
        self.stopped = True
        for run in self.runs:
            run.result()
        self.pool.shutdown()


class Killed(Paid):
    def __init__(self, folder, runner):
        models = [{"pipeline": "text-to-image", "model_id": "test", "url": f"http://127.0.0.1:{runner.port}", "warm": True,
                   "capacity": 100, "price_per_unit": TICKETS * EV // UNITS}]
        super().__init__(folder, runner.port, ev=EV, models=models, options=("-ledgerBlockTime", "1s"))
        self.kills = {"gateway": 0, "orchestrator": 0}

    def kill(self, role):
        process = getattr(self, role)
        self.all = [row for row in self.all if row[1] is not process]
        process.kill()
        process.wait()
        self.kills[role] += 1
        setattr(self, role, self.start_gateway() if role == "gateway" else self.start_orchestrator())

    def logs(self):
        for role in self.kills:
            for line in (self.folder / f"{role}.log").read_text(errors="replace").splitlines():
                yield role, line

    def entries(self, role, *kinds):
        """(sum, number, tickets) of what the role's ledger says of these kinds."""
        found = [(amount(blob), tickets) for kind, blob, tickets in rows(self.store(role), "SELECT kind, amount, tickets FROM ledger")
                 if kind in kinds]
        return sum(row[0] for row in found), len(found), sum(row[1] for row in found)

    def good(self):
        return ask(f"{self.url}/text-to-image", job(), timeout=10)[0] == 200


def run_and_kill(pair):
    dice, began = random.Random(SEED), time.monotonic()
    wait_for(pair.good, "a first paid job", 15, 0.1)
    load = Load(pair.url)
    while sum(pair.kills.values()) < KILLS and time.monotonic() - began < SECONDS:
        role = dice.choice(("gateway", "orchestrator"))
        pair.kill(role)
        if dice.random() < 0.7:         # else it is killed again while it starts
            wait_for(lambda: pair.ready(role), f"the {role} after kill {sum(pair.kills.values())}, seed {SEED}", 30)
            time.sleep(dice.random() ** 2 * 0.8)
    wait_for(lambda: pair.ready("gateway") and pair.ready("orchestrator"), "both pair", 30)
    wait_for(pair.good, "a paid job after the last kill", 30, 0.2)
    load.end()
    pair.load, pair.seconds = load, time.monotonic() - began
    print(f"# seed {SEED}: {sum(pair.kills.values())} kills in {pair.seconds:.0f} s, jobs by status {load.statuses}", flush=True)


def there_were_kills_and_paid_jobs_enough(nodes):
    run_and_kill(nodes)
    assert sum(nodes.kills.values()) >= min(KILLS, 200) or nodes.seconds >= SECONDS, nodes.kills
    assert nodes.load.statuses.get(200, 0) > sum(nodes.kills.values()) / 2, nodes.load.statuses
    assert nodes.entries("orchestrator", "credited")[2] > 100


def twenty_jobs_run_one_after_another_in_the_end(nodes):
    for _ in range(20):
        assert nodes.good()
    nodes.check()


def no_nonce_came_twice_and_nothing_was_a_bug(nodes):
    for role, line in nodes.logs():
        assert not SEEN.search(line) and not REPORT.search(line), (role, line)
    for (row,) in rows(nodes.store("orchestrator"), "SELECT nonces FROM pay_nonces"):
        n = int.from_bytes(row[41:43], "big")
        used = [int.from_bytes(row[43 + 4 * i:47 + 4 * i], "big") for i in range(n)]
        assert len(row) == 43 + 4 * n and n <= 600 and used == sorted(set(used)), row.hex()


def every_winner_is_redeemed_and_the_bank_adds_up(nodes):
    """Those that the orchestrator knows of are paid, none twice; what the account lost is what the orchestrator got."""
    lpd("bank", "mine", 45, "-ledger", nodes.ledger)
    wait_for(lambda: not rows(nodes.store("orchestrator"), "SELECT 1 FROM pay_winner"), "the winners to be redeemed", 30, 0.2)
    lost, fees, used = nodes.bank()
    won, n_won, _ = nodes.entries("orchestrator", "won")
    redeemed, _, _ = nodes.entries("orchestrator", "redeemed")
    never, _, _ = nodes.entries("orchestrator", "lost")
    # One that was paid as its orchestrator was killed is found used when it lives again, and counts as redeemed.
    assert n_won > 0 and never == 0, (n_won, never)
    assert lost == fees, (lost, fees)
    assert used * EV * 100 == fees, "each was paid its face value, once"
    # The row of a winner and the line of the ledger are two writes: between them there may have been a kill.
    face = EV * 100
    gap = nodes.kills["orchestrator"] * CLIENTS * TICKETS * face
    assert won // WEI <= fees <= won // WEI + gap and redeemed // WEI <= fees, (won // WEI, fees, redeemed // WEI)
    print(f"# {used} winners redeemed, {fees / 10**18:.9f} ETH", flush=True)


def each_node_accounts_for_what_it_had(nodes):
    """But for what was under way when it was killed: a job of each client."""
    for role, plus, minus, table in (("gateway", ("paid",), ("spent", "returned", "given_up"), "pay_credit"),
                                     ("orchestrator", ("credited",), ("earned", "given_up"), "pay_balance")):
        had, n, _ = nodes.entries(role, *plus)
        gone, _, _ = nodes.entries(role, *minus)
        left = sum(amount(blob) for (blob,) in rows(nodes.store(role), f"SELECT amount FROM {table}"))
        may = (nodes.kills[role] + 1) * CLIENTS * JOB
        print(f"# {role}: {had / WEI / EV:.1f} = {gone / WEI / EV:.1f} + {left / WEI / EV:.1f} in tickets, off by "
              f"{(had - gone - left) / WEI / EV:.2f}, may {may / WEI / EV:.0f}", flush=True)
        assert n and abs(had - gone - left) <= may, (role, had, gone, left)


def both_nodes_tell_the_same(nodes):
    paid, _, sent = nodes.entries("gateway", "paid")
    back, _, _ = nodes.entries("gateway", "returned", "given_up")
    credited, _, taken = nodes.entries("orchestrator", "credited")
    may = (sum(nodes.kills.values()) + 1) * CLIENTS * JOB
    print(f"# {sent} tickets sent, {taken} taken", flush=True)
    assert credited <= paid + (nodes.kills["gateway"] + 1) * CLIENTS * JOB, (credited, paid)
    assert paid - back <= credited + may, (paid, back, credited)
    believed = sum(amount(blob) for (blob,) in rows(nodes.store("gateway"), "SELECT amount FROM pay_credit"))
    there = sum(amount(blob) for (blob,) in rows(nodes.store("orchestrator"), "SELECT amount FROM pay_balance"))
    assert believed <= there + CLIENTS * JOB, (believed / WEI, there / WEI)


def both_end_well(nodes):
    for role in nodes.kills:
        assert nodes.end(getattr(nodes, role)) == 0, role


def main():
    folder = tempfile.mkdtemp(prefix="lpd-kill-")
    with Killed(folder, GoodRunner()) as nodes:
        bad = each(globals(), nodes)
    if bad:
        print(f"KILL_SEED={SEED}; kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
