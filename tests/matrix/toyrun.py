"""The run that the rows K1, K3 and K14 break: two stages side by side, checkpoints, several files, one written outside the store.
Functions and no rows."""

import json
import os
import pathlib
import time

from harness import check, one_line_error

STAGES = {
    "text": "use: toy.write, text: hello world",
    "count": "use: toy.count, text: text, steps: 3, save_every: 1",
    "big": "use: toy.big, bytes: 20000, files: 2",
    "loud": "use: toy.upper, text: count",
    "export": "use: toy.export, text: loud, to: ./out.txt",
}
RUN = "run folder"


def whole_run(place):
    return place.recipe(STAGES, outputs="loud: loud")


def start_words(place, recipe):
    return ["run", recipe, "--run-dir", place.work / RUN]


def result_of(place):
    """All that a run leaves: the digests in the store, and the file outside."""
    return place.digests(), (place.work / "out.txt").read_bytes()


def clean_run(bench, **how):
    """What comes out where nothing goes wrong, and how many calls that takes."""
    with bench.place() as place:
        recipe = whole_run(place)
        began = time.monotonic()
        place.run(*start_words(place, recipe), fault="any:0:ENOSPC", **how).expect(0)
        seconds = time.monotonic() - began
        place.check_whole()
        return result_of(place), place.counted(), seconds


def saved_step(place):
    """The last checkpoint of the stage that counts, unless what it made is there already."""
    for state in place.saved_states():
        if not (place.store / state.parts[-3]).exists():
            return json.loads(state.read_text(encoding="utf-8"))["step"]
    return 0


def check_after(place, expected, what, power=False):
    """C1 at once, then C2: run again, or resume, with nothing cleaned up by hand; and the same comes out. A file outside the store is
    the stage's own business until the run has ended, and records are not synced: a power cut may take both."""
    place.check_whole()
    out = place.work / "out.txt"
    check(power or not out.exists() or out.read_bytes() == expected[1], f"C1: {what}: {out} is half written")
    folder = place.work / RUN
    step = saved_step(place)
    has_run = (folder / "manifest.json").exists()
    recipe = place.work / "r.yaml"
    how = ["resume", folder] if has_run and place.odd else start_words(place, recipe)
    again = place.run(*how)
    check(again.code == 0, f"C2: {what}: the next {how[0]} fails: {again}")
    check(result_of(place) == expected, f"C2: {what}: something else came out")
    place.check_whole()
    if not power:  # the mark of published work is not synced: without it the work waits for gc
        place.check_clean(what)
    check_run_folder(place, what, power)
    if step:
        log = (folder / "logs/count/rank-0000.log").read_text(encoding="utf-8") if (folder / "logs/count").is_dir() else ""
        check(f"going on after step {step}" in log, f"C2: {what}: step {step} was saved, and counting did not go on there: {log[-600:]}")
    if not place.bench.exhaustive:
        cached = place.run(*start_words(place, recipe)).expect(0)
        check("5 cached" in cached.err, f"{what}: not all is cached in the end: {cached}")


def check_run_folder(place, what, power=False):
    """Whole lines, whole files, links that lead somewhere, nothing half written."""
    folder = place.work / RUN
    place.events(folder)
    left = []
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            one = pathlib.Path(path, name)
            if name.endswith((".tmp", ".new")) or (one.is_symlink() and not one.exists()):
                left.append(str(one.relative_to(folder)))
            elif one.suffix == ".json" and not (power and name == "job.json"):
                json.loads(one.read_text(encoding="utf-8"))
    check(not left, f"{what}: left in the run folder: {left}")


def check_failed(result, struck, what):
    """K3: exit 4, one line that names a path, and the room that is left where that is the reason."""
    one_line_error(result)
    check(result.code == 4, f"{what}: exit {result.code}, not 4: {result}")
    check("/" in result.err, f"{what}: no path is named: {result}")
    if "ENOSPC" in what or "EDQUOT" in what:
        check(" free" in result.err, f"{what}: what is free is not said: {result}")
