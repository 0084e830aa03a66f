"""Rows O and D: what a run leaves for others, and what it must not believe."""

import os
import signal

from harness import check, row, state_of, wait_until, workers


@row("O6")
def keeps_what_a_gate_refuses(bench):
    with bench.place() as place:
        recipe = place.recipe({"score": "use: toy.fail, how: gate, message: score 0.5 is below the gate 0.6", "next": "use: toy.upper, text: score"})
        place.run("run", recipe).expect(8).says("score 0.5 is below the gate 0.6")
        place.check_whole()
        check(len(place.keys()) == 1, "C1: what the gate refused is not kept, or what follows ran")
        manifest = place.manifest(place.keys()[0])
        check("below the gate" in manifest["failed"], "the manifest does not say that it failed")
        # A hit of it fails again, and what hangs on it never runs.
        place.run("run", recipe).expect(8).says("score 0.5 is below the gate 0.6")
        check(len(place.keys()) == 1, "what follows a failed gate ran")
        place.check_clean()


@row("D6")
def believes_no_file_that_changed_meanwhile(bench):
    """Replaced, appended to, rewritten in place at the same size: nothing of it may be kept."""

    def replaced(path):
        fresh = path.with_suffix(".new")
        fresh.write_text("other", encoding="utf-8")
        os.replace(fresh, path)

    def appended(path):
        with open(path, "a", encoding="utf-8") as file:
            file.write("more")

    def rewritten(path):
        times = path.stat()
        with open(path, "r+", encoding="utf-8") as file:
            file.write("xxxxx")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    for change in (replaced, appended, rewritten):
        with bench.place() as place:
            text = place.work / "input.txt"
            text.write_text("first", encoding="utf-8")
            recipe = place.recipe({"text": "use: toy.read, file: ./input.txt"})
            process = place.start("run", recipe, "--allow-inject", "--inject", "text:0:sigstop")
            worker = wait_until(lambda: workers(process.pid), 60, "no worker began")[0]
            wait_until(lambda: state_of(worker) == "T", 60, "the worker did not stop before it read")
            change(text)
            os.kill(worker, signal.SIGCONT)
            out, err = process.communicate(timeout=60)
            check(process.returncode == 9, f"{change.__name__}: exit {process.returncode}, not 9: {err.decode()}")
            check("input.txt changed while it was read" in err.decode(), f"{change.__name__}: {err.decode()}")
            check(not place.keys(), f"{change.__name__}: an entry was made of a file that changed")
            place.run("run", recipe).expect(0)
            place.check_whole()
            check(place.text("text") == text.read_text(encoding="utf-8"), f"{change.__name__}: the next run made something else")


@row("O1")
def writes_over_nothing_of_others(bench):
    """A file or folder that is there stays unless --overwrite says so; the stage's own, unchanged, counts as done; inputs never."""

    def place_with(place, text="hello", to="./out.txt"):
        return place.recipe({"text": f"use: toy.write, text: {text}", "export": f"use: toy.export, text: text, to: {to}"})

    with bench.place() as place:
        out = place.work / "out.txt"
        out.write_text("mine", encoding="utf-8")
        place.run("run", place_with(place)).expect(2).says("out.txt is there already", "--overwrite")
        check(out.read_text(encoding="utf-8") == "mine", "somebody's file was written over")
        place.run("run", place_with(place), "--overwrite").expect(0)
        check(out.read_text(encoding="utf-8") == "hello", "--overwrite did not")
        check("2 cached" in place.run("run", place_with(place)).expect(0).err, "its own file, unchanged, is not cached")
        # Its own may be replaced, somebody's change of it may not.
        place.run("run", place_with(place, "other")).expect(0)
        check(out.read_text(encoding="utf-8") == "other", "its own file was not replaced")
        out.write_text("changed", encoding="utf-8")
        place.run("run", place_with(place, "third")).expect(2).says("out.txt is there already")
        check(out.read_text(encoding="utf-8") == "changed", "a change was written over")
        out.unlink()
        out.mkdir()
        (out / "file").write_text("mine", encoding="utf-8")
        place.run("run", place_with(place, "fourth")).expect(2).says("is not empty")
        check((out / "file").read_text(encoding="utf-8") == "mine", "somebody's folder was written over")
    with bench.place() as place:
        recipe = place_with(place)
        place.run("run", recipe).expect(0)
        entry = next(place.store / key / "report" for key in place.keys() if place.manifest(key)["stage"] == "text")
        for inside in (entry, entry / "new.txt"):
            result = place.run("run", place_with(place, to=f"'{inside}'"), "--overwrite").expect(2).says("is read by this stage")
            check("export" in result.err, f"the stage is not named: {result}")
        place.check_whole()
