#!/usr/bin/env python3
"""tidy - clang-tidy over the C files of src/, only where something changed.  tidy.py BUILD_FOLDER JOBS

A file that passed is remembered by the hash of its preprocessed text, the checks and the tool's version."""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

from source import TOP

STAMPS = os.path.join(TOP, "build", "lint", "tidy")


def fingerprint(entry, salt):
    command = shlex.split(entry["command"])
    command = [word for word in command if word != "ccache"]
    out = command.index("-o")
    del command[out:out + 2]
    text = subprocess.run(command + ["-E", "-P"], cwd=entry["directory"], capture_output=True).stdout
    return hashlib.sha256(salt + text + " ".join(command).encode()).hexdigest()


def check(entry, build, salt):
    stamp = os.path.join(STAMPS, fingerprint(entry, salt))
    if os.path.exists(stamp):
        return ""
    run = subprocess.run(["clang-tidy", "--quiet", "-p", build, entry["file"]], cwd=TOP, capture_output=True, text=True)
    if run.returncode == 0 and "warning:" not in run.stdout:
        with open(stamp, "w") as file:
            file.write(entry["file"])
        return ""
    return run.stdout or run.stderr


def main(build, jobs):
    os.makedirs(STAMPS, exist_ok=True)
    with open(os.path.join(build, "compile_commands.json")) as file:
        entries = [e for e in json.load(file) if re.match(rf"{re.escape(TOP)}/src/", e["file"])]
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    with open(os.path.join(TOP, ".clang-tidy"), "rb") as file:
        salt = version + file.read()
    bad = False
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for words in pool.map(lambda entry: check(entry, build, salt), entries):
            bad |= bool(words)
            print(words.replace(TOP + "/", ""), end="")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
