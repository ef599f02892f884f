#!/usr/bin/env python3
"""test_command_line - what lpd says and how it ends when it is called by hand, mistakes included."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from nodes import LPD, free_port  # noqa: E402

bad = False


def lpd(*words, **environment):
    env = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), **environment}
    return subprocess.run([LPD, *words], capture_output=True, text=True, timeout=20, env=env, stdin=subprocess.DEVNULL)


def check(words, true, *shown):
    global bad
    if not true:
        bad = True
        print(*shown, sep="\n")
    print("ok" if true else "not ok", words)


def refused(words, run, *parts):
    """One sentence on stderr, exit status 1."""
    lines = run.stderr.strip().splitlines()
    check(words, run.returncode == 1 and len(lines) == 1 and all(part in run.stderr for part in parts), run)


run = lpd("-help")
check("-help shows the options", run.returncode == 0 and "-orchAddr" in run.stdout and "-aiModels" in run.stdout, run)
run = lpd("-version")
check("-version is one line", run.returncode == 0 and run.stdout.count("\n") == 1 and "lpd" in run.stdout, run)
refused("an unknown flag is one sentence", lpd("-mode", "gateway", "-orchAdr", "127.0.0.1:1"), "orchAdr")
refused("a command of lpd models that nobody knows is one sentence", lpd("models", "bogus"), "bogus")
refused("lpd models alone is one sentence", lpd("models"), "list or fetch")
refused("a command that nobody knows is one sentence", lpd("modles"), "modles")
refused("a value that is no number is one sentence", lpd("-mode", "gateway", "-maxJobs", "many"), "maxJobs")
refused("a mode that nobody knows is one sentence", lpd("-mode", "gatway"), "gatway")
refused("a node without a mode is one sentence", lpd(), "mode")
refused("a configuration file that is not there is one sentence", lpd("-config", "/nonexistent/lpd.conf"), "lpd.conf")
refused("a value from the environment names its variable", lpd("-mode", "gateway", LP_MAX_JOBS="x"), "LP_MAX_JOBS")

with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / "aiModels.json"

    def orchestrator(text):
        file.write_text(text)
        run = lpd("-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{free_port()}", "-aiModels", str(file), "-dataDir",
                  folder, "-cliAddr", f"127.0.0.1:{free_port()}")
        run.stderr = "\n".join(line for line in run.stderr.splitlines() if not line[:4].isdigit())     # not its log
        return run
    refused("aiModels.json that is no JSON is one sentence", orchestrator("[{"), "aiModels")
    refused("a model that needs a container is one sentence",
            orchestrator('[{"pipeline": "text-to-image", "model_id": "some/model", "warm": true}]'), "some/model")
    refused("a model with a mistake is named with its line",
            orchestrator('[{"pipeline": "llm",\n "model_id": "m",\n "warm": "yes"}]'), "entry 1 (line 3)", '"warm"')

    # lpd check
    file.write_text('[{"pipeline": "llm", "model_id": "m", "url": "http://127.0.0.1:8000", "capacity": 3}]')
    offer = ("-serviceAddr", "192.0.2.1:8935", "-aiModels", str(file), "-dataDir", folder + "/new")
    run = lpd("check", "-orchestrator", "-aiWorker", *offer, "-v", "6", "-monitor", "-nvidia", "0")
    check("lpd check says what a node would do and starts nothing", run.returncode == 0 and "3 at once" in run.stdout
          and "it would start" in run.stdout and "-monitor" not in run.stdout and "option=nvidia" in run.stderr
          and not (pathlib.Path(folder) / "new").exists(), run)
    refused("lpd check refuses what a start would refuse", lpd("check", "-mode", "orchestrator", *offer[2:]), "-serviceAddr")
    refused("work without own runners needs remote workers",
            lpd("check", "-mode", "orchestrator", "-aiWorker=false", *offer), "-aiWorker=false")
    refused("what would cost money when passed over is refused", lpd("-orchestrator", "-transcoder"), "-transcoder")
    refused("nobody works for nothing by mistake", lpd("-gateway", "-network", "arbitrum-one-mainnet"), "offchain")
    secret = lpd("check", "-gateway", "-orchAddr", "127.0.0.1:1", "-orchSecret", "swordfish")
    check("lpd check shows no secret", secret.returncode == 0 and "swordfish" not in secret.stdout + secret.stderr
          and "orchSecret ***" in secret.stdout, secret)

    # keys, the bank of -network local, the ledger
    ledger = ("-ledger", folder + "/ledger")
    made = lpd("eth", "account", "new", "-dataDir", folder + "/k", "-ethPassword", "swordfish", "-json")
    account = json.loads(made.stdout) if made.returncode == 0 else {"address": "", "file": folder}
    check("lpd eth account new makes a key file for its owner only", account["address"].startswith("0x")
          and os.stat(account["file"]).st_mode & 0o777 == 0o600 and "swordfish" not in made.stdout, made)
    (pathlib.Path(folder) / "key").write_text("0x" + "11" * 32 + "\n")
    one = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    taken = lpd("eth", "account", "import", folder + "/key", "-dataDir", folder + "/k", LP_ETH_PASSWORD="x")
    listed = lpd("eth", "account", "list", "-dataDir", folder + "/k", "-json")
    check("an imported key is listed beside it", one in taken.stdout
          and {a["address"] for a in json.loads(listed.stdout)} == {one, account["address"]}, taken, listed)
    check("without a password or a terminal no key is made",
          lpd("eth", "account", "new", "-dataDir", folder + "/k").returncode == 1)
    funded = lpd("bank", "fund", one, "1.5eth", "20gwei", *ledger)
    check("lpd bank fund adds to deposit and reserve", "1.5 eth" in funded.stdout and "0.00000002 eth" in funded.stdout,
          funded)
    check("funds are locked until two rounds have passed", lpd("bank", "unlock", one, *ledger).returncode == 0
          and "locked" in lpd("bank", "withdraw", one, *ledger).stderr)
    lpd("bank", "mine", str(2 * 5760), *ledger)
    check("and can be withdrawn then", "1.50000002 eth" in lpd("bank", "withdraw", one, *ledger).stdout)
    check("a wrong amount is said", "1,5eth" in lpd("bank", "fund", one, "1,5eth", *ledger).stderr)
    check("lpd ledger says where it looked", folder + "/none" in lpd("ledger", "-dataDir", folder + "/none").stderr)
    refused("-network local needs a ledger", lpd("-gateway", "-network", "local"), "-ledger")
sys.exit(bad)
