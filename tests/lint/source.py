"""source - the tree as the lints see it: files, text without comments, functions, exceptions."""
import functools
import os
import re
import subprocess

TOP = os.environ.get("LINT_TOP") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@functools.lru_cache(None)
def files():
    """Every file that git holds or would take; outside a checkout, every file but build output."""
    git = subprocess.run(["git", "-c", f"safe.directory={TOP}", "ls-files", "-co", "--exclude-standard"],
                         cwd=TOP, capture_output=True, text=True)
    if git.returncode == 0:
        found = git.stdout.splitlines()
    else:
        found = [os.path.relpath(os.path.join(d, f), TOP) for d, _, fs in os.walk(TOP) for f in fs]
        found = [f for f in found if not f.startswith(("build/", ".git/", "demo/"))]
    return sorted(f for f in set(found) if os.path.isfile(os.path.join(TOP, f)))


def c_files(*folders):
    return [f for f in files() if f.endswith((".c", ".h")) and f.startswith(folders)]


@functools.lru_cache(None)
def text(path):
    with open(os.path.join(TOP, path), errors="replace") as file:
        return file.read()


def blank(match):
    """Spaces in place of what was matched, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


@functools.lru_cache(None)
def code(path):
    """The text without comments and without what stands in quotes (#include "x" keeps its name)."""
    bare = re.sub(r"/\*.*?\*/", blank, text(path), flags=re.S)
    return re.sub(r'(?<!include )"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, bare)


def includes(path):
    """(line, name) of each #include; name as written between <> or \"\"."""
    for number, line in enumerate(code(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1)


def functions(path):
    """(name, first line, text of its body, arguments): kernel style makes it easy, a function
    opens with { and closes with } in the first column."""
    lines = code(path).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{" and start is None:
            start = number
        elif line.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and lines[head - 1].strip() and not re.match(r"[}#]|.*;\s*$", lines[head - 1]):
                head -= 1
            signature = " ".join(lines[head:start - 1])
            match = re.search(r"(\w+)\s*\(", signature)
            if match:
                body = "".join(f"{at}\n" for at in lines[start:number - 1])
                yield match.group(1), head + 1, body, arguments(signature[match.end() - 1:])
            start = None


def complexity(body):
    """The ways that fork in a function, and one (McCabe): each if, loop and ?: is one, a switch is one as a table is."""
    return 1 + len(re.findall(r"\b(?:if|for|while|switch|lp_list_each|json_\w+_foreach)\s*\(|\?", body))


def arguments(parenthesised):
    depth = count = 0
    inside = ""
    for char in parenthesised:
        depth += (char == "(") - (char == ")")
        if depth == 0:
            break
        count += char == "," and depth == 1
        inside += char
    return 0 if inside.strip("( ") in ("", "void") else count + 1


@functools.lru_cache(None)
def exceptions():
    """{(rule, where): reason} of exceptions.txt; each line: RULE WHERE REASON."""
    found = {}
    for line in text("tests/lint/exceptions.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            rule, where, reason = line.split(None, 2)
            found[rule, where] = reason
    return found
