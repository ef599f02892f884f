#!/usr/bin/env python3
"""test_command_line - what lpd says and how it ends when it is called by hand, mistakes included."""
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
sys.exit(bad)
