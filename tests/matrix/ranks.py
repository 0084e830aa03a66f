"""Rows P: several ranks, of which one dies, stands still, does not come, or is not what the others are."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import Skipped, check, children, finish, row, wait_until, workers
from starters import Hosts, check_nothing_runs, long_recipe, wait_for_steps

QUICK = "launch.timeout=5"  # ranks that start at once have come by then on any machine


def by_hand(place, rank, *words, world=3, **more):
    """A rank as a starter of one's own would start it."""
    ranks = {"RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29501, "STILLROOM_JOB": "by hand"}
    ranks.update(more)
    return place.start(*words, **{name: None if value is None else str(value) for name, value in ranks.items()})


def finish_all(started, seconds=60):
    began = time.monotonic()
    return [finish(process, ["rank", rank], began, seconds) for rank, process in started.items()]


def nothing_published(place):
    check(not place.keys(), "a stage that failed was published")
    check_nothing_runs(place)


@row("P1")
def a_rank_killed_in_the_middle_of_a_step_is_named(bench):
    with bench.place() as place:
        process = place.start("run", long_recipe(place))
        wait_for_steps(place)
        os.kill(workers(process.pid)[1], signal.SIGKILL)
        finish(process, ["run"], time.monotonic(), 40).expect(7).says("rank 1 of stage 'long' was killed with SIGKILL")
        nothing_published(place)


@row("P1")
def an_agent_killed_in_the_middle_of_a_step_is_named_and_takes_its_worker_along(bench):
    with bench.place() as place:
        recipe = long_recipe(place)
        started = {rank: by_hand(place, rank, "run", recipe, QUICK) for rank in range(3)}
        wait_for_steps(place)
        worker = children(started[1].pid)[0]
        started[1].kill()
        wait_until(lambda: not pathlib.Path("/proc", str(worker)).exists(), 60, "the worker of a killed agent is gone")
        first, second, third = finish_all(started)
        first.expect(7).says("rank 1")
        second.expect(137)
        third.expect(7)
        nothing_published(place)


@row("P1")
def a_rank_killed_before_the_ranks_meet_is_missed_by_name(bench):
    with bench.place() as place:
        recipe = long_recipe(place)
        lost = by_hand(place, 1, "run", recipe, QUICK)
        wait_until(lambda: list(place.work.glob("runs/.agents/*/rank-0001.json")), 60, "rank 1 has come")
        lost.kill()
        lost.communicate()
        started = {rank: by_hand(place, rank, "run", recipe, QUICK) for rank in (0, 2)}
        first, third = finish_all(started)
        first.expect(7).says("of 3 ranks rank 0 and 2 on ", "1 did not within 5 s")
        third.expect(7)
        nothing_published(place)


@row("P1")
def a_rank_killed_while_it_saves_leaves_no_half_state(bench):
    with bench.place() as place:
        recipe = place.recipe({"long": "use: toy.count, steps: 40, step_seconds: 0.02, save_every: 1, ranks: 2"}, "long.yaml")
        place.run("run", recipe, "--inject", "long:7:sigkill:1", "--allow-inject").expect(7).says("rank 1 of stage 'long'")
        place.run("run", recipe).expect(0)
        check(place.text("long").count("step ") == 40, place.text("long"))
        place.check_whole()


@row("P2")
def a_rank_that_stands_still_is_named(bench):
    with bench.place() as place:
        for fault, code in (("sigstop", 7), ("drop-rank", 7)):
            recipe = place.recipe({"long": "use: toy.count, steps: 300, step_seconds: 0.02, ranks: 2"}, "long.yaml")
            result = place.run("run", recipe, QUICK, "--inject", f"long:3:{fault}:1", "--allow-inject")
            result.expect(code).says("rank 1 of stage 'long' gave no sign of life for 5 s")
            nothing_published(place)


@row("P3")
def ranks_that_do_not_come_are_listed(bench):
    with bench.place() as place:
        recipe = long_recipe(place)
        started = {rank: by_hand(place, rank, "run", recipe, QUICK, world=4) for rank in range(3)}
        first, *others = finish_all(started)
        first.expect(7).says("of 4 ranks rank 0, 1 on ", " came, 3 did not within 5 s")
        for other in others:
            other.expect(7)
        started = {rank: by_hand(place, rank, "run", recipe, QUICK) for rank in (1, 2)}
        for result in finish_all(started):
            result.expect(7).says("rank 0 of 3 did not come within 5 s")
        nothing_published(place)


@row("P3")
def a_rank_that_comes_twice_is_refused(bench):
    with bench.place() as place:
        for twice in (0, 1):
            recipe = long_recipe(place)
            started = {name: by_hand(place, rank, "run", recipe, QUICK) for name, rank in enumerate((0, 1, twice))}
            results = finish_all(started)
            for result in results:
                result.expect(7)
            said = " ".join(result.err for result in results)
            check(f"is rank {twice} of 3 too" in said, f"nobody says that rank {twice} came twice: {said}")
            nothing_published(place)
            shutil.rmtree(place.work / "runs", ignore_errors=True)


@row("P3")
def a_rank_that_cannot_be_is_refused_by_itself(bench):
    with bench.place() as place:
        recipe = long_recipe(place)
        for rank, wrong, message in (
            (3, {}, "rank 3 is outside of a world of 3"),
            (1, {"RANK": "one"}, "RANK is 'one', which is no whole number"),
            (1, {"RANK": "-1"}, "RANK is -1, it lies between 0 and"),
            (1, {"WORLD_SIZE": "3.5"}, "WORLD_SIZE is '3.5', which is no whole number"),
            (1, {"LOCAL_RANK": None}, "LOCAL_RANK is not set, though there are 3 ranks"),
            (1, {"MASTER_PORT": "99999"}, "MASTER_PORT is 99999, it lies between 1 and 65535"),
        ):
            process = by_hand(place, rank, "run", recipe, QUICK, **wrong)
            finish(process, [message], time.monotonic(), 20).expect(2).says(message)
        nothing_published(place)


def of_another_build(file):
    """The same module with another build id in its notes."""
    data = file.read_bytes()
    note = data.find(b"\x03\0\0\0GNU\0")
    if note < 0:
        raise Skipped(f"the linker wrote no build id into {file.name}")
    return data[: note + 8] + bytes([data[note + 8] ^ 1]) + data[note + 9 :]


@row("P5")
def a_rank_with_another_recipe_is_refused(bench):
    with bench.place() as place:
        one = long_recipe(place)
        other = place.recipe({"long": "use: toy.count, steps: 301, step_seconds: 0.05, ranks: 3"}, "other.yaml")
        started = {0: by_hand(place, 0, "run", one), 1: by_hand(place, 1, "run", one), 2: by_hand(place, 2, "run", other)}
        first, second, third = finish_all(started)
        first.expect(9).says("rank 2 on ", "was started with another recipe than rank 0")
        second.expect(9)
        third.expect(9)
        nothing_published(place)


@row("P5")
def a_rank_of_another_build_is_refused(bench):
    if not (bench.program.parent / "libstillroom.so").exists():
        raise Skipped("the program is linked as one file")
    with bench.place() as place:
        copied = place.folder / "other"
        copied.mkdir()
        for file in bench.program.parent.glob("libstillroom.so*"):
            if file.is_file() or file.is_symlink():
                shutil.copy2(file, copied, follow_symlinks=False)
        library = copied / "libstillroom.so"
        library.write_bytes(of_another_build(library))
        recipe = long_recipe(place, ranks=2)
        started = {0: by_hand(place, 0, "run", recipe, world=2), 1: by_hand(place, 1, "run", recipe, world=2, LD_LIBRARY_PATH=copied)}
        first, second = finish_all(started)
        first.expect(9).says("rank 1 on ", "is another build of stillroom than rank 0")
        second.expect(9)
        nothing_published(place)


@row("P5")
def a_rank_with_another_plugin_is_refused(bench):
    with bench.place() as place:
        hosts = Hosts(bench, place)
        if subprocess.run([*hosts.unshare, "--mount", "true"], capture_output=True).returncode != 0:
            raise Skipped("no namespace of mounts")
        plugins, other = place.folder / "plugins", place.folder / "other.so"
        shutil.copytree(bench.plugins, plugins, ignore=shutil.ignore_patterns("*.p"))
        other.write_bytes(of_another_build(plugins / "toy.so"))
        recipe = place.recipe({"all": "use: toy.ranks, ranks: 2"})
        hosts.unshare.append("--mount")
        more = {"STILLROOM_PLUGIN_PATH": str(plugins)}
        hide = f"mount --bind {other} {plugins}/toy.so"
        started = {0: hosts.start(0, 2, "run", recipe, **more), 1: hosts.start(1, 2, "run", recipe, first=hide, **more)}
        first, second = finish_all(started)
        first.expect(9).says("of stage 'all' opened another build of plugin 'toy' than the other ranks")
        second.expect(9)
        nothing_published(place)


@row("P8")
def the_first_host_of_a_list_is_where_the_ranks_meet(bench):
    with bench.place() as place:
        recipe = place.recipe({"all": "use: toy.ranks, ranks: 1"})
        slurm = {
            "SLURM_PROCID": "0", "SLURM_NTASKS": "7", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "4", "SLURM_JOB_ID": "77",
            "SLURM_STEP_ID": "0", "SLURM_JOB_NODELIST": "n[1-3,07-09],gpu5", "SLURM_TASKS_PER_NODE": "2(x3),1",
        }  # fmt: skip
        result = place.run("run", recipe, QUICK, **slurm).expect(7)
        result.says("of 7 ranks rank 0 came, 1, 2, 3, 4, 5 and 6 did not")
        place.run("run", recipe, QUICK, **{**slurm, "SLURM_JOB_NODELIST": "n[1-"}).expect(2).says("SLURM_JOB_NODELIST")


@row("P9")
def a_full_disk_on_one_rank_is_the_cause_that_counts(bench):
    with bench.place() as place:
        recipe = place.recipe({"long": "use: toy.count, steps: 30, step_seconds: 0.02, save_every: 1, ranks: 2"}, "long.yaml")
        result = place.run("run", recipe, "--inject", "long:9:enospc:1", "--allow-inject")
        result.expect(4).says("No space left on device")
        nothing_published(place)
        place.run("run", recipe).expect(0)
        check("going on after step" in "".join(log.read_text() for log in place.work.glob("runs/**/rank-0000.log")), "the saved state was lost")
        place.check_whole()


@row("P9")
def a_rank_without_memory_is_the_cause_that_counts(bench):
    with bench.place() as place:
        recipe = place.recipe({"bad": "use: toy.fail, how: alloc, rank: 1, ranks: 2"})
        place.run("run", recipe).expect(4).says("memory")
        nothing_published(place)
