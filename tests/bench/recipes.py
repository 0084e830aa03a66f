#!/usr/bin/env python3
"""How long `check`, `compose`, help and completion take, and how much memory, against their budgets.

    recipes.py PROGRAM SOURCE_ROOT

The peer is hydra-core, in a virtual environment whose folder STILLROOM_BENCH_VENV names; without one
it is installed into a temporary folder, and where that cannot be the comparison is left out and said
so. Ends with 1 when a budget is missed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv

import generate
import measure
from measure import mebibytes, median, milliseconds

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
MEMORY = 64 * MIB


def peer_python(folder):
    """The python of an environment that has hydra-core, or nothing."""
    given = os.environ.get("STILLROOM_BENCH_VENV")
    if given:
        return pathlib.Path(given) / "bin" / "python"
    try:
        venv.create(folder, with_pip=True)
        python = folder / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "hydra-core>=1.3,<1.4"], check=True, capture_output=True, timeout=300)
        return python
    except (OSError, subprocess.SubprocessError):
        return None


def read_yaml(python, text):
    """What the peer printed, read by the peer's own library."""
    code = (
        "import sys, json; from omegaconf import OmegaConf;"
        "print(json.dumps(OmegaConf.to_container(OmegaConf.create(sys.stdin.read()), resolve=True)))"
    )
    return json.loads(subprocess.run([python, "-c", code], input=text, check=True, capture_output=True).stdout)


def add_time(table, what, runs, budget, memory=MEMORY):
    times = [run.seconds for run in runs]
    figure = f"{milliseconds(median(times))} (least {milliseconds(min(times))})"
    table.add(what, figure, f"{budget * 1000:.0f} ms", median(times) <= budget)
    peak = max(run.peak for run in runs)
    table.add(f"{what}: memory", mebibytes(peak), mebibytes(memory), peak < memory)


def against_hydra(table, program, recipe, python):
    ours = [program, "compose", recipe, "--resolve", "--json"]
    peer = [python, HERE / "hydra_peer.py", recipe.parent, "--cfg", "job", "--resolve"]
    composed = json.loads(measure.run(ours, keep_output=True).out)
    theirs = read_yaml(python, measure.run(peer, keep_output=True).out)
    composed.pop("defaults", None)
    if composed != theirs:
        print(f"compose and hydra-core disagree:\n  {composed}\n  {theirs}")
        table.add("compose equals hydra-core --cfg job", "no", "yes", False)
        return
    for verb in ("compose", "check"):
        words = ours if verb == "compose" else [program, "check", recipe]
        both = measure.pairs(words, peer, 15)
        ratios = [theirs.seconds / mine.seconds for mine, theirs in both]
        figure = f"{median(ratios):.0f}x (least {min(ratios):.0f}x); {milliseconds(median([p.seconds for _, p in both]))} there"
        table.add(f"{verb} against hydra-core --cfg job", figure, "25x", median(ratios) >= 25)


def growth(table, program, folder):
    """Time over size: four times the text may cost six times the time beyond that of an empty recipe."""
    paths = {}
    for size in (1 << 10, 1 << 18, 1 << 19, 1 << 20):
        paths[size] = folder / f"size{size}.yaml"
        paths[size].write_text(generate.of_size(size))
    seconds = {size: [] for size in paths}
    peak = 0
    for _ in range(9):
        for size, path in paths.items():
            one = measure.run([program, "check", path])
            if one.code != 0:
                raise SystemExit(f"check of a generated recipe of {size} bytes ends with {one.code}")
            seconds[size].append(one.seconds)
            peak = max(peak, one.peak)
    floor = median(seconds[1 << 10])
    least = {size: median(values) - floor for size, values in seconds.items()}
    ratio = least[1 << 20] / least[1 << 18]
    figure = ", ".join(milliseconds(least[size] + floor) for size in (1 << 18, 1 << 19, 1 << 20))
    table.add("check of 256 KiB, 512 KiB, 1 MiB", f"{figure}: {ratio:.1f}x", "6x", ratio <= 6)
    table.add("check of 1 MiB: memory", mebibytes(peak), mebibytes(MEMORY), peak < MEMORY)


def hostile(table, program, folder):
    slowest, largest, passed = ("", 0.0), ("", 0), []
    for name, text in generate.HOSTILE.items():
        path = folder / "hostile.yaml"
        path.write_text(text)
        one = measure.run([program, "check", path])
        if one.code != 2:
            passed.append(f"{name}: {one.code}")
        slowest = max(slowest, (name, one.seconds), key=lambda pair: pair[1])
        largest = max(largest, (name, one.peak), key=lambda pair: pair[1])
    table.add("hostile recipes refused", ", ".join(passed) or f"{len(generate.HOSTILE)} of {len(generate.HOSTILE)}", "all", not passed)
    table.add(f"slowest hostile recipe: {slowest[0]}", milliseconds(slowest[1]), "1000 ms", slowest[1] < 1)
    table.add(f"largest hostile recipe: {largest[0]}", mebibytes(largest[1]), "100 MB", largest[1] < 100_000_000)


def completion(table, program, recipe):
    line = f"stillroom check {recipe} stages.healed.optim"
    words = [program, "__complete", "bash", " \t\n\"'><=;|&(:", line]
    answer = measure.run(words, keep_output=True).out.decode()
    if "optimizer" not in answer:
        raise SystemExit(f"completion of a setting's name answers {answer!r}")
    runs = measure.runs(words, 200)
    add_time(table, "completion", runs, 0.020)
    late = measure.percentile([run.seconds for run in runs], 0.99)
    table.add("completion, 99 of 100", milliseconds(late), "50 ms", late <= 0.050)


def main():
    program, root = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        folder = pathlib.Path(name)
        recipe = folder / "recipe.yaml"
        shutil.copy(root / "recipes" / "qwen3-8b-to-6b.yaml", recipe)
        (folder / "data").mkdir()
        shutil.copy(root / "recipes" / "data" / "wikitext.yaml", folder / "data")

        for words in (["--help"], ["check", recipe], ["compose", recipe]):
            if measure.run([program, *words]).code != 0:
                raise SystemExit(f"{' '.join(map(str, words))} fails")
            add_time(table, words[0], measure.runs([program, *words], 41), 0.020)
        completion(table, program, recipe)

        large = folder / "large.yaml"
        large.write_text(generate.many_stages(1000))
        if measure.run([program, "check", large]).code != 0:
            raise SystemExit("check of 1 000 stages finds mistakes")
        add_time(table, "check of 1 000 stages", measure.runs([program, "check", large], 15), 0.100)
        growth(table, program, folder)
        hostile(table, program, folder)

        python = peer_python(folder / "venv")
        if python:
            against_hydra(table, program, recipe, python)
        else:
            print("hydra-core cannot be had here: not compared (STILLROOM_BENCH_VENV may name an environment that has it)")
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
