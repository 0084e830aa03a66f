"""Rows C: the store, shared by several engines, damaged, on file systems whose locks lie; and what makes a key."""

import os
import signal
import subprocess
import time

from harness import Failed, check, finish, row, wait_until

THREE = {
    "text": "use: toy.write, text: hello",
    "count": "use: toy.count, text: text, steps: 3, step_seconds: 0.1",
    "loud": "use: toy.upper, text: count",
}


def two_at_once(bench, rounds, **how):
    """Identical runs that start together on an empty store: both succeed, and there is one entry each."""
    for turn in range(rounds):
        with bench.place() as place:
            recipe = place.recipe(THREE)
            began = time.monotonic()
            both = [place.start("run", recipe, **how) for _ in range(2)]
            results = [finish(process, ["run", recipe], began, 90) for process in both]
            for result in results:
                result.expect(0)
            place.check_whole()
            place.check_clean(f"turn {turn}")
            check(len(place.keys()) == 3, f"turn {turn}: {len(place.keys())} entries, not 3")
            check(place.text("loud") == "STEP 1\nSTEP 2\nSTEP 3\n", f"turn {turn}: {place.text('loud')!r}")
            ran = sum(result.err.count("done     ") for result in results)
            check(ran >= 3, f"turn {turn}: {ran} stages were made")
    bench.note(f"{rounds} pairs")


@row("C-1")
def two_engines_make_one_entry(bench):
    two_at_once(bench, 50 if bench.exhaustive else 5)


@row("C-1")
def the_second_waits_for_the_first_one_who_is_killed(bench):
    with bench.place() as place:
        recipe = place.recipe({"count": "use: toy.count, steps: 60, step_seconds: 0.1"})
        first = place.start("run", recipe)
        wait_until(lambda: list(place.saved_states()), 60, "the first one saved nothing")
        told = place.folder / "told"
        began = time.monotonic()
        with open(told, "wb") as err:
            second = place.start("run", recipe, stderr=err)
        wait_until(lambda: f"process {first.pid}" in told.read_text(), 60, f"the second waits for the first: {told.read_text()}")
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
        finish(second, ["run", recipe], began, 60).expect(0)
        place.check_whole()
        place.check_clean()
        logs = list(place.work.glob("runs/r/*/logs/count/rank-0000.log"))
        check(any("going on after step" in log.read_text(encoding="utf-8") for log in logs), f"the second began again: {told.read_text()}")


@row("C-2")
def locks_that_lie_change_nothing(bench):
    two_at_once(bench, 50 if bench.exhaustive else 4, FAULT_FLOCK="noop")


def damages(place, key):
    text = place.store / key / "report/text.txt"
    manifest = place.store / key / "manifest.json"

    def open_up():
        for path in (place.store / key, text.parent, text, manifest):
            os.chmod(path, path.stat().st_mode | 0o200)

    def flip():
        data = bytearray(text.read_bytes())
        data[0] ^= 1
        times = text.stat()
        text.write_bytes(data)
        os.utime(text, ns=(times.st_atime_ns, times.st_mtime_ns))

    yield "flip", False, open_up, flip
    yield "delete", True, open_up, text.unlink
    yield "cut", True, open_up, lambda: os.truncate(text, 1)
    yield "delete the manifest", True, open_up, manifest.unlink
    yield "empty the manifest", True, open_up, lambda: os.truncate(manifest, 0)
    yield "cut the manifest", True, open_up, lambda: os.truncate(manifest, manifest.stat().st_size // 2)
    yield "swap for a link", True, open_up, lambda: (text.unlink(), text.symlink_to("/etc/hostname"))


@row("C-4")
def a_damaged_entry_is_made_again(bench):
    """Sizes at every hit, contents with --verify; either way the run succeeds and the entry is whole again."""
    for which in range(7):
        with bench.place() as place:
            recipe = place.recipe({"text": "use: toy.write, text: hello", "loud": "use: toy.upper, text: text"})
            place.run("run", recipe).expect(0)
            expected = place.digests()
            key = next(key for key in place.keys() if place.manifest(key)["stage"] == "text")
            name, seen_by_size, open_up, damage = list(damages(place, key))[which]
            open_up()
            damage()
            if not seen_by_size:
                check(place.run("store", "verify").code == 9, f"{name}: store verify finds nothing")
            result = place.run("run", recipe, *([] if seen_by_size else ["--verify"])).expect(0)
            check("warning" in result.err, f"{name}: nothing is said: {result}")
            place.check_whole()
            check(place.digests() == expected, f"{name}: something else came out")
            place.check_clean(name)


@row("C-4")
def permissions_of_an_entry(bench):
    """An entry that somebody made writable is still what it is; one that nobody may read is an error that says so, or made again."""
    with bench.place() as place:
        recipe = place.recipe({"text": "use: toy.write, text: hello", "loud": "use: toy.upper, text: text"})
        place.run("run", recipe).expect(0)
        for key in place.keys():
            for path, folders, files in os.walk(place.store / key):
                for name in [path, *(os.path.join(path, file) for file in files)]:
                    mode = os.stat(name).st_mode
                    check(mode & 0o222 == 0, f"{name} is published and writable")
                    os.chmod(name, mode | 0o200)
        place.run("run", recipe).expect(0)
        place.check_whole()


@row("C-5")
def what_makes_a_key(bench):
    """A setting, the version of a stage, a declared variable: a miss. A comment, an order, the time of an input: a hit."""
    with bench.place() as place:
        source = place.work / "in.txt"
        source.write_text("first", encoding="utf-8")
        recipe = place.recipe({"read": "use: toy.read, file: ./in.txt", "text": "use: toy.write, text: a", "seen": "use: toy.env, names: [X], env: {X: '1'}"})
        text = recipe.read_text(encoding="utf-8")
        place.run("run", recipe).expect(0)

        def misses():
            before = set(place.keys())
            place.run("run", recipe).expect(0)
            return sorted(place.manifest(key)["stage"] for key in set(place.keys()) - before)

        def expect(what, *stages):
            found = misses()
            check(found == sorted(stages), f"{what}: {found} ran again, not {sorted(stages)}")

        expect("nothing")
        recipe.write_text("# a comment\n" + text.replace("stages:", "stages:  # another"), encoding="utf-8")
        expect("a comment")
        os.utime(source, (1, 1))
        expect("the time of an input")
        os.utime(recipe, (1, 1))
        expect("the time of the recipe")
        recipe.write_text(text.replace("text: a", "text: b"), encoding="utf-8")
        expect("a setting", "text")
        recipe.write_text(text.replace("X: '1'", "X: '2'"), encoding="utf-8")
        expect("a declared variable", "seen")
        recipe.write_text(text, encoding="utf-8")
        expect("all as at first")
        source.write_text("other", encoding="utf-8")
        expect("an input", "read")


@row("C-8")
def a_live_run_folder_is_refused(bench):
    with bench.place() as place:
        recipe = place.recipe({"sleep": "use: toy.sleep, seconds: 30"})
        run = place.work / "run"
        process = place.start("run", recipe, "--run-dir", run)
        try:
            wait_until(lambda: (run / "events.jsonl").exists(), 60, "the run never began")
            seconds = []
            host = os.uname().nodename
            for words in (["run", recipe, "--run-dir", run], ["resume", run]):
                for _ in range(3):
                    result = place.run(*words).expect(9).says(f"process {process.pid}", host)
                    seconds.append(result.seconds)
            check(min(seconds) < 1, f"C4: refused after {min(seconds):.1f} s at best")
            check(process.poll() is None, "the first run ended of it")
            bench.note(f"refused in {min(seconds) * 1000:.0f} ms")
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        # Now it is a dead one's, and taken over at once.
        place.recipe({"sleep": "use: toy.sleep, seconds: 0"})
        place.run("resume", run, "--accept-changes").expect(0)


@row("C-8")
def a_dead_owner_of_another_host_is_waited_out(bench):
    """Nobody can ask whether he lives; what is asked is whether his beats change."""
    with bench.place() as place:
        recipe = place.recipe({"text": "use: toy.write, text: a"})
        run = place.work / "run"
        place.run("run", recipe, "--run-dir", run).expect(0)
        lease = next(run.glob("lease*"))
        text = lease.read_text(encoding="utf-8").replace('"free"', '"held"').replace(os.uname().nodename, "elsewhere")
        lease.write_text(text, encoding="utf-8")
        result = place.run("run", recipe, "--run-dir", run).expect(9).says("elsewhere")
        check(result.seconds < 15, f"refused only after {result.seconds:.1f} s")
        # He has not beaten for long, nor does he while we look: taken over.
        os.utime(lease, (time.time() - 3600,) * 2)
        place.run("run", recipe, "--run-dir", run).expect(0)
        # What a power cut left of a lease is nobody's.
        lease = next(run.glob("lease*"))
        lease.write_text("", encoding="utf-8")
        os.utime(lease, (time.time() - 60,) * 2)
        result = place.run("run", recipe, "--run-dir", run).expect(0)
        check(result.seconds < 15, f"an empty lease was watched for {result.seconds:.1f} s")
