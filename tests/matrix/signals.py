"""Rows K10, K11: signals in every phase, to one rank and to several. Row E1, our own: what kills an engine or a stage leaves nothing
that runs, and the exit code says what kind of end it was (spec/reliability.md, sections 2 and 3)."""

import os
import pathlib
import resource
import signal
import subprocess
import time

from harness import Skipped, check, children, finish, row, wait_until, workers
from starters import AS_ROOT, check_nothing_runs, long_recipe, mpirun, processes_of, wait_for_steps

STEPS = 60


def counting(place, **settings):
    settings = {"steps": STEPS, "step_seconds": 0.05, **settings}
    text = ", ".join(f"{name}: {value}" for name, value in settings.items())
    return place.recipe({"text": "use: toy.write, text: hello", "long": f"use: toy.count, text: text, {text}"}, "long.yaml")


def stop(place, process, *signals):
    for number in signals:
        process.send_signal(number)
    return finish(process, ["run", *(signal.Signals(number).name for number in signals)], time.monotonic(), 60)


def wait_for_standstill(place, ranks):
    """Every rank of a toy.fail that hangs has begun, and is deaf a moment later."""
    wait_until(lambda: sum('"try 1"' in log.read_text(errors="replace") for log in place.work.glob("runs/*/*/logs/*/rank-*.log")) >= ranks, 60, "all ranks have begun")
    time.sleep(0.5)


def check_resumed(place, recipe):
    """What was saved is gone on with, and comes out as if nothing had happened."""
    place.run("run", recipe).expect(0)
    check(place.text("long") == "".join(f"step {step}\n" for step in range(1, STEPS + 1)), place.text("long"))
    place.check_whole()
    place.check_clean()
    check_nothing_runs(place)


@row("K10")
def sigterm_in_the_middle_of_a_step_saves(bench):
    for ranks in (1, 2):
        with bench.place() as place:
            recipe = counting(place, ranks=ranks, save_every=1000)
            process = place.start("run", recipe)
            wait_for_steps(place, ranks)
            stop(place, process, signal.SIGTERM).expect(75).says("stopped by SIGTERM at step ", "checkpoint saved", "stillroom resume")
            check(len(place.keys()) == 1, "only the stage that had finished is published")
            latest = (place.work / "runs/long/latest").resolve()
            place.run("resume", latest).expect(0)
            check("going on after step" in (latest / "logs/long/rank-0000.log").read_text(), "the saved state was lost")
            check_resumed(place, recipe)


@row("K10")
def sigterm_while_a_state_is_written_leaves_a_valid_one(bench):
    with bench.place() as place:
        recipe = counting(place, step_seconds=0.005, steps=STEPS)
        for moment in range(3):
            process = place.start("run", recipe)
            wait_until(lambda: process.poll() is not None or workers(process.pid), 60, "a worker")
            time.sleep(0.02 + 0.03 * moment)
            stop(place, process, signal.SIGTERM).expect(75, 0)
            place.check_whole()
        check_resumed(place, recipe)


@row("K10")
def sigterm_drops_a_stage_that_saves_nothing(bench):
    with bench.place() as place:
        recipe = counting(place, save_every=0)
        process = place.start("run", recipe)
        wait_for_steps(place, 1)
        stop(place, process, signal.SIGTERM).expect(75)
        check(len(place.keys()) == 1, "only the stage that had finished is published")
        check_resumed(place, recipe)


@row("K10")
def sigterm_while_stages_are_asked_leaves_nothing(bench):
    with bench.place() as place:
        recipe = place.recipe({"bad": "use: toy.fail, how: hang, at: describe"})
        process = place.start("run", recipe)
        wait_until(lambda: children(process.pid), 60, "a worker that describes")
        time.sleep(0.2)
        stop(place, process, signal.SIGTERM).expect(75, 143)
        check_nothing_runs(place)
        check(not place.keys(), "published")


@row("K10")
def a_stage_that_does_not_stop_is_killed_when_the_grace_ends(bench):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        with bench.place() as place:
            process = place.start("run", place.recipe({"bad": "use: toy.fail, how: hang, ranks: 2"}), "--grace", "1")
            wait_for_standstill(place, 2)
            stop(place, process, number).expect(code)
            check_nothing_runs(place)


@row("K11")
def one_signal_saves_and_ends_with_75(bench):
    for number in (signal.SIGUSR1, signal.SIGINT, signal.SIGHUP):
        with bench.place() as place:
            recipe = counting(place, ranks=2)
            process = place.start("run", recipe)
            wait_for_steps(place, 2)
            stop(place, process, number).expect(75).says(f"stopped by {number.name} at step ", "checkpoint saved")
            check_resumed(place, recipe)


@row("K11")
def a_second_signal_ends_it_at_once(bench):
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for ranks in (1, 2):
            with bench.place() as place:
                # It would stop at its next step, which is far away.
                recipe = place.recipe({"bad": f"use: toy.fail, how: hang, ranks: {ranks}"})
                process = place.start("run", recipe)
                wait_for_standstill(place, ranks)
                process.send_signal(number)
                wait_until(lambda: "stopping" in said(process), 60, "it says that it stops")
                stop(place, process, number).expect(code)
                check_nothing_runs(place)
                check(not place.keys(), "published")


def said(process):
    """What it has printed so far; kept for whoever reads the rest."""
    os.set_blocking(process.stderr.fileno(), False)
    process.so_far = getattr(process, "so_far", "") + (process.stderr.read() or b"").decode()
    os.set_blocking(process.stderr.fileno(), True)
    return process.so_far


@row("K11")
def a_hang_up_is_ignored_where_it_came_ignored(bench):
    with bench.place() as place:
        recipe = counting(place, ranks=2, steps=20)
        process = place.start("run", recipe, through=[bench.need("nohup")])
        wait_for_steps(place, 2)
        os.killpg(process.pid, signal.SIGHUP)
        for worker in workers(process.pid).values():
            os.kill(worker, signal.SIGHUP)
        finish(process, ["nohup"], time.monotonic(), 60).expect(0).says("finished ")
        check(place.text("long").count("step ") == 20, place.text("long"))


@row("K11")
def a_reader_that_goes_away_does_not_end_a_run(bench):
    with bench.place() as place:
        recipe = counting(place, steps=10)
        words = [bench.program, "run", recipe, "--log-every", "0", "--color=always"]
        shell = " ".join(f"'{word}'" for word in words) + " 2>&1 | head -1; exit ${PIPESTATUS[0]}"
        done = subprocess.run(["bash", "-c", shell], cwd=place.work, env=place.environment(), capture_output=True, text=True, timeout=60)
        check(done.returncode == 0 and done.stdout.count("\n") == 1, f"{done}")
        check(place.text("long").count("step ") == 10, place.text("long"))


@row("E1")
def a_killed_engine_leaves_no_worker(bench):
    for ranks in (1, 2):
        with bench.place() as place:
            process = place.start("run", long_recipe(place, ranks))
            wait_for_steps(place, ranks)
            process.kill()
            process.communicate()
            check_nothing_runs(place)
            check(not place.keys(), "published")


@row("E1")
def a_killed_engine_leaves_no_worker_of_its_agents(bench):
    with bench.place() as place:
        process = place.start("run", long_recipe(place), through=mpirun(bench), **AS_ROOT)
        wait_for_steps(place)
        engine = next(pid for pid, words in processes_of(place).items() if "run" in words and not {"worker"} & set(words) and has_children(place, pid, 1))
        os.kill(engine, signal.SIGKILL)
        finish(process, ["mpirun"], time.monotonic(), 60)
        check_nothing_runs(place)


def has_children(place, pid, count):
    """Rank 0 is the one whose environment says so."""
    return b"OMPI_COMM_WORLD_RANK=0\0" in pathlib.Path("/proc", str(pid), "environ").read_bytes() and len(children(pid)) >= count


@row("E1")
def a_killed_engine_leaves_no_worker_of_a_launcher(bench):
    bench.need("mpirun")
    with bench.place() as place:
        process = place.start("run", long_recipe(place), "launch=mpi", **AS_ROOT)
        wait_for_steps(place)
        process.kill()
        process.communicate()
        # Workers on any host watch the engine's beats: ten of two seconds.
        wait_until(lambda: not processes_of(place), 90, "the workers under mpirun are gone")


@row("E1")
def the_exit_code_says_what_kind_of_failure_it_was(bench):
    kinds = [
        ("error", 1, "this stage fails"),
        ("error, code: 3", 3, "this stage fails"),
        ("error, code: 5", 5, "this stage fails"),
        ("gate", 8, "this stage fails"),
        ("alloc", 4, "memory"),
        ("nan", 6, "the loss is not a number"),
        ("kill", 7, "killed with SIGKILL"),
        ("throw", 70, "error"),
        ("exit", 70, "ended without a result, with status 1"),
        ("abort", 70, "crashed with SIGABRT"),
        ("segv", 70, "crashed with SIGSEGV"),
    ]
    with bench.place() as place:
        for how, code, message in kinds:
            recipe = place.recipe({"bad": f"use: toy.fail, how: {how}"})
            place.run("run", recipe, "--quiet").expect(code).says(message, "r.yaml:3:", "'bad'")
        recipe = place.recipe({"bad": "use: toy.fail, how: silent"})
        place.run("run", recipe, "launch.timeout=2").expect(7).says("stage 'bad' gave no sign of life for 2 s")
        check_nothing_runs(place)


@row("E1")
def a_stage_for_which_memory_does_not_suffice_ends_with_4(bench):
    with bench.place() as place:
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # noqa: E731
        recipe = place.recipe({"bad": "use: toy.fail, how: eat"})
        place.run("run", recipe, before=limit).expect(4).says("memory")
        with Group(64 << 20) as group:
            place.run("run", recipe, before=group.enter).expect(4).says("stage 'bad' was killed: out of memory")
        check_nothing_runs(place)


class Group:
    """A control group with little memory."""

    def __init__(self, most):
        self.most = most

    def __enter__(self):
        root = pathlib.Path("/sys/fs/cgroup")
        two = (root / "cgroup.controllers").exists()
        self.folder = (root if two else root / "memory") / f"stillroom-{os.getpid()}"
        try:
            self.folder.mkdir()
            (self.folder / ("memory.max" if two else "memory.limit_in_bytes")).write_text(str(self.most))
        except OSError as failure:
            raise Skipped(f"no control group of our own: {failure}") from None
        return self

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def __exit__(self, *_):
        self.folder.rmdir()


@row("E1")
def a_fault_on_purpose_must_be_allowed_and_strike_something(bench):
    with bench.place() as place:
        recipe = counting(place, steps=5)
        place.run("run", recipe, "--inject", "long:1:abort").expect(10).says("--allow-inject")
        for wrong, message in (("lang:1:abort", "no stage 'lang'"), ("long:1:abrot", "no fault"), ("long", "no fault"), ("long:x:abort", "no fault")):
            place.run("run", recipe, "--allow-inject", "--inject", wrong).expect(2).says(message)
        check(not place.keys() and not (place.work / "runs").exists(), "something was begun")
        recipe = counting(place, steps=5, save_every=0)
        for fault, code in (("exception", 70), ("abort", 70), ("segv", 70), ("sigkill", 7), ("enospc", 4), ("exit", 70), ("slow-io", 0)):
            place.run("run", recipe, "--allow-inject", "--inject", f"long:2:{fault}").expect(code)
