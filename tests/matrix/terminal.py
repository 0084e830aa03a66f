"""Rows U: what is printed on a terminal, off one, and where nobody reads."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import check, row, wait_until

ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


def slow(place, **more):
    text = ", ".join(f"{name}: {value}" for name, value in {"steps": 30, "step_seconds": 0.03, **more}.items())
    return place.recipe({"one": f"use: toy.count, {text}", "two": f"use: toy.count, text: one, {text}", "end": "use: toy.upper, text: two"})


class Screen:
    """As much of a terminal as the live view uses; what scrolls off is kept."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column, self.wrap = [""], 0, 0, True

    def feed(self, text):
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = ESCAPE.match(text, at)
                check(match, f"no escape code that is known: {text[at : at + 12]!r}")
                self.escape(match[1], match[2])
                at = match.end()
                continue
            self.put(text[at])
            at += 1

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        else:
            check(ord(char) >= 32, f"a control character on the terminal: {char!r}")
            if self.column == self.columns and self.wrap:
                self.column = 0
                self.down()
            self.column = min(self.column, self.columns - 1)
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def escape(self, number, kind):
        if kind == "A":
            check(int(number or 1) < self.rows, f"up by {number} of {self.rows} rows")
            self.row = max(0, self.row - int(number or 1))
        elif kind == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif kind == "J":
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        elif kind in "hl" and number == "?7":
            self.wrap = kind == "h"
        else:
            check(kind == "m", f"an escape code that is not known: {number}{kind}")


class Run:
    def __init__(self, code, text, draws, seconds):
        self.code, self.text, self.draws, self.seconds = code, text, draws, seconds


def run_on_terminal(place, *words, columns=80, rows=24, resize=(), **more):
    """The program with stderr on a terminal of its own. `resize`: sizes that it takes one after the other."""
    ours, theirs = pty.openpty()
    set_size(ours, columns, rows)

    def before():
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    began = time.monotonic()
    process = place.start(*words, stdout=subprocess.DEVNULL, stderr=theirs, before=before, **{"TERM": "xterm", **more})
    os.close(theirs)
    data, sizes, next_size = b"", list(resize), began + 0.4
    while select.select([ours], [], [], 60)[0]:
        try:
            some = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        data += some
        if sizes and time.monotonic() > next_size:
            set_size(ours, *sizes.pop(0))
            process.send_signal(signal.SIGWINCH)
            next_size = time.monotonic() + 0.2
    process.wait(60)
    os.close(ours)
    text = data.decode("utf-8")
    return Run(process.returncode, text, text.count("\x1b[?7l"), time.monotonic() - began)


def set_size(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@row("U1")
def off_a_terminal_there_are_plain_lines(bench):
    for more in ({"TERM": "xterm"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}, {"SLURM_JOB_ID": "7"}):
        with bench.place() as place:
            result = place.run("run", slow(place, steps=10), **more).expect(0)
            check("\x1b" not in result.err + result.out and "\r" not in result.err + result.out, f"escape codes: {result.err!r}")
            steps = [line for line in result.err.splitlines() if "counting" in line]
            check(len(steps) <= 1 + result.seconds / 30, f"more than a line in 30 s: {steps}")


@row("U1")
def a_terminal_that_wants_no_codes_gets_none(bench):
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}, {"SLURM_JOB_ID": "7"}):
        with bench.place() as place:
            run = run_on_terminal(place, "run", slow(place, steps=10), **more)
            check(run.code == 0, f"exit {run.code}: {run.text}")
            check("\r" not in run.text.replace("\r\n", "\n") and run.draws == 0, f"it is redrawn with {more}: {run.text!r}")
            colors = "\x1b" in run.text
            check(not colors or not {"NO_COLOR", "TERM"} & set(more), f"escape codes with {more}: {run.text!r}")


@row("U1")
def the_live_view_leaves_only_its_last_words(bench):
    for columns, rows in ((80, 24), (20, 5), (200, 50), (7, 3)):
        with bench.place() as place:
            run = run_on_terminal(place, "run", slow(place), columns=columns, rows=rows)
            check(run.code == 0, f"exit {run.code}: {run.text}")
            check(run.draws > 1, f"nothing was redrawn: {run.text!r}")
            # 10 a second, and one for each line that scrolls up.
            check(run.draws <= 10 * run.seconds + 20, f"{run.draws} redraws in {run.seconds:.1f} s")
            screen = Screen(columns, rows)
            screen.feed(run.text)
            left = "".join(screen.lines) if columns < 80 else "\n".join(screen.lines)
            for words in ("done     one in ", "done     two in ", "finished 3 stages run"):
                check(left.count(words) == 1, f"'{words}' is there {left.count(words)} times on {columns} columns: {left}")
            check("counting" not in left, f"a bar is left on {columns} columns: {left}")


@row("U1")
def the_live_view_survives_a_terminal_that_changes_its_size(bench):
    with bench.place() as place:
        sizes = [(40, 10), (120, 40), (1, 1), (10, 2), (80, 24)]
        run = run_on_terminal(place, "run", slow(place, steps=40), resize=sizes)
        check(run.code == 0, f"exit {run.code}: {run.text}")
        words = ESCAPE.sub("", run.text)
        check(words.count("finished 3 stages run") == 1 and words.count("done     one in ") == 1, words)
        check(run.text.count("\x1b[?7l") == run.text.count("\x1b[?7h"), "it ended without wrapping lines again")


@row("U1")
def a_signal_on_a_terminal_leaves_it_as_it_was(bench):
    with bench.place() as place:
        ours, theirs = pty.openpty()
        set_size(ours, 80, 24)
        before = lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)  # noqa: E731
        state = termios.tcgetattr(theirs)
        process = place.start("run", slow(place, steps=300), stdout=subprocess.DEVNULL, stderr=theirs, before=before, TERM="xterm")
        wait_until(lambda: any('"step 5"' in log.read_text() for log in place.work.glob("runs/r/*/logs/one/rank-0000.log")), 60, "a stage at work")
        os.write(ours, b"\x03")  # Ctrl-C
        text = b""
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 65536)
        check(process.returncode == 75, f"exit {process.returncode}: {text}")
        check(termios.tcgetattr(theirs) == state and text.count(b"\x1b[?7l") == text.count(b"\x1b[?7h"), "the terminal was changed")
        os.close(ours)
        os.close(theirs)


@row("U2")
def a_result_that_nobody_can_read_is_a_failure(bench):
    with bench.place() as place:
        recipe = slow(place, steps=1, step_seconds=0)
        for words in (["plan", recipe], ["compose", recipe], ["graph", recipe], ["stages"], ["plan", recipe, "--json"], ["schema", "recipe"]):
            with open("/dev/full", "wb") as full:
                place.run(*words, stdout=full).expect(4).says("cannot write", "no space left on device")
            place.run(*words, stdout=None, before=lambda: os.close(1)).expect(4).says("cannot write", "it is closed")
            reader, writer = os.pipe()
            os.close(reader)
            place.run(*words, stdout=writer).expect(4).says("broken pipe")
            os.close(writer)


@row("U2")
def a_run_does_not_need_anybody_who_reads(bench):
    with bench.place() as place:
        recipe = slow(place, steps=2, step_seconds=0)
        with open("/dev/full", "wb") as full:
            place.run("run", recipe, stdout=full, stderr=full).expect(0)
        check(len(place.keys()) == 3, "not all stages were run")
        place.run("run", recipe, stdout=None, stderr=None, before=lambda: (os.close(1), os.close(2), os.close(0))).expect(0)
        place.run("run", recipe, "--force", "one", stdout=None, stderr=None, before=lambda: os.closerange(0, 3)).expect(0)
        place.check_whole()
