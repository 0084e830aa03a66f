"""Rows K7, K8, K13, O5, R22: what lies in run folders and stores that others left, damaged, dead, or of another time."""

import json
import os
import signal
import socket

from harness import check, one_line_error, row, wait_until

STAGES = {"text": "use: toy.write, text: hello", "count": "use: toy.count, text: text, steps: 3", "loud": "use: toy.upper, text: count"}


def garbage(path):
    path.write_bytes(bytes(range(256)) * 4)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def gone(path):
    path.unlink()


def folder_instead(path):
    path.unlink()
    path.mkdir()


@row("K7", seconds=200)
def damaged_records_of_a_run(bench):
    """No record of a run folder is what holds the results: a run goes on without it, or says which file is damaged, never crashes."""
    recovered = refused = 0
    for name in ("manifest.json", "recipe.yaml", "recipe.resolved.yaml", "plan.json", "events.jsonl", "stages/count/stage.json"):
        for damage in (garbage, cut, empty, gone, folder_instead):
            with bench.place() as place:
                recipe = place.recipe(STAGES)
                run = place.work / "run"
                place.run("run", recipe, "--run-dir", run).expect(0)
                expected = place.digests()
                damage(run / name)
                what = f"{damage.__name__} of {name}"
                for words in (["runs", "show", run], ["runs", "logs", run], ["resume", run], ["run", recipe, "--run-dir", run]):
                    with bench.trying():
                        result = one_line_error(place.run(*words))
                        check(result.code != 70, f"{what}: {result}")
                        if result.code:
                            check(name.rsplit("/", maxsplit=1)[-1] in result.err or "changed since" in result.err or "no run folder" in result.err,
                                  f"{what}: does not say what is damaged: {result}")
                            refused += 1
                        else:
                            recovered += 1
                place.check_whole()
                with bench.trying():
                    place.run("run", recipe).expect(0)
                    check(place.digests() == expected, f"{what}: something else came out")
    bench.settle()
    bench.note(f"{recovered} went on, {refused} said what is damaged")


@row("K7")
def damaged_latest(bench):
    with bench.place() as place:
        recipe = place.recipe(STAGES)
        place.run("run", recipe).expect(0)
        latest = place.work / "runs/r/latest"

        def replaced(make):
            latest.unlink()
            make()

        for name, make in (
            ("missing", lambda: None),
            ("a file", lambda: latest.write_text("", encoding="utf-8")),
            ("garbage", lambda: latest.write_bytes(b"\xff\x00junk")),
            ("to nowhere", lambda: latest.symlink_to("nowhere")),
            ("to itself", lambda: latest.symlink_to("latest")),
        ):
            replaced(make)
            for words in (["runs", "show", "latest"], ["resume", "latest"]):
                result = place.run(*words)
                check(result.code == 0, f"latest is {name}: {result}")
            result = place.run("run", recipe)
            check(result.code == 0, f"latest is {name}: {result}")
            check(latest.is_symlink() and latest.exists(), f"latest is {name}: it is not made anew")


def boot():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        text = file.read().strip()
    return text + "." + "".join(c for c in os.readlink("/proc/self/ns/pid") if c.isdigit())


def dead_pid():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def started(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return int(file.read().rpartition(")")[2].split()[19])


@row("K8")
def leftovers_of_the_dead_go_and_of_the_living_stay(bench):
    """A temporary file tells by its name whose it is: host~boot~pid~start~nonce."""
    host = socket.gethostname()
    owners = {
        "dead": (host, boot(), dead_pid(), 1, False),
        "reused": (host, boot(), os.getpid(), started(os.getpid()) + 1, False),  # another process has that number now
        "rebooted": (host, "00000000-0000-0000-0000-000000000000.1", 1, 1, False),
        "living": (host, boot(), os.getpid(), started(os.getpid()), True),
        "elsewhere": ("elsewhere", "11111111-0000-0000-0000-000000000000.1", 4242, 1, True),
        "namespace": (host, boot().split(".")[0] + ".1", 1, 1, True),
    }
    with bench.place() as place:
        recipe = place.recipe(STAGES)
        temporary = place.store / "tmp"
        temporary.mkdir(parents=True)
        for name, (*owner, _) in owners.items():
            left = temporary / "~".join([*map(str, owner), f"{name:0>16}"])
            left.mkdir()
            (left / "file").write_text(name, encoding="utf-8")
        (temporary / "of nobody we know").write_text("", encoding="utf-8")
        place.run("run", recipe).expect(0)
        stayed = {one.name.rpartition("~")[2].lstrip("0") for one in temporary.iterdir()}
        expected = {name for name, owner in owners.items() if owner[-1]} | {"of nobody we know"}
        check(stayed == expected, f"of the temporary files stayed {sorted(stayed)}, not {sorted(expected)}")


@row("K8")
def leases_of_the_dead(bench):
    """Of a process that is gone, of one whose number another has, of another boot: taken over at once. Torn: waited for, never for ever."""
    host = socket.gethostname()
    nonce = "0" * 16

    def lease(pid, start, where):
        fields = {"host": host, "boot": where, "pid": pid, "started": start, "nonce": nonce, "since": "2026-01-01T00:00:00Z", "beat": "0" * 20}
        return json.dumps({**fields, "state": "held"}) + "\n"

    for name, text in {
        "dead": lease(dead_pid(), 1, boot()),
        "reused": lease(os.getpid(), started(os.getpid()) + 1, boot()),
        "rebooted": lease(os.getpid(), 1, "00000000-0000-0000-0000-000000000000.1"),
    }.items():
        with bench.place() as place:
            recipe = place.recipe(STAGES)
            run = place.work / "run"
            place.run("run", recipe, "--run-dir", run).expect(0)
            (run / "lease").write_text(text, encoding="utf-8")
            result = place.run("run", recipe, "--run-dir", run)
            check(result.code == 0, f"the lease of one {name}: {result}")


@row("K13")
def clocks_that_jump(bench):
    """A day ahead, a day back, to and fro at every third look, another zone, 2040: the same comes out, and durations stay short."""
    year_2040 = 14 * 365 * 86400
    cases = [{"FAULT_CLOCK": "86400"}, {"FAULT_CLOCK": "-86400"}, {"FAULT_CLOCK": "86400:3"}, {"FAULT_CLOCK": str(year_2040)}]
    cases += [{"TZ": "Pacific/Kiritimati"}, {"TZ": "Etc/GMT+12"}, {"TZ": ":/nowhere"}]
    with bench.place() as place:
        place.run("run", place.recipe(STAGES)).expect(0)
        expected = place.digests()
    for case in cases:
        preload = {"LD_PRELOAD": str(bench.shim)} if "FAULT_CLOCK" in case else {}
        with bench.place() as place:
            recipe = place.recipe(STAGES)
            run = place.work / "run"
            place.run("run", recipe, "--run-dir", run, **case, **preload).expect(0)
            check(place.digests() == expected, f"{case}: something else came out")
            place.check_whole()
            for key in place.keys():
                check(0 <= place.manifest(key)["seconds"] < 60, f"{case}: a stage took {place.manifest(key)['seconds']} s")
            # And back: at the right time all is cached, and nothing looks live or young or old.
            result = place.run("run", recipe, "--run-dir", run).expect(0)
            check("3 cached" in result.err, f"{case}: not all is cached afterwards: {result}")
            place.run("runs", "show", run).expect(0)
            place.run("store", "gc").expect(0)
            check(len(place.keys()) == 3, f"{case}: gc took what a run folder links to")


@row("K13")
def a_clock_that_jumps_while_others_wait(bench):
    """A lease is watched by beats, not by the time of day."""
    with bench.place() as place:
        recipe = place.recipe({"count": "use: toy.count, steps: 20, step_seconds: 0.05"})
        first = place.start("run", recipe)
        wait_until(lambda: list((place.store / "work").glob("*/lease")), 60, "no work began")
        place.run("run", recipe, FAULT_CLOCK="86400:2", LD_PRELOAD=str(bench.shim)).expect(0)
        out, err = first.communicate(timeout=60)
        check(first.returncode == 0, f"the first lost its work to a clock: {err.decode()}")
        place.check_whole()
        place.check_clean()


@row("O5")
def events_cut_within_a_record(bench):
    """Readers take what is whole; who goes on appends whole lines."""
    with bench.place() as place:
        recipe = place.recipe(STAGES)
        run = place.work / "run"
        place.run("run", recipe, "--run-dir", run).expect(0)
        whole = (run / "events.jsonl").read_bytes()
        last = whole.rstrip(b"\n").rfind(b"\n") + 1
        lengths = range(len(whole)) if bench.exhaustive else [0, 1, 40, last, last + 1, (last + len(whole)) // 2, len(whole) - 1]
        for length in lengths:
            (run / "events.jsonl").write_bytes(whole[:length])
            place.run("runs", "show", run).expect(0)
            place.run("run", recipe, "--run-dir", run).expect(0)
            kept = whole[: whole[:length].rfind(b"\n") + 1]
            check((run / "events.jsonl").read_bytes().startswith(kept), f"cut at {length}: whole lines were lost")
            names = [event["event"] for event in place.events(run)]
            check(names[-1] == "run_ended" and "run_began" in names, f"cut at {length}: {names}")


@row("O5")
def logs_cut_within_a_record(bench):
    with bench.place() as place:
        recipe = place.recipe({"count": "use: toy.count, steps: 40, step_seconds: 0.05"})
        run = place.work / "run"
        process = place.start("run", recipe, "--run-dir", run)
        log = run / "logs/count/rank-0000.log"
        wait_until(lambda: log.exists() and log.read_bytes().count(b'"saved"') > 3, 60, "nothing was saved")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not place.at_work(), 60, "the worker outlives its engine")
        os.truncate(log, log.stat().st_size - 5)
        place.run("runs", "logs", run).expect(0)
        place.run("resume", run).expect(0)
        place.run("runs", "logs", run).expect(0)
        torn = 0
        for line in log.read_text(encoding="utf-8").splitlines():
            try:
                json.loads(line)
            except ValueError:
                torn += 1
        check(torn == 1, f"{torn} torn lines after one cut")


@row("R22")
def a_recipe_that_changed_is_told_by_its_keys(bench):
    """Nothing goes on with another recipe than it began with, unless somebody says so."""
    with bench.place() as place:
        recipe = place.recipe({"text": "use: toy.write, text: some words", "upper": "use: toy.upper, text: text"})
        place.run("run", recipe).expect(0)
        keys = place.keys()
        place.recipe({"text": "use: toy.write, text: other words", "upper": "use: toy.upper, text: text"})
        place.run("resume", "latest").expect(9).says("1 key changed since this run began", 'stages.text.text: "some words" -> "other words"', "--accept-changes")
        check(place.keys() == keys, "something ran of a recipe that was refused")
        place.run("resume", "latest", "--accept-changes").expect(0)
        check(len(place.keys()) == 4, "the changed recipe made nothing")
        place.check_whole()
