#!/usr/bin/env python3
"""One row of the fault matrix: run.py PROGRAM PLUGINS SHIM RUN_CASES SOURCE ROW. Exit 0 passed, 1 failed, 77 skipped with its reason.

    PROGRAM    the engine, PLUGINS the folder with toy.so, SHIM the preload library or `none`
    RUN_CASES  the program that runs case folders, SOURCE the root of the source tree

A row is code in one of the files beside this one, case folders tests/cases/matrix/<row>-*, or both.
    run.py --rows SOURCE NAME...    are these all the rows there are?
"""

import pathlib
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
import harness  # noqa: E402

import disk  # noqa: E402, F401
import kill  # noqa: E402, F401
import places  # noqa: E402, F401
import ranks  # noqa: E402, F401
import signals  # noqa: E402, F401
import store  # noqa: E402, F401
import terminal  # noqa: E402, F401
import trust  # noqa: E402, F401


def case_rows(source):
    return {folder.name.split("-")[0].upper() for folder in (source / "tests/cases/matrix").iterdir()}


def check_rows(source, names):
    there = case_rows(source) | set(harness.ROWS)
    for name in sorted(there - set(names)):
        print(f"failed: row {name} is in no list of tests/matrix/meson.build")
    for name in sorted(set(names) - there):
        print(f"failed: row {name} has neither code nor cases")
    return int(there != set(names))


def run_row(bench, name):
    functions = harness.ROWS.get(name, [])
    if name in case_rows(bench.source):
        root = bench.source / "tests/cases"
        subprocess.run([bench.cases, bench.program, bench.source, root, f"matrix/{name.lower()}-"], check=True)
    skipped = []
    for function in functions:
        began = time.monotonic()
        try:
            function(bench)
        except harness.Skipped as reason:
            skipped.append(f"{function.__name__}: {reason}")
            print(f"skipped: {function.__name__}: {reason}")
        else:
            print(f"passed: {function.__name__} in {time.monotonic() - began:.1f} s {'; '.join(bench.notes)}", flush=True)
        bench.notes.clear()
    return 77 if skipped and len(skipped) == len(functions) and name not in case_rows(bench.source) else 0


def main():
    words = sys.argv[1:]
    if words[:1] == ["--rows"]:
        return check_rows(pathlib.Path(words[1]), words[2:])
    program, plugins, shim, cases, source, name = words
    bench = harness.Bench(program, pathlib.Path(plugins), None if shim == "none" else shim, cases, pathlib.Path(source))
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
    tempfile.tempdir = tempfile.gettempdir()
    sys.exit(main())
