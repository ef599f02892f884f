#!/usr/bin/env python3
"""story - what the nodes' logs say of their last job, for people.  story.py NAME=LOG..."""
import re
import sys

PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def last_job(path):
    """The pairs of the last line whose event is "job"."""
    found = {}
    for line in open(path, errors="replace"):
        pairs = {key: value.strip('"') for key, value in PAIR.findall(line)}
        if "trail" in pairs:
            found = pairs
    return found


for word in sys.argv[1:]:
    name, _, path = word.partition("=")
    job = last_job(path)
    if not job:
        print(f"    {name}: its log names no job ({path})")
        continue
    said = [job.get("model", "")]
    if job.get("orch"):
        said.append(f"went to {job['orch']}" + (f" ({job['why']})" if job.get("why") else ""))
    if job.get("runner"):
        said.append(f"ran at {job['runner']}")
    if job.get("tries"):
        said.append(f"{job['tries']} " + ("try" if job["tries"] == "1" else "tries"))
    if job.get("ms"):
        said.append(f"{job['ms']} ms in all")
    print(f"    {name + ':':14} {', '.join(filter(None, said))}")
    print(f"    {'':14} {job['trail'].replace(' > ', ', ')}")
