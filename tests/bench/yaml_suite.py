#!/usr/bin/env python3
"""Runs a reader of ours over yaml-test-suite and judges what it says.

The suite is no part of this tree: check out branch `data` of its repository and name the folder in
STILLROOM_YAML_SUITE. Without it the test is skipped and says so.

    yaml_suite.py stillroom parse [-v]

What must hold: every invalid case is refused, no valid case is read wrongly, and of the valid cases
that lie within what recipes allow (one document, no directive, core tags, keys that are text, no tab
before a line's first character) at least LEAST are read rightly.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
LEAST = 207
CORE_TAGS = {"str", "int", "float", "bool", "null", "map", "seq"}


def cases(folder):
    for path in sorted(folder.rglob("in.yaml")):
        top = path.relative_to(folder).parts[0]
        if top not in ("name", "tags"):
            yield "/".join(path.relative_to(folder).parts[:-1]), path.parent


def documents(text):
    """The JSON values that stand one behind the other in in.json."""
    decoder, values, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        values.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return values


def value_of(events, at, inside):
    """Builds the shape of one node from test.event, noting what lies outside the rules in `inside`."""
    line = events[at]
    kind = line[:4]
    tag = re.search(r"<([^>]*)>", line.split(" :", 1)[0] if kind == "=VAL" else line)
    if tag and (not tag.group(1).startswith("tag:yaml.org,2002:") or tag.group(1)[18:] not in CORE_TAGS):
        inside["tags"] = False
    if kind in ("=VAL", "=ALI"):
        return at + 1
    end = "-MAP" if kind == "+MAP" else "-SEQ"
    at += 1
    while events[at] != end:
        if kind == "+MAP":
            key = events[at]
            if key[:4] in ("+MAP", "+SEQ"):
                inside["keys"] = False
            elif key[:4] == "=VAL":
                plain = re.search(r" :(.*)$", key)
                tagged = re.search(r"<[^>]*>", key)
                if plain and not tagged and plain.group(1) in ("", "~", "null", "Null", "NULL"):
                    inside["keys"] = False
                if tagged and tagged.group(0).endswith(":null>"):
                    inside["keys"] = False
            at = value_of(events, at, inside)
        at = value_of(events, at, inside)
    return at + 1


def is_inside(case):
    """True for the cases within the rules of recipes."""
    text = (case / "in.yaml").read_bytes().decode("utf-8")
    events = (case / "test.event").read_text(encoding="utf-8").splitlines()
    starts = [i for i, line in enumerate(events) if line.startswith("+DOC")]
    if len(starts) != 1 or re.search(r"^%(YAML|TAG|[A-Z]+ )", text, re.M) and "XLQ9" not in str(case):
        return False
    inside = {"tags": True, "keys": True}
    value_of(events, starts[0] + 1, inside)
    tab_first = re.search(r"^ *\t+ *[^\s#]", text, re.M)
    return inside["tags"] and inside["keys"] and not tab_first


def same(ours, theirs):
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return ours == theirs
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


def main():
    folder = os.environ.get("STILLROOM_YAML_SUITE", "")
    if not folder or not pathlib.Path(folder).is_dir():
        print("skipped: STILLROOM_YAML_SUITE names no folder with the suite's branch `data`")
        return SKIPPED
    verbose = "-v" in sys.argv
    program = [a for a in sys.argv[1:] if a != "-v"]
    counts = dict(invalid=0, invalid_refused=0, valid=0, read=0, unchecked=0, inside=0, inside_read=0, wrong=0)
    complaints = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, case in cases(pathlib.Path(folder)):
            recipe = pathlib.Path(scratch) / "case.yaml"
            recipe.write_bytes((case / "in.yaml").read_bytes())
            run = subprocess.run(program + [str(recipe)], capture_output=True, timeout=20)
            refused = run.returncode == 2
            if run.returncode not in (0, 2):
                complaints.append(f"{name}: exit {run.returncode}: {run.stderr.decode()}")
                continue
            reason = run.stderr.decode().splitlines()[:1]
            if (case / "error").exists():
                counts["invalid"] += 1
                counts["invalid_refused"] += refused
                if not refused:
                    complaints.append(f"{name}: invalid, but read")
                continue
            counts["valid"] += 1
            inside = is_inside(case)
            counts["inside"] += inside
            if refused:
                if inside:
                    complaints.append(f"{name}: inside the rules, but refused: {reason}")
                elif verbose:
                    print(f"{name}: outside, refused: {reason}")
                continue
            wanted = documents((case / "in.json").read_text(encoding="utf-8")) if (case / "in.json").exists() else None
            if wanted is None:
                counts["unchecked"] += 1
                counts["inside_read"] += inside
                if verbose:
                    print(f"{name}: read, and the suite has no JSON to compare with: {run.stdout.decode()!r}")
            elif len(wanted) == 1 and same(json.loads(run.stdout), wanted[0]):
                counts["read"] += 1
                counts["inside_read"] += inside
            else:
                counts["wrong"] += 1
                complaints.append(f"{name}: read wrongly: {run.stdout.decode()!r}, not {wanted!r}")
    print("\n".join(complaints))
    print(", ".join(f"{key} {value}" for key, value in counts.items()))
    green = counts["invalid"] > 0 and counts["invalid_refused"] == counts["invalid"]
    return 0 if green and counts["wrong"] == 0 and counts["inside_read"] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
