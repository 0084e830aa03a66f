"""Row K1: killed at the Nth call that changes a file, for every N, in the engine and in its workers."""

from harness import check, row
from toyrun import check_after, clean_run, start_words, whole_run


def kill_at(bench, who, how, number, expected):
    with bench.place() as place:
        place.odd = number % 2 == 1
        recipe = whole_run(place)
        result = place.run(*start_words(place, recipe), fault=f"any:{number}:{how}", argv=who)
        struck = place.struck()
        what = f"{how} at call {number} of {who} ({struck.strip() or 'not reached'})"
        if who == "run" and struck:
            check(result.code == 137, f"{what}: exit {result.code}: {result}")
        check_after(place, expected, what)
        return bool(struck)


def kill_everywhere(bench, who, budget):
    expected, calls, seconds = clean_run(bench, argv=who)
    check(calls > 10, f"only {calls} calls of {who} were seen")
    killed = 0
    for how in ("kill", "torn"):
        for number in bench.sample(calls, 3 * seconds, budget / 2):
            with bench.trying():
                killed += kill_at(bench, who, how, number, expected)
    bench.settle()
    check(killed > 0, f"{who} was never killed")
    bench.note(f"{killed} kills among {calls} calls of {who}")


@row("K1", seconds=300)
def the_engine_is_killed_at_every_call(bench):
    kill_everywhere(bench, "run", 24)


@row("K1")
def a_worker_is_killed_at_every_call(bench):
    kill_everywhere(bench, "--job", 10)
    kill_everywhere(bench, "--shared", 6)
    kill_everywhere(bench, "--describe", 4)
