#!/usr/bin/env python3
"""test_documents - what README and docs/operating.md tell people to type does what they say, and what configs/ holds starts.

The blocks marked ```sh run of a document are one shell session with set -e, in an empty folder, where `lpd` is the program
under test and build/release its folder.  Ports are other ones than the text names, and what needs a network or a compiler
(./dev, lpd models fetch) is left out; nothing else is changed.  Each block is a test."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from nodes import LPD, TOP, Processes, ask, free_port, wait_for  # noqa: E402

DOCUMENTS = ["README.md", "docs/operating.md"]
PORTS = re.compile(r"\b(8935|9935|9443|5935|5936|7935)\b")
LEFT_OUT = re.compile(r"^\S*(?:\./dev|lpd models fetch) .*$", re.M)
BEGIN = """set -eEuo pipefail
end() { jobs -p | xargs -r kill 2>/dev/null || true; wait; }
trap end EXIT
"""
bad = False


def say(good, words, *shown):
    global bad
    bad |= not good
    if not good:
        print(*shown, sep="\n")
    print("ok" if good else "not ok", words, flush=True)


def blocks(path):
    """(line, text) of each block that is to be run."""
    text = (TOP / path).read_text()
    for match in re.finditer(r"^```sh run\n(.*?)^```$", text, re.M | re.S):
        yield text[:match.start()].count("\n") + 2, match.group(1)


def run(path):
    ports = {}
    script = BEGIN
    todo = list(blocks(path))
    for line, text in todo:
        text = LEFT_OUT.sub("", text)
        text = PORTS.sub(lambda match: str(ports.setdefault(match.group(1), free_port())), text)
        script += f"echo '== block {line}'\n{text}\necho '== done {line}'\n"
    with tempfile.TemporaryDirectory(prefix="lpd-doc-") as folder:
        programs = pathlib.Path(LPD).resolve().parent
        folder = pathlib.Path(folder)
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(programs)
        # the admin ports are defaults, which the text therefore does not give: the environment moves them
        wrapper = folder / "bin" / "lpd"
        wrapper.parent.mkdir()
        wrapper.write_text("#!/bin/sh\ncase \" $* \" in\n*' -cliAddr '*) ;;\n"
                           f"*orchestrator*) export LP_CLI_ADDR=127.0.0.1:{ports.get('7935', free_port())} ;;\n"
                           f"*gateway*) export LP_CLI_ADDR=127.0.0.1:{ports.get('5935', free_port())} ;;\nesac\n"
                           f"exec {programs}/lpd \"$@\"\n")
        wrapper.chmod(0o755)
        script = script.replace("build/release/lpd ", "lpd ")
        script = f"PATH={folder}/bin:$PATH\n" + script
        try:
            done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120,
                                  stdin=subprocess.DEVNULL)
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            output = f"{late.stdout}\n{late.stderr}\nit did not end within 120 s"
        logs = "\n".join(f"{log.name}:\n{log.read_text()}" for log in sorted(folder.glob("*.log")))
        for line, _ in todo:
            say(f"== done {line}\n" in output, f"{path}: the block at line {line} works as pasted", output, logs)
        say(todo, f"{path} has blocks to run")


def config_starts(name, *options):
    """The file as it is, but for the places that belong to a machine."""
    with tempfile.TemporaryDirectory(prefix="lpd-conf-") as folder, Processes(folder) as all_of_it:
        admin = free_port()
        node = all_of_it.start("node", LPD, "-config", TOP / "configs" / name, "-dataDir", f"{folder}/data",
                               "-cliAddr", f"127.0.0.1:{admin}", *options)
        try:
            wait_for(lambda: node.poll() is not None or alive(admin), "the node", 20)
            good = node.poll() is None and all_of_it.end(node) == 0
        except RuntimeError:
            good = False
        say(good, f"configs/{name} starts a node", (all_of_it.folder / "node.log").read_text())


def alive(port):
    try:
        return ask(f"http://127.0.0.1:{port}/healthz", timeout=2)[0] == 200
    except OSError:
        return False


def links(path):
    """What a document points to is there."""
    text = (TOP / path).read_text()
    gone = [to for to in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text) if not (TOP / path).parent.joinpath(to).exists()]
    say(not gone, f"{path}: every link leads to a file", *gone)


def unit_is_good():
    """systemd understands every line of it, and finds little that it may do."""
    if not shutil.which("systemd-analyze"):
        print("skip the unit of configs/ is understood by systemd: it is not here")
        return
    with tempfile.TemporaryDirectory(prefix="lpd-unit-") as folder:
        unit = pathlib.Path(folder) / "lpd@gateway.service"
        unit.write_text((TOP / "configs" / "lpd@.service").read_text().replace("/usr/local/bin/lpd", LPD))
        tools = [["verify", unit], ["security", "--offline=true", "--threshold=25", unit]]
        for words in tools:
            done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)
            good = done.returncode == 0 and "lpd@gateway" not in done.stderr
            say(good, f"systemd-analyze {words[0]} has nothing to say against the unit of configs/", done.stdout, done.stderr)


unit_is_good()
for document in DOCUMENTS:
    run(document)
for document in sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("docs/decisions/*.md")]):
    links(document.relative_to(TOP))
address = f"127.0.0.1:{free_port()}"
config_starts("gateway.conf", "-httpAddr", f"127.0.0.1:{free_port()}")
config_starts("orchestrator.conf", "-httpAddr", address, "-aiModels", "text-to-image:builtin/sketch:true")
config_starts("all-in-one.conf", "-serviceAddr", address, "-orchAddr", address, "-httpAddr", f"127.0.0.1:{free_port()}")
sys.exit(bad)
