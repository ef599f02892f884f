#!/usr/bin/env python3
"""rules - the house rules that a program can check.  rules.py [RULE...] checks all or the named ones.

Each rule is a function: its first line says what must hold, it yields (path, line, words) where it does not.
An exception is a line in exceptions.txt, with its reason; one that is no longer needed is a fault as well."""
import re
import sys

from source import c_files, code, complexity, exceptions, files, functions, includes, text

# Folders of src/ in their order: each may include itself and those before it.
ORDER = ["base", "options", "proto", "io", "eth", "pay", "money", "market", "run", "live", "front", "node", "role", "cli", "main"]
# Executables of their own beside lpd: what they may include.
BESIDE = {
    "runner": ["base/", "options/", "io/", "market/pipeline.h", "market/request.h", "runner/"],
    "media": ["base/", "options/", "io/", "media/"],
}
LIBRARIES = ("uv.h", "curl/", "nghttp2/", "llhttp.h", "openssl/ssl.h", "openssl/err.h", "sqlite3.h")
# src/runner and src/media hold engines of their own and speak HTTP through io as everybody does.
BANNED = {
    r"(?:strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|rand|srand|alloca|localtime|gmtime|setjmp)\s*\(":
        "is banned",
    r"time\s*\(\s*(?:NULL|0|&)": "is banned: lp_wall() or lp_mono()",
    r"goto\s+\w+\s*;": "is banned",
}
# Tests are lists of cases and may be longer.
# Lines of a file, lines of a function, columns of a line with tabs of 8.
LIMITS = {"src": (700, 60, 120), "include": (150, 60, 120), "tests": (1200, 100, 140)}
ARGUMENTS = 5
LONGER = 110    # lines that were longer when the rule came, and some; this number only falls
COMPLEXITY = 12


def folder(path):
    """The place of a file in ORDER: include/lpd/io/x.h and src/io/port/x.c are both "io"."""
    parts = path.split("/")
    if parts[0] == "include":
        parts = parts[1:]
    return parts[1] if len(parts) > 2 else parts[-1].split(".")[0]


def layers():
    """a folder includes only itself and what stands above it; nothing includes runner/ or media/"""
    for path in c_files("src/", "include/lpd/"):
        here = folder(path)
        for line, name in includes(path):
            if not name.startswith("lpd/"):
                if name.count("/") and not name.startswith("../") and name.split("/")[0] in ORDER[4:]:
                    yield path, line, f'"{name}": a folder is entered by <lpd/...> only'
                continue
            there = folder("include/" + name)
            if here in BESIDE:
                if not name[4:].startswith(tuple(BESIDE[here])):
                    yield path, line, f"{here}/ may not include <{name}>"
            elif here not in ORDER or there not in ORDER:
                yield path, line, f"<{name}>: {here} or {there} has no place in the order of folders"
            elif ORDER.index(there) > ORDER.index(here):
                yield path, line, f"<{name}>: {there}/ stands below {here}/"


def libraries():
    """only src/io/ includes the headers of uv, curl, nghttp2, llhttp, OpenSSL's SSL and SQLite"""
    for path in c_files("src/", "include/", "tests/sim/", "tests/support/sim/"):
        if not path.startswith("src/io/"):
            for line, name in includes(path):
                if name.startswith(LIBRARIES):
                    yield path, line, f"<{name}> belongs to src/io/"


def port():
    """what the simulator replaces (src/io/port) is private: no other folder and no simulation sees its headers"""
    private = {f.rsplit("/", 1)[1] for f in c_files("src/io/port/") if f.endswith(".h")}
    for path in c_files("src/", "include/", "tests/sim/", "tests/support/sim/"):
        if not path.startswith("src/io/port/"):
            for line, name in includes(path):
                if "port/" in name or ("/" not in name and name in private):
                    yield path, line, f'"{name}" is private to src/io/port/'


def pure():
    """modules named in pure.txt include nothing of io/ and read no clock"""
    for module in text("tests/lint/pure.txt").split("\n"):
        module = module.split("#")[0].strip()
        for path in [f"src/{module}.c", f"include/lpd/{module}.h"] if module else []:
            if path not in files():
                continue
            for line, name in includes(path):
                if name.startswith(("lpd/io/", "lpd/run/", "lpd/role/", "time.h", "sys/socket", "sys/time", "unistd.h")):
                    yield path, line, f"{module} is pure: no <{name}>"
            for match in re.finditer(r"\b(lp_mono|lp_wall|lp_random\w*|fopen|open|read|write|socket)\s*\(", code(path)):
                yield path, code(path)[:match.start()].count("\n") + 1, f"{module} is pure: no {match.group(1)}()"


def sizes():
    """a file has at most 700 lines, a public header 150, a function 60 and 5 arguments; tests 1200 and 100"""
    for path in c_files("src/", "include/", "tests/"):
        length, most = text(path).count("\n"), LIMITS[path.split("/")[0]]
        if length > most[0]:
            yield path, 1, f"{length} lines, at most {most[0]}"
        for name, line, body, arguments in functions(path) if path.endswith(".c") else ():
            lines = body.count("\n")
            if lines > most[1]:
                yield f"{path}:{name}", line, f"{lines} lines, at most {most[1]}"
            if arguments > ARGUMENTS:
                yield f"{path}:{name}", line, f"{arguments} arguments, at most {ARGUMENTS}"


def columns():
    """a line has at most 120 columns, with tabs of 8; in tests 140; the few that are longer do not become more"""
    long = []
    for path in c_files("src/", "include/", "tests/"):
        most = LIMITS[path.split("/")[0]][2]
        for number, line in enumerate(text(path).splitlines(), 1):
            wide = len(line.expandtabs(8))
            if wide > most:
                long.append((path, number, f"{wide} columns, at most {most}"))
    if len(long) > LONGER:
        yield from long


def forks():
    """a function of src/ has a cyclomatic complexity of at most 12 (a switch is one)"""
    for path in c_files("src/"):
        for name, line, body, _ in functions(path) if path.endswith(".c") else ():
            if complexity(body) > COMPLEXITY:
                yield f"{path}:{name}", line, f"complexity {complexity(body)}, at most {COMPLEXITY}"


def tables():
    """every row of options.def and metrics.def is used by the program"""
    used = set()
    for path in c_files("src/"):
        used.update(re.findall(r"\bLP_(?:OPT|M)_\w+", code(path)))
    for path, prefix in ("include/lpd/options/options.def", "LP_OPT_"), ("include/lpd/base/metrics.def", "LP_M_"):
        for number, line in enumerate(text(path).splitlines() if path in files() else (), 1):
            match = re.match(r"X\((\w+)", line)
            if match and prefix + match.group(1) not in used:
                yield f"{path}:{match.group(1)}", number, "nothing in src/ uses it"


def banned():
    """no function that cannot be used safely, no goto, no // comment, no typedef of a struct"""
    for path in c_files("src/", "include/", "tests/"):
        for number, line in enumerate(code(path).splitlines(), 1):
            for pattern, words in BANNED.items():
                match = re.search(r"(?<![\w.>])" + pattern, line)
                if match:
                    yield path, number, f"{match.group(0)} {words}"
            if re.search(r"(?<!:)//", line):
                yield path, number, "// comment: use /* */"
            if re.match(r"\s*typedef\s+(struct|union|enum)\b", line):
                yield path, number, "typedef of a struct, union or enum"


def clocks():
    """only the loop asks the system for the time"""
    for path in c_files("src/", "include/"):
        if path != "src/io/port/loop.c":
            for match in re.finditer(r"\b(clock_gettime|gettimeofday|uv_now|uv_hrtime)\s*\(", code(path)):
                yield path, code(path)[:match.start()].count("\n") + 1, f"{match.group(1)}(): use lp_mono or lp_wall"


def headers():
    """a header opens with "folder/name - sentence" and is guarded by its own name"""
    for path in c_files("src/", "include/lpd/"):
        if not path.endswith(".h"):
            continue
        inner = path.split("/", 2 if path.startswith("include") else 1)[-1]
        names = {inner[:-2], inner[:-2].replace("io/port/", "io/"), inner[:-2].split("/")[-1]}
        match = re.match(r"/\* ([\w/]+) - \S", text(path))
        if path.endswith("_priv.h") and text(path).startswith("/* "):
            pass        # shared by the files of one folder: a sentence is enough
        elif not match or match.group(1) not in names:
            yield path, 1, f'does not open with "/* {inner[:-2]} - what it is"'
        if not re.search(r"#ifndef LPD_\w+_H\n#define LPD_\w+_H\n", text(path)):
            yield path, 1, "has no #ifndef LPD_..._H guard"


def places():
    """no file names a path of somebody's machine or the host of a package registry"""
    hosts = r"(?:pypi|npmjs|debian|ubuntu|crates|golang|maven|pythonhosted)\.(?:org|com|io)"
    machine = r"(?<![\w.$}/-])/(?:wor[k]|far[m]|root)/"
    for path in files():
        if path.endswith((".png", ".bin", ".jpg", ".webp", ".pb")) or "/corpus/" in path:
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            match = re.search(f"{hosts}|{machine}|\\.\\./share[d]/", line)
            if match and not path.startswith("tests/lint/"):
                yield path, number, f"names {match.group(0)}"


def marks():
    """no marks of unfinished work"""
    for path in files():
        if path.startswith(("src/", "include/", "dev", ".ci/")):
            for number, line in enumerate(text(path).splitlines(), 1):
                match = re.search(r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b", line)
                if match:
                    yield path, number, match.group(0)


def proofs():
    """each test that a document names as `tests/FILE: NAME` is there"""
    present = set(files())
    for path in files():
        if not path.startswith("docs/"):
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            for test, name in re.findall(r"`(tests/[\w./]+): ([^`]+)`", line):
                if test not in present:
                    yield path, number, f"there is no {test}"
                elif name not in text(test):
                    yield path, number, f"{test} has no {name}"


RULES = [layers, libraries, port, pure, sizes, columns, forks, tables, banned, clocks, headers, places, marks, proofs]


def main(names):
    bad, used = False, set()
    for rule in RULES:
        if names and rule.__name__ not in names:
            continue
        faults = []
        for where, line, words in rule():
            if (rule.__name__, where) in exceptions():
                used.add((rule.__name__, where))
            else:
                path, _, name = where.partition(":")
                faults.append(f"{path}:{line}: {name + ': ' if name else ''}{words}")
        print(*faults, sep="\n", end="\n" if faults else "")
        print("not ok" if faults else "ok", f"{rule.__name__} - {rule.__doc__}")
        bad |= bool(faults)
    if not names:
        stale = [f"tests/lint/exceptions.txt: {rule} {where} is not needed" for rule, where in set(exceptions()) - used]
        print(*stale, sep="\n", end="\n" if stale else "")
        print("not ok" if stale else "ok", "exceptions - each exception is needed")
        bad |= bool(stale)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
