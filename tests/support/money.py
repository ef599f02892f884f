"""money - a pair that pays: a private ledger of this machine, and a gateway whose account has something on it."""
import json
import pathlib
import sqlite3
import subprocess

from nodes import LPD, Pair

ETH = 10**18


def lpd(*words, timeout=60):
    """What a subcommand says; its failure is an exception with its words."""
    run = subprocess.run([LPD, *map(str, words)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    if run.returncode:
        raise RuntimeError(f"lpd {' '.join(map(str, words))}: {run.returncode}: {run.stderr}{run.stdout}")
    return run.stdout


def new_account(data_dir):
    """Its address; the key is without a password, and so opened at once."""
    return json.loads(lpd("eth", "account", "new", "-dataDir", data_dir, "-ethPassword=", "-json"))["address"]


def amount(blob):
    """Of a store's row: a sign, and how many times 2^-64 wei."""
    assert len(blob) == 33 and blob[0] in (0, 1), blob
    units = int.from_bytes(blob[1:], "big")
    return -units if blob[0] else units


def rows(store, sql):
    """Of a node's store, also while it runs."""
    path = pathlib.Path(store)
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


class Paid(Pair):
    """A pair on a ledger of its own.  price: wei for a unit of work; ev: what a ticket is worth; money: of the deposit
    and of the reserve, in wei."""

    def __init__(self, folder, runner_port, price=1000, ev=8000000000, money=1000 * ETH, **more):
        self.ledger = pathlib.Path(folder).resolve() / "ledger.db"
        self.price, self.ev, self.money = price, ev, money
        self.funded = False
        super().__init__(folder, runner_port, **more)

    def network(self):
        return ["-network", "local", "-ledger", self.ledger]

    def start_orchestrator(self):
        return self.node("orchestrator", "-serviceAddr", f"127.0.0.1:{self.service}", "-aiModels",
                         self.folder / "aiModels.json", *self.network(), "-pricePerUnit", self.price, "-ticketEV", self.ev)

    def start_gateway(self):
        if not self.funded:
            self.fund()
        return self.node("gateway", "-orchAddr", f"127.0.0.1:{self.service}", "-httpAddr", f"127.0.0.1:{self.http}",
                         *self.network())

    def fund(self):
        self.funded = True
        self.account = new_account(self.folder / "gateway")
        lpd("bank", "fund", self.account, self.money, self.money, "-ledger", self.ledger)

    def ledger_of(self, role):
        return json.loads(lpd("ledger", "-json", "-dataDir", self.folder / role))

    def store(self, role):
        return self.folder / role / "lpd.db"

    def bank(self):
        """(what the account has lost of its money, what the orchestrator got, how many winners were redeemed), in wei."""
        def number(sql):
            return sum(int.from_bytes(blob, "big") for row in rows(self.ledger, sql) for blob in row)
        left = number("SELECT deposit, reserve FROM sender")
        return 2 * self.money - left, number("SELECT fees FROM recipient"), rows(self.ledger, "SELECT count(*) FROM redemption")[0][0]
