#!/usr/bin/env python3
"""symbols - what the archives of a build export and need.  symbols.py BUILD_FOLDER

Headers can be innocent and a call still go upward, and static archives would link it without a word.  So each
folder's undefined names must be found in the folders above it, as if each were a shared object linked with
-z defs; and what a folder exports must begin with lp_ (generated code has its own names)."""
import subprocess
import sys

# Folder: the folders above it.  io and io/port are one here: the simulator replaces port, both need each other.
ABOVE = {"base": "", "options": "base", "proto": "base", "io": "base options proto port", "port": "base options proto io"}
for name in ("eth", "pay", "money", "market", "run", "live", "front", "node", "role", "cli"):
    ABOVE[name] = " ".join(ABOVE)


def names(archive, *flags):
    out = subprocess.run(["nm", "-P", "-g", *flags, archive], capture_output=True, text=True).stdout
    return {line.split()[0] for line in out.splitlines() if len(line.split()) >= 2}


def main(build):
    defined, needed = {}, {}
    for folder in ABOVE:
        for archive in (f"{build}/liblpd_{folder}.a", f"{build}/src/{folder}/liblpd_{folder}.a"):
            defined.setdefault(folder, set()).update(names(archive, "--defined-only"))
            needed.setdefault(folder, set()).update(names(archive, "-u"))
    where = {name: folder for folder in ABOVE for name in defined[folder]}
    upward, foreign = [], []
    for folder, above in ABOVE.items():
        for name in sorted(needed[folder] - defined[folder]):
            if name in where and where[name] not in above.split():
                upward.append(f"{folder}/ calls {name}() of {where[name]}/, which stands below it")
            elif name.startswith("lp_") and name not in where:
                upward.append(f"{folder}/ calls {name}(), which no folder defines")
        if folder != "proto":
            foreign += [f"{folder}/ exports {name}" for name in sorted(defined[folder]) if not name.startswith("lp_")]
    for faults, words in ((upward, "calls - each folder calls only itself and those above it"),
                          (foreign, "exports - every exported name begins with lp_")):
        print(*faults, sep="\n", end="\n" if faults else "")
        print("not ok" if faults else "ok", words)
    return 1 if upward or foreign else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
