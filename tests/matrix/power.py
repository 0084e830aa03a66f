"""Row K14: the power goes at some call; what was not synced is gone, and so are renames whose folder was not."""

import os
import pathlib
import random

from harness import check, row, wait_until
from toyrun import check_after, clean_run, start_words, whole_run


def lost(journal, chance):
    """{(device, inode): size that is safe} of files, and renames newest first: what stood on no disk yet. Each of it is lost by chance,
    as a disk writes in an order of its own."""
    unsafe, renames = {}, []
    for line in journal.splitlines():
        what, _, rest = line.partition(" ")
        if what == "w":
            device, inode, size = map(int, rest.split())
            unsafe.setdefault((device, inode), size)
        elif what == "s":
            device, inode = map(int, rest.split())
            unsafe.pop((device, inode), None)
        elif what == "d":
            renames = [(old, new) for old, new in renames if os.path.dirname(new) != rest]
        elif what == "r":
            renames.append(tuple(rest.split("\t")))
    return {file: size for file, size in unsafe.items() if chance()}, [names for names in reversed(renames) if chance()]


def cut_power(place, journal, chance):
    """Makes of the folders what a disk would hold. Returns how much was lost."""
    files, renames = lost(journal, chance)
    gone = 0
    for path, _, names in os.walk(place.folder):
        for name in names:
            one = pathlib.Path(path, name)
            status = one.lstat()
            size = files.get((status.st_dev, status.st_ino))
            if size is None or one.is_symlink() or status.st_size <= size:
                continue
            one.chmod(status.st_mode | 0o200)
            os.truncate(one, size)
            one.chmod(status.st_mode)
            os.utime(one, (status.st_atime, status.st_mtime - 60))  # a machine needs a while to start
            gone += 1
    for old, new in renames:
        if os.path.lexists(new) and not os.path.lexists(old) and os.path.isdir(os.path.dirname(old)):
            if os.path.isdir(new):
                os.chmod(new, 0o755)
            os.rename(new, old)
            gone += 1
    return gone


def cut_at(bench, number, expected, chance):
    with bench.place() as place:
        place.odd = number % 2 == 1
        journal = place.folder / "journal"
        recipe = whole_run(place)
        place.run(*start_words(place, recipe), fault=f"any:{number}:kill", argv="run", FAULT_JOURNAL=str(journal))
        what = f"power cut at call {number} ({place.struck().strip()})"
        wait_until(lambda: not place.at_work(), 60, f"{what}: a worker outlives the engine")
        gone = cut_power(place, journal.read_text(encoding="utf-8") if journal.exists() else "", chance)
        check_after(place, expected, what, power=True)
        return gone


@row("K14", seconds=200)
def the_power_goes(bench):
    expected, calls, seconds = clean_run(bench, argv="run")
    dice = random.Random(14)
    gone = cuts = 0
    for name, chance in (("all", lambda: True), ("some", lambda: dice.random() < 0.5)):
        for number in bench.sample(calls, 3 * seconds, 12, turn=cuts):
            with bench.trying():
                gone += cut_at(bench, number, expected, chance)
                cuts += 1
    bench.settle()
    check(gone > 0, "no power cut took anything")
    bench.note(f"{cuts} power cuts took {gone} files and renames")
