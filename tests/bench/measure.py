"""Runs whole processes and keeps what they took: the ground of every benchmark here.

Seconds alone say little on a shared machine, so peers run in turn with the product, pair by pair,
and what is quoted is a median beside the least of all runs.
"""

import dataclasses
import os
import statistics
import tempfile
import time


@dataclasses.dataclass
class Run:
    seconds: float  # wall clock
    processor: float  # user and system seconds
    peak: int  # bytes at the most; never below what this script itself held when it started the run
    code: int
    out: bytes


def run(words, environment=None, keep_output=False):
    """One process from its start to its end, stdin empty."""
    with tempfile.TemporaryFile() as out:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1) if keep_output else (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        begin = time.perf_counter()
        child = os.posix_spawnp(words[0], [str(word) for word in words], environment or os.environ, file_actions=actions)
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - begin
        out.seek(0)
        return Run(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * 1024,
            os.waitstatus_to_exitcode(status),
            out.read() if keep_output else b"",
        )


def runs(words, count, environment=None):
    """`count` runs after one that warms the caches."""
    run(words, environment)
    return [run(words, environment) for _ in range(count)]


def pairs(ours, peer, count, environment=None):
    """Both in turn, A B A B, after one run of each that does not count."""
    run(ours, environment), run(peer, environment)
    return [(run(ours, environment), run(peer, environment)) for _ in range(count)]


def median(values):
    return statistics.median(values)


def percentile(values, share):
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1)]


def milliseconds(seconds):
    return f"{seconds * 1000:.1f} ms"


def mebibytes(size):
    return f"{size / (1 << 20):.0f} MiB"


class Table:
    """Figures beside their budgets; the process fails if one is missed."""

    def __init__(self):
        self.rows = []
        self.missed = 0

    def add(self, what, figure, budget, within):
        self.rows.append((what, figure, budget, "" if within else "MISSED"))
        self.missed += not within

    def text(self):
        rows = [("what", "figure", "budget", "")] + self.rows
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)
