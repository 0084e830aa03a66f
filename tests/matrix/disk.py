"""Row K3: the Nth call that changes a file fails, once or from then on, in the engine and in its workers."""

from harness import check, row
from toyrun import check_after, check_failed, clean_run, start_words, whole_run

CALLS = {
    "write": ("ENOSPC", "EIO", "EDQUOT"),
    "pwrite64": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO",),
    "rename": ("ENOSPC", "EIO", "EDQUOT"),
    "open": ("ENOSPC", "EIO", "EDQUOT", "EMFILE", "EACCES"),
    "mkdir": ("ENOSPC", "EDQUOT"),
    "close": ("EIO", "EDQUOT"),
    "link": ("EIO", "ENOSPC"),
    "symlink": ("ENOSPC",),
    "unlink": ("EIO",),
}
PASSING = {"write": ("EINTR", "EAGAIN", "short"), "pwrite64": ("EINTR", "short"), "fsync": ("EINTR",), "open": ("EINTR",)}


def fail_at(bench, who, call, number, error, expected):
    """What fails says 4, a path and why; or nothing was lost and the run went on. The next run succeeds either way."""
    with bench.place() as place:
        place.odd = True
        recipe = whole_run(place)
        result = place.run(*start_words(place, recipe), fault=f"{call}:{number}:{error}", argv=who)
        struck = place.struck()
        what = f"{error} at {call} {number} of {who} ({struck.strip() or 'not reached'})"
        if result.code != 0:
            check_failed(result, struck, what)
        check_after(place, expected, what)
        return bool(struck), result.code != 0


def pass_at(bench, who, call, number, error, expected):
    """Interrupted, told to try again, or half done: no error at all."""
    with bench.place() as place:
        place.odd = True
        recipe = whole_run(place)
        result = place.run(*start_words(place, recipe), fault=f"{call}:{number}:{error}", argv=who)
        struck = place.struck()
        what = f"{error} at {call} {number} of {who} ({struck.strip() or 'not reached'})"
        check(result.code == 0, f"{what} is no error: {result}")
        check_after(place, expected, what)
        return bool(struck)


def count_calls(bench, who, call):
    with bench.place() as place:
        place.run(*start_words(place, whole_run(place)), fault=f"{call}:0:EIO", argv=who).expect(0)
        return place.counted()


def fail_everywhere(bench, who, budget, every=1):
    """`every`: of calls and errors one in so many is enough in CI."""
    expected, _, seconds = clean_run(bench, argv=who)
    struck = failed = 0
    tries = [(call, error, forever) for call, errors in CALLS.items() for error in errors for forever in ("", "+")]
    counts = {call: count_calls(bench, who, call) for call in CALLS}
    for turn, (call, error, forever) in enumerate(tries):
        if not counts[call] or (turn % every and not bench.exhaustive):
            continue
        # The numbers that CI leaves out differ from error to error.
        numbers = bench.sample(counts[call], 3 * seconds, budget / len(tries), least=1, turn=turn)
        for number in numbers:
            with bench.trying():
                hit, broke = fail_at(bench, who, call, f"{number}{forever}", error, expected)
                struck, failed = struck + hit, failed + broke
    bench.settle()
    check(failed > 0, f"no failing call of {who} was noticed")
    bench.note(f"{struck} failing calls of {who}, {failed} runs ended by them, nothing lost")


@row("K3", seconds=400)
def every_call_of_the_engine_fails(bench):
    fail_everywhere(bench, "run", 25, every=2)


@row("K3", seconds=200)
def every_call_of_a_worker_fails(bench):
    fail_everywhere(bench, "--job", 8, every=3)
    fail_everywhere(bench, "--shared", 6, every=3)
    fail_everywhere(bench, "--describe", 4, every=5)


@row("K3")
def what_passes_is_no_error(bench):
    passed = 0
    for who in ("run", "--job", "--shared", "--describe"):
        expected, _, seconds = clean_run(bench, argv=who)
        for call, errors in PASSING.items():
            count = count_calls(bench, who, call)
            for turn, error in enumerate(errors):
                for number in bench.sample(count, 3 * seconds, 1, least=1, turn=turn) if count else []:
                    with bench.trying():
                        passed += pass_at(bench, who, call, number, error, expected)
    bench.settle()
    check(passed > 0, "no call was interrupted")
    bench.note(f"{passed} calls that were to be tried again")
