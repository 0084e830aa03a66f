#!/usr/bin/env python3
"""One row of the fault matrix: run.py PROGRAM PLUGINS SHIM RUN_CASES SOURCE ROW. Exit 0 passed, 1 failed, 77 skipped with its reason.

    PROGRAM    the engine, PLUGINS the folder with toy.so, SHIM the preload library
    RUN_CASES  the program that runs case folders, SOURCE the root of the source tree

A row is code, a function with @row("K1") in any file beside this one, case folders tests/cases/matrix/<row>-*, or both.
    run.py --rows SOURCE               the rows there are, a line each: NAME SECONDS, the time it may take
    run.py --files SOURCE              the files that say so
    run.py --check SOURCE NAME...      does the build know all of them, and no other?
"""

import importlib
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
import harness  # noqa: E402

CASES_SECONDS = 60
CASE = re.compile(r"^([a-z]+-?[0-9]+)-")


def row_files():
    return sorted(file for file in pathlib.Path(__file__).parent.glob("*.py") if file.stem not in ("harness", "run"))


def read_rows():
    for file in row_files():
        importlib.import_module(file.stem)


def case_rows(source):
    folders = (source / "tests/cases/matrix").iterdir()
    return {match[1].upper() for match in (CASE.match(folder.name) for folder in folders) if match}


def order(name):
    letters, number = re.fullmatch(r"([A-Z]+)-?([0-9]+)", name).groups()
    return letters, int(number)


def all_rows(source):
    """Each row with the seconds it may take."""
    seconds = {name: CASES_SECONDS for name in case_rows(source)}
    for name, functions in harness.ROWS.items():
        seconds[name] = seconds.get(name, 0) + sum(function.seconds for function in functions)
    return {name: seconds[name] for name in sorted(seconds, key=order)}


def check_rows(source, names):
    there = set(all_rows(source))
    for name in sorted(there - set(names)):
        print(f"failed: the build does not know row {name} yet: meson setup --reconfigure BUILD")
    for name in sorted(set(names) - there):
        print(f"failed: row {name} has neither code nor cases")
    return int(there != set(names))


def run_row(bench, name):
    functions = harness.ROWS.get(name, [])
    has_cases = name in case_rows(bench.source)
    if has_cases:
        root = bench.source / "tests/cases"
        subprocess.run([bench.cases, bench.program, bench.source, root, f"matrix/{name.lower()}-"], check=True)
    skipped = 0
    for function in functions:
        began = time.monotonic()
        try:
            function(bench)
        except harness.Skipped as reason:
            skipped += 1
            print(f"skipped: {function.__name__}: {reason}", flush=True)
        else:
            notes = "".join(f"; {note}" for note in bench.notes)
            print(f"passed: {function.__name__}, {time.monotonic() - began:.1f} s{notes}", flush=True)
        bench.notes.clear()
    return 77 if skipped and skipped == len(functions) and not has_cases else 0


def main():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started us may ignore it, and the program would inherit that
    words = sys.argv[1:]
    read_rows()
    if words[:1] == ["--rows"]:
        for name, seconds in all_rows(pathlib.Path(words[1])).items():
            print(name, seconds)
        return 0
    if words[:1] == ["--files"]:
        print("\n".join(map(str, [pathlib.Path(harness.__file__), *row_files()])))
        return 0
    if words[:1] == ["--check"]:
        return check_rows(pathlib.Path(words[1]), words[2:])
    *paths, name = words
    bench = harness.Bench(*[pathlib.Path(path).resolve() for path in paths])
    try:
        return run_row(bench, name)
    except (harness.Failed, subprocess.CalledProcessError) as failure:
        place = traceback.extract_tb(failure.__traceback__)
        here = next((frame for frame in reversed(place) if not frame.filename.endswith("harness.py")), place[-1])
        print(f"failed: {name}: {failure}\n  at {pathlib.Path(here.filename).name}:{here.lineno} {here.name}")
        return 1
    except Exception:  # noqa: BLE001  a fault of the test itself
        traceback.print_exc(file=sys.stdout)
        return 1


if __name__ == "__main__":
    sys.exit(main())
