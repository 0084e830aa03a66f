"""Rows K5, K15, K17: little memory, strange places, and many stages."""

import os
import pwd
import re
import resource
import subprocess
import threading
import time

from harness import Skipped, check, finish, one_line_error, row

STAGES = {"text": "use: toy.write, text: hello", "count": "use: toy.count, text: text, steps: 3", "loud": "use: toy.upper, text: count"}


@row("K5", seconds=200)
def address_space_stepped_down(bench):
    """Less and less memory: it runs, or says so. No crash, no hang, no entry that is not whole."""
    reached = {}
    with bench.place() as place:
        place.run("run", place.recipe(STAGES)).expect(0)
    smallest, step = 4 << 20, (1 if bench.exhaustive else 12) << 20
    for size in range(200 << 20, smallest - 1, -step):
        with bench.place() as place, bench.trying():
            recipe = place.recipe(STAGES)
            result = place.run("run", recipe, before=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)))
            reached[result.code] = reached.get(result.code, 0) + 1
            place.check_whole()
            # Where the loader cannot map the program's libraries none of its code has run: 127, or killed by the kernel before main.
            if result.code not in (127, 128 + 9, 128 + 11) or "error while loading" not in result.err and result.err:
                one_line_error(result)
                check(result.code in (0, 4), f"{size >> 20} MiB: exit {result.code}: {result}")
            place.run("run", recipe).expect(0)
            place.check_whole()
            place.check_clean(f"{size >> 20} MiB")
    bench.settle()
    check(reached.get(4, 0) > 0, f"memory never ran out: {reached}")
    bench.note(", ".join(f"{count} times exit {code}" for code, count in sorted(reached.items())))


@row("K5", seconds=400)
def every_piece_of_memory_is_refused(bench):
    """The Nth malloc fails, alone or with all after it, in the engine and in a worker: no crash, no hang, no entry that is not whole."""
    for who, budget in (("run", 12), ("--job", 4), ("--shared", 4), ("--describe", 4)):
        with bench.place() as place:
            place.run("run", place.recipe(STAGES), fault="alloc:0:ENOMEM", argv=who).expect(0)
            most = place.counted()
        check(most > 100, f"only {most} pieces of memory of {who} were counted")
        ends = {}
        for forever in ("", "+"):
            # There are ten thousands: whole is the first hundred, and as many again as the machine does in minutes.
            numbers = [*range(1, 101), *range(101, most + 1, max(1, most // 300))] if bench.exhaustive else bench.sample(most, 0.3, budget / 2)
            for number in numbers[bench.part - 1 :: bench.parts]:
                with bench.place() as place, bench.trying():
                    recipe = place.recipe(STAGES)
                    result = place.run("run", recipe, fault=f"alloc:{number}{forever}:ENOMEM", argv=who)
                    ends[result.code] = ends.get(result.code, 0) + 1
                    what = f"piece {number}{forever} of {most} of {who}"
                    check(result.code in (0, 4), f"{what}: exit {result.code}: {result}")
                    if result.code:
                        one_line_error(result)
                    place.check_whole()
                    place.run("run", recipe).expect(0)
                    place.check_whole()
        bench.settle()
        bench.note(f"{who}: {most} pieces, " + ", ".join(f"{count} times exit {code}" for code, count in sorted(ends.items())))


def runs_at(bench, place, folder, recipe=None):
    recipe = recipe or place.recipe(STAGES)
    return place.run("run", recipe, "--run-dir", folder)


@row("K15")
def places_with_strange_names(bench):
    """Spaces, UTF-8, quotes, a leading dash, line ends, as deep as a path may be."""
    deep = "/".join(["d" * 200] * 17)
    for name in ("with space", "größe-日本語", "it's \"quoted\"", "-leading", "$HOME;`id`", "a\nb", "%s{}", deep):
        with bench.place() as place:
            recipe = place.recipe(STAGES)
            store = place.folder / name / "store"
            run = place.folder / name / "run"
            made = place.run("run", recipe, "--store", store, "--run-dir", run)
            check(made.code == 0, f"{name[:20]!r}: {made}")
            again = place.run("resume", run, "--store", store)
            check(again.code == 0 and "3 cached" in again.err, f"{name[:20]!r}: {again}")
    with bench.place() as place:
        # Relative, beginning with a dash; and one that is longer than any path may be.
        place.run("run", place.recipe(STAGES), "--run-dir=-run", "--store=-store").expect(0)
        result = one_line_error(place.run("run", place.recipe(STAGES), "--run-dir", "/".join([str(place.folder), *["x" * 250] * 20])))
        check(result.code == 4, f"a path that is too long: {result}")


@row("K15")
def places_that_cannot_be_written(bench):
    if os.geteuid() != 0:
        raise Skipped("only root can make a folder that belongs to somebody else")
    nobody = pwd.getpwnam("nobody")

    def become_nobody():
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    with bench.place() as place:
        recipe = place.recipe(STAGES)
        os.chmod(place.folder, 0o755)
        for what, words in {"run folder": ["--store", "/dev/shm/stillroom-no/such"], "store": []}.items():
            result = one_line_error(place.run("run", recipe, *words, before=become_nobody, HOME="/nonexistent"))
            check(result.code == 4, f"{what} of another: {result}")
            check("Permission denied" in result.err and "/" in result.err, f"{what} of another: {result}")
        # A store that others own, with all in it: reading is enough.
        place.run("run", recipe).expect(0)
        mine = place.folder / "mine"
        mine.mkdir()
        os.chown(mine, nobody.pw_uid, nobody.pw_gid)
        place.run("plan", recipe, before=become_nobody).expect(0)


@row("K15")
def a_read_only_mount(bench):
    unshare = bench.need("unshare")
    with bench.place() as place:
        recipe = place.recipe(STAGES)
        target = place.folder / "read only"
        target.mkdir()
        script = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
        program = [unshare, "-rm", "sh", "-c", script, "sh", str(target), str(bench.program)]
        for words in (["run", str(recipe), "--run-dir", str(target / "run")], ["run", str(recipe), "--store", str(target / "store")]):
            done = subprocess.run([*program, *words], capture_output=True, text=True, env=place.environment(), cwd=place.work, timeout=60, check=False)
            if "mount:" in done.stderr or "unshare" in done.stderr:
                raise Skipped(f"nothing can be mounted here: {done.stderr.strip()}")
            check(done.returncode == 4 and "Read-only file system" in done.stderr and "read only" in done.stderr, f"exit {done.returncode}: {done.stderr}")


class Watched:
    """The most that an engine takes, looked at while it runs."""

    def __init__(self, process):
        self.memory, self.files, self.threads = [], [], []
        self.process = process
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        folder = f"/proc/{self.process.pid}"
        while self.process.poll() is None:
            try:
                with open(folder + "/status", encoding="ascii") as file:
                    text = file.read()
                self.memory.append(int(re.search(r"VmRSS:\s+(\d+)", text)[1]))
                self.threads.append(int(re.search(r"Threads:\s+(\d+)", text)[1]))
                self.files.append(len(os.listdir(folder + "/fd")))
            except (OSError, TypeError):
                pass
            time.sleep(0.05)


def grown(samples):
    """How much the last tenth stands above the second tenth, from 1: nothing."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth] or samples, samples[-tenth:]
    return max(late) / max(max(early), 1)


@row("K17", seconds=900)
def many_stages_take_no_more(bench):
    """Memory, descriptors, threads and temporary files of the engine while stage after stage runs."""
    count = 10000 if bench.exhaustive else 400
    with bench.place() as place:
        recipe = place.recipe({f"s{i}": f"use: toy.noop, name: '{i}'" for i in range(count)})
        began = time.monotonic()
        process = place.start("run", recipe, "--quiet")
        watched = Watched(process)
        result = finish(process, ["run", recipe], began, 3600).expect(0)
        watched.thread.join()
        check(len(place.keys()) == count, f"{len(place.keys())} entries of {count} stages")
        place.check_clean()
        check(grown(watched.files) < 1.5 and max(watched.files) < 60, f"descriptors grow: {watched.files[:: max(1, len(watched.files) // 10)]}")
        check(max(watched.threads) < 40, f"threads grow: {max(watched.threads)}")
        # What is told of each stage at the end is kept: some hundred bytes a stage.
        check(grown(watched.memory) < 1.05 + count * 2 / max(watched.memory), f"memory grows: {watched.memory[:: max(1, len(watched.memory) // 10)]}")
        bench.note(
            f"{count} stages in {result.seconds:.0f} s, {watched.memory[len(watched.memory) // 10]} to {watched.memory[-1]} KiB, "
            f"at most {max(watched.files)} descriptors, {max(watched.threads)} threads"
        )


@row("K17")
def many_steps_take_no_more(bench):
    """One stage of 10 000 steps: the engine that follows its records keeps none of them."""
    with bench.place() as place:
        recipe = place.recipe({"count": "use: toy.count, steps: 10000, step_seconds: 0.0005, save_every: 1000"})
        began = time.monotonic()
        process = place.start("run", recipe, "--quiet")
        watched = Watched(process)
        finish(process, ["run", recipe], began, 100).expect(0)
        watched.thread.join()
        check(grown(watched.memory) < 1.05, f"memory grows: {watched.memory[:: max(1, len(watched.memory) // 10)]}")
        check(max(watched.files) - min(watched.files) < 20, f"descriptors grow: {watched.files[:: max(1, len(watched.files) // 10)]}")
        bench.note(f"10000 steps, {watched.memory[len(watched.memory) // 10]} to {watched.memory[-1]} KiB")
