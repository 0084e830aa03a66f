#!/usr/bin/env python3
"""Counts every case of every suite, from what `meson test` logged: the last line is "N passed, N failed, N skipped".

    tally.py LOG...          the logs are meson-logs/testlog.json of one or more build folders
    tally.py --rows LOG...   a line each instead: NAME PASS|FAIL|SKIP seconds, and the reason of a skip

A program says itself how many cases it ran: doctest's summary, or a closing line "N passed, N failed" (", N skipped"). One that
says nothing is one case. One that died after its summary, or ran into its time limit, is one failure more. A log that is absent
or empty is a failure: nothing was run.
"""

import json
import re
import sys

DOCTEST = re.compile(r"^\[doctest\] test cases: *\d+ \| *(\d+) passed \| *(\d+) failed \| *(\d+) skipped", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def read_log(path):
    """The tests of a log, by name: one that was run again counts once."""
    try:
        with open(path, encoding="utf-8") as lines:
            tests = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        print(f"tally: {error}", file=sys.stderr)
        return []
    return list({test["name"]: test for test in tests}.values())


def count(test):
    """(passed, failed, skipped) of one test program."""
    result = test["result"]
    if result == "SKIP":
        return 0, 0, 1
    output = re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout") or "")
    summaries = [*DOCTEST.finditer(output)] or [*PLAIN.finditer(output)][-1:]
    passed, failed, skipped = (sum(int(one[i] or 0) for one in summaries) for i in (1, 2, 3))
    good = result in ("OK", "EXPECTEDFAIL")
    if not summaries:
        return int(good), int(not good), 0
    if not good and failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    arguments = sys.argv[1:]
    rows = arguments[:1] == ["--rows"]
    logs = arguments[rows:]
    total = [0, 0, 0]
    for path in logs:
        tests = read_log(path)
        if not tests:
            total[1] += 1
            print(f"failed: no test was run, {path} is absent or empty")
        for test in tests:
            counts = count(test)
            total = [sum(pair) for pair in zip(total, counts)]
            name = test["name"].split(" / ")[-1]
            if rows:
                word = "FAIL" if counts[1] else "PASS" if counts[0] else "SKIP"
                reasons = [line for line in (test.get("stdout") or "").splitlines() if line.startswith("skipped: ")]
                print("  ".join([f"{name} {word} {test['duration']:.1f}", *reasons]))
            elif counts[1]:
                print(f"failed: {test['name']}: {counts[1]} of {sum(counts)}")
            elif counts[2]:
                print(f"skipped: {test['name']}: {counts[2]} of {sum(counts)}")
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
