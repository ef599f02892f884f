#!/usr/bin/env python3
"""cost - what the jobs of a demo cost, for people, from both nodes' ledgers.  cost.py LPD GATEWAY-FOLDER ORCHESTRATOR-FOLDER
It ends with 1 while winners are not redeemed yet."""
import json
import subprocess
import sys


def sums(lpd, folder):
    """{kind: (gwei, tickets, lines)}"""
    run = subprocess.run([lpd, "ledger", "-dataDir", folder, "-by", "kind", "-json"], check=True, capture_output=True, text=True)
    return {row["kind"]: (int(row["wei"]) / 1e9, row["tickets"], row["lines"]) for row in json.loads(run.stdout)}


def gwei(amount):
    return f"{amount:,.1f} gwei".replace(".0 ", " ")


def some(n, word):
    return f"{n} {word}" + ("" if n == 1 else "s")


lpd, *folders = sys.argv[1:]
gateway, orchestrator = (sums(lpd, folder) for folder in folders)
none = (0, 0, 0)
paid, spent = gateway.get("paid", none), gateway.get("spent", none)
credited, earned = orchestrator.get("credited", none), orchestrator.get("earned", none)
won, redeemed = orchestrator.get("won", none), orchestrator.get("redeemed", none)
print(f"    {'gateway:':14} {some(spent[2], 'job')} cost {gwei(spent[0])}, paid by {some(paid[1], 'ticket')};"
      f" {gwei(paid[0] - spent[0])} are left as credit")
print(f"    {'orchestrator:':14} earned {gwei(earned[0])}; {won[1]} of {some(credited[1], 'ticket')} won" +
      (f", {gwei(won[0] / won[1])} each" if won[1] else " this time: luck evens out over many"))
print(f"    {'ledger:':14} {some(redeemed[1], 'winner')} redeemed, {gwei(redeemed[0])} went from the gateway's deposit to the orchestrator")
sys.exit(redeemed[1] < won[1])
