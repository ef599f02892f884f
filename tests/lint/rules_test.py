#!/usr/bin/env python3
"""rules_test - each rule of rules.py refuses what it should: a small bad tree for each."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GOOD = "/* base/good - fine. */\n#ifndef LPD_BASE_GOOD_H\n#define LPD_BASE_GOOD_H\n#endif\n"
LONG = "int lp_long(void)\n{\n" + "\treturn 0;\n" * 61 + "}\n"

# Rule, file, its text, what the rule must say.
BAD = [
    ("layers", "src/base/a.c", "#include <lpd/market/select.h>\n", "market/ stands below base/"),
    ("layers", "include/lpd/io/a.h", "#include <lpd/role/node.h>\n", "stands below io/"),
    ("layers", "src/runner/a.c", "#include <lpd/role/gateway.h>\n", "runner/ may not include"),
    ("layers", "src/role/a.c", '#include "market/select_priv.h"\n', "entered by <lpd/...> only"),
    ("libraries", "src/role/a.c", "#include <uv.h>\n", "belongs to src/io/"),
    ("libraries", "tests/sim/a.c", "#include <curl/curl.h>\n", "belongs to src/io/"),
    ("port", "src/io/a.c", '#include "port/conn.h"\n', "private to src/io/port/"),
    ("pure", "src/market/select.c", "#include <lpd/io/loop.h>\n", "is pure"),
    ("pure", "src/market/select.c", "int f(void)\n{\n\treturn lp_mono(0);\n}\n", "no lp_mono()"),
    ("sizes", "src/base/a.c", "\n" * 701, "701 lines"),
    ("sizes", "src/base/a.c", LONG, "lp_long: 61 lines"),
    ("sizes", "src/base/a.c", "void f(int a, int b, int c, int d, int e, int (*g)(int, int))\n{\n}\n", "6 arguments"),
    ("columns", "src/base/a.c", ("\t" * 14 + "int abcd;\n") * 301, "121 columns"),
    ("columns", "tests/unit/base/a.c", ("x" * 141 + "\n") * 301, "141 columns"),
    ("forks", "src/base/a.c", "int f(int a)\n{\n" + "\tif (a)\n\t\ta = a ? 1 : 2;\n" * 6 + "}\n", "f: complexity 13"),
    ("tables", "include/lpd/options/options.def", 'X(NOBODYS, "nobodys", TEXT)\n', "nothing in src/ uses it"),
    ("banned", "src/base/a.c", "x = strcpy(a, b);\n", "strcpy( is banned"),
    ("banned", "src/base/a.c", "t = time(NULL);\n", "lp_wall"),
    ("banned", "src/base/a.c", "int a; // why\n", "// comment"),
    ("banned", "src/base/a.c", "typedef struct a b;\n", "typedef"),
    ("clocks", "src/base/a.c", "clock_gettime(CLOCK_REALTIME, &t);\n", "use lp_mono or lp_wall"),
    ("headers", "include/lpd/base/a.h", "int x;\n", "does not open with"),
    ("headers", "include/lpd/base/a.h", "/* base/a - it. */\n", "guard"),
    ("places", "docs/a.md", "see https://registry." + "npmjs" + ".org/x\n", "npmjs"),
    ("places", "dev", "cd " + "/root" + "/lpd\n", "/root/"),
    ("marks", "src/base/a.c", "/* TO" + "DO later */\n", "TO" + "DO"),
    ("proofs", "docs/a.md", "see `tests/unit/a.c: it_works`\n", "there is no tests/unit/a.c"),
    ("proofs", "docs/a.md", "see `tests/lint/pure.txt: it_works`\n", "has no it_works"),
    ("exceptions", "tests/lint/exceptions.txt", "sizes src/base/none.c it was long once\n", "is not needed"),
]
# What looks bad and is not.
FINE = [
    ("banned", "src/base/a.c", '/* strcpy() is banned */ char *s = "goto x; // strcpy(";\n'),
    ("banned", "src/base/a.c", "t = lp_time(0); x.gets(1); p->rand(); my_rand();\n"),
    ("sizes", "src/base/a.c", "void f(void (*g)(int, int, int, int, int, int))\n{\n}\n"),
    ("columns", "tests/unit/base/a.c", "x" * 140 + "\n"),
    ("forks", "src/base/a.c", "int f(int a)\n{\n" + "\t/* if (a) */ lp_gif(a);\n" * 20 + "}\n"),
    ("layers", "src/io/a.c", '#include <lpd/base/str.h>\n#include "call_wire.h"\n'),
    ("libraries", "src/io/port/a.c", "#include <uv.h>\n"),
    ("proofs", "docs/a.md", "see `tests/lint/pure.txt: market/select`\n"),
]


def check(rule, path, text):
    with tempfile.TemporaryDirectory() as top:
        for name, words in {"tests/lint/exceptions.txt": "", "tests/lint/pure.txt": "market/select\n",
                            "include/lpd/base/good.h": GOOD, "src/io/port/conn.h": GOOD, path: text}.items():
            os.makedirs(os.path.dirname(os.path.join(top, name)) or top, exist_ok=True)
            with open(os.path.join(top, name), "w") as file:
                file.write(words)
        names = [] if rule == "exceptions" else [rule]
        return subprocess.run([sys.executable, f"{HERE}/rules.py", *names], env={**os.environ, "LINT_TOP": top},
                              capture_output=True, text=True)


def main():
    bad = False
    for rule, path, text, words in BAD:
        run = check(rule, path, text)
        if run.returncode != 1 or words not in run.stdout:
            bad = True
            print(f"{rule} did not refuse {path} with {words!r}:", run.stdout, run.stderr, sep="\n")
    for rule, path, text in FINE:
        run = check(rule, path, text)
        if run.returncode != 0:
            bad = True
            print(f"{rule} refused what is fine:", run.stdout, run.stderr, sep="\n")
    return bad


if __name__ == "__main__":
    sys.exit(main())
