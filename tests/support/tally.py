#!/usr/bin/env python3
"""tally - turn what test programs print into one result per test, and count them.

    tally.py ctest JUNIT CONFIG    read ctest's report: cmocka tests one by one
    tally.py lines NAME LOG RC     read a script's lines: "ok WORDS", "not ok WORDS", "skip WORDS: REASON"
    tally.py one NAME RC LOG       one result: 0 passed, 77 skipped (last line says why), else failed
    tally.py sum RESULTS           print what failed and was skipped, and last the count

A result is a line: pass|fail|skip TAB test TAB configuration TAB why.  A test that several configurations
(gcc, sanitizers) run is counted once; it has passed if it passed wherever it ran.
Output of tests that failed goes to stderr at once, so that a log can be read from top to bottom."""
import os
import re
import sys
import xml.etree.ElementTree as xml

CMOCKA = re.compile(r"\[( RUN      |       OK |  FAILED  |  SKIPPED )\] ([A-Za-z_]\w*)\s*$")
SCRIPT = re.compile(r"^(ok|not ok|skip)\b[ -]*(.*)$")


def result(status, test, config, why=""):
    print(status, test, config, " ".join(why.split()), sep="\t")


def show(test, config, output):
    tail = output.rstrip().splitlines()[-60:]
    print(f"--- failed: {test} ({config})", *tail, "---", sep="\n", file=sys.stderr)


def cmocka_results(output):
    """{test: (status, why)} of one program; a test that began and never ended has failed."""
    found, why = {}, ""
    for line in output.splitlines():
        said = re.search(r"\b(?:SKIP|[Ss]kipped):? (.+)", line)
        if said and "[  SKIPPED" not in line:
            why = said.group(1)
        match = CMOCKA.search(line)
        if not match:
            continue
        what, test = match.group(1).strip(), match.group(2)
        if what == "RUN":
            found.setdefault(test, ("fail", "did not end"))
            why = ""
        elif what == "OK":
            found[test] = ("pass", "")
        elif what == "FAILED":
            found[test] = ("fail", "")
        elif found.get(test, ("",))[0] != "skip":
            found[test] = ("skip", why or "no reason given")
    return found


def ctest(report, config):
    if not os.path.exists(report):
        return      # a build without tests
    for case in xml.parse(report).getroot().iter("testcase"):
        program, output = case.get("name"), case.findtext("system-out") or ""
        died = case.get("status") != "run"
        tests = cmocka_results(output)
        for test, (status, why) in tests.items():
            result(status, f"{program}: {test}", config, why)
        if died and not any(status == "fail" for status, _ in tests.values()):
            failure = case.find("failure")
            why = failure.get("message") if failure is not None else case.get("status")
            result("fail", f"{program}: the program", config, why or "failed")
        elif not died and not tests:
            result("pass", program, config)
        if died:
            show(program, config, output)


def lines(name, log, rc):
    with open(log, errors="replace") as file:
        output = file.read()
    failed = found = False
    for line in output.splitlines():
        match = SCRIPT.match(line)
        if not match:
            continue
        found = True
        status = {"ok": "pass", "not ok": "fail", "skip": "skip"}[match.group(1)]
        words, _, why = match.group(2).partition(": ")
        failed |= status == "fail"
        result(status, f"{name}: {words}", "", why)
    if rc == "77" and not found:
        result("skip", name, "", output.strip().splitlines()[-1] if output.strip() else "no reason given")
    elif rc not in ("0", "77") and not failed:
        failed = True
        result("fail", f"{name}: the script", "", f"exit status {rc}")
    elif not found:
        result("pass", name, "")
    if failed:
        show(name, "script", "\n".join(line for line in output.splitlines() if not line.startswith("ok ")))


def one(name, rc, log):
    with open(log, errors="replace") as file:
        output = file.read()
    if rc == "77":
        result("skip", name, "", output.strip().splitlines()[-1] if output.strip() else "no reason given")
    else:
        result("pass" if rc == "0" else "fail", name, "")
    if rc not in ("0", "77"):
        show(name, "check", output)


def total(results):
    worst = {}      # test: (rank, configurations, why); failed beats passed beats skipped
    rank = {"skip": 0, "pass": 1, "fail": 2}
    for row in open(results, errors="replace").read().splitlines():
        status, test, config, why = row.split("\t")
        old = worst.get(test, (-1, [], ""))
        if rank[status] > old[0]:
            worst[test] = (rank[status], [config], why)
        elif rank[status] == old[0]:
            old[1].append(config)
    counts = {"skip": 0, "pass": 0, "fail": 0}
    for test, (status, configs, why) in sorted(worst.items(), key=lambda row: row[1][0]):
        word = list(rank)[status]
        counts[word] += 1
        where = ", ".join(filter(None, configs))
        if word == "skip":
            print(f"SKIP {test}: {why}")
        elif word == "fail":
            print(f"FAIL {test}{' in ' + where if where else ''}{': ' + why if why else ''}")
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"{counts['pass']} passed, {counts['fail']} failed{skipped}")
    return 1 if counts["fail"] or not counts["pass"] else 0


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    sys.exit({"ctest": ctest, "lines": lines, "one": one, "sum": total}[what](*rest))
