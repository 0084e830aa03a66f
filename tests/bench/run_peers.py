"""snakemake and doit on the graph of generate.noops: what each of them does to run it."""

import os
import pathlib
import shutil
import subprocess
import venv

import generate
import measure

SNAKEFILE = """
import os
COUNT, ROW, EACH = int(os.environ["BENCH_STAGES"]), {row}, {each}
def before(wildcards):
    row, column = divmod(int(wildcards.name[1:]), ROW)
    return [f"out/s{{(row - 1) * ROW + (column + k) % ROW:05}}" for k in range(EACH)] if row else []
rule all:
    input: [f"out/s{{n:05}}" for n in range(COUNT)]
if os.environ["BENCH_KIND"] == "process":
    rule noop:
        input: before
        output: "out/{{name}}"
        shell: "printf {{wildcards.name}} > {{output}}"
else:
    rule noop:
        input: before
        output: "out/{{name}}"
        run:
            with open(output[0], "w") as file:
                file.write(wildcards.name)
"""

DODO = """
import os
COUNT, ROW, EACH = int(os.environ["BENCH_STAGES"]), {row}, {each}
DOIT_CONFIG = {{"verbosity": 0}}
def write(targets, name):
    with open(targets[0], "w") as file:
        file.write(name)
def task_noop():
    for number in range(COUNT):
        row, column = divmod(number, ROW)
        name = f"s{{number:05}}"
        target = f"out/{{name}}"
        process = os.environ["BENCH_KIND"] == "process"
        yield {{
            "name": name,
            "file_dep": [f"out/s{{(row - 1) * ROW + (column + k) % ROW:05}}" for k in range(EACH)] if row else [],
            "targets": [target],
            "actions": [f"printf {{name}} > {{target}}" if process else (write, [], {{"name": name}})],
        }}
"""


class Peer:
    """One way to run the graph. Each round begins with nothing, as ours does."""

    def __init__(self, name, words, kind, file, text, folder, count, rounds, budget):
        self.name, self.words, self.rounds, self.budget = name, words, rounds, budget
        self.folder = folder
        self.file, self.text = file, text
        self.environment = dict(os.environ, BENCH_STAGES=str(count), BENCH_KIND=kind, HOME=str(folder.parent))

    def run(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "out").mkdir(parents=True)
        (self.folder / self.file).write_text(self.text)
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            return measure.run(self.words, self.environment)
        finally:
            os.chdir(here)

    def made(self):
        return {path.name: path.read_text() for path in (self.folder / "out").iterdir()}


def programs(folder):
    """Where the peers' programs are, and why one is not there."""
    given = os.environ.get("STILLROOM_BENCH_VENV")
    place = pathlib.Path(given) if given else folder / "venv"
    found, missing = {}, []
    try:
        if not given:
            venv.create(place, with_pip=True)
    except (OSError, subprocess.SubprocessError) as problem:
        return {}, [f"no Python environment for the peers: {problem}"]
    for name, wanted in (("snakemake", "snakemake>=9,<10"), ("doit", "doit>=0.36,<1")):
        program = place / "bin" / name
        if not given:
            words = [place / "bin" / "python", "-m", "pip", "install", "--quiet", wanted]
            subprocess.run(words, check=False, capture_output=True, timeout=600)
        if program.exists():
            found[name] = program
        else:
            missing.append(f"{name} cannot be had here: not compared (STILLROOM_BENCH_VENV may name an environment that has it)")
    return found, missing


def find(folder, count):
    """The peers that are there, and what to say of the others."""
    found, missing = programs(folder)
    cores = str(os.cpu_count())
    shape = {"row": generate.ROW, "each": generate.EACH}
    peers = []
    if program := found.get("snakemake"):
        words = [program, "--cores", cores, "--quiet", "all", "--force-use-threads"]
        for kind, budget in (("process", 5), ("inside", 0)):
            name = "snakemake, a process a stage" if budget else "snakemake at its best, inside its own process"
            peers.append(Peer(name, words, kind, "Snakefile", SNAKEFILE.format(**shape), folder / "snakemake", count, 2, budget))
    if program := found.get("doit"):
        for kind, budget in (("process", 5), ("inside", 0)):
            name = "doit, a process a stage" if budget else "doit at its best, inside its own process"
            words = [program, "run", "-n", cores] if budget else [program, "run"]
            peers.append(Peer(name, words, kind, "dodo.py", DODO.format(**shape), folder / "doit", count, 3, budget))
    return peers, missing
