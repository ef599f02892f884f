#!/usr/bin/env python3
"""coverage - how much of what moves money its tests reach.  coverage.py BUILD prints the table of the pure
modules of src/eth and src/pay, and of eth/key, and ends with 1 when one has less than 95 % of its lines or branches.

Left out are the branches of lp_assert: the way into a bug that no test can take.  The tests of BUILD were run before."""
import json
import subprocess
import sys

LEAST = 95.0


def measured(build):
    command = ["gcovr", "-r", ".", "--object-directory", build, "-f", "src/(eth|pay)/", "--exclude-unreachable-branches",
               "--exclude-branches-by-pattern", r".*\blp_assert\(.*", "--json-summary"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["files"]


def wanted():
    with open("tests/lint/pure.txt") as file:
        pure = [line.strip() for line in file if line.startswith(("eth/", "pay/"))]
    return {f"src/{module}.c" for module in pure + ["eth/key"]}


def part(covered, total):
    return 100.0 * covered / total if total else 100.0


def main(build):
    bad = 0
    modules = wanted()
    rows = sorted((row for row in measured(build) if row["filename"] in modules), key=lambda row: row["filename"])
    if not rows:
        print("not ok coverage of eth and pay - nothing was measured")
        return 1
    for row in rows:
        name = row["filename"]
        lines = part(row["line_covered"], row["line_total"])
        branches = part(row["branch_covered"], row["branch_total"])
        good = lines >= LEAST and branches >= LEAST
        bad += not good
        print(f"{'ok' if good else 'not ok'} coverage of {name} - lines {lines:5.1f} % of {row['line_total']}, "
              f"branches {branches:5.1f} % of {row['branch_total']}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "build/coverage"))
