#!/usr/bin/env python3
"""What running costs beside the work itself: per stage, per worker, per byte hashed, in memory.

    run.py PROGRAM TOY_FOLDER [STAGES]

TOY_FOLDER holds the toy plugin, whose stage toy.noop writes its own name and nothing else. The peers
are snakemake and doit, on the same graph with a process a stage, and once more in the best way that
they have, inside their own process; and `openssl speed` for hashing. STILLROOM_BENCH_VENV names an
environment that has both; without one they are installed into a temporary folder, and where that
cannot be the comparison is left out and said so. STAGES, 1000 unless told, is for a quick look.
Ends with 1 when a budget is missed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import generate
import measure
import run_peers
from measure import mebibytes, median, milliseconds

MIB = 1 << 20
CORES = os.cpu_count()


class Bench:
    def __init__(self, program, toy, folder):
        self.program, self.folder, self.rounds = program, folder, 0
        self.environment = dict(os.environ, STILLROOM_PLUGIN_PATH=str(toy), STILLROOM_RUN_ROOT=str(folder / "runs"))

    def recipe(self, count):
        path = self.folder / f"noops{count}.yaml"
        if not path.exists():
            path.write_text(generate.noops(count))
        return path

    def words(self, count, store):
        return [self.program, "run", self.recipe(count), "--store", self.folder / store, "--limit", "nodes=1000000"]

    def run(self, count, store):
        one = measure.run(self.words(count, store), self.environment)
        if one.code != 0:
            raise SystemExit(f"a run of {count} stages ends with {one.code}")
        return one

    def forget(self, store):
        """Each round begins with nothing. Set aside, not removed: ext4 is slow to make files where it has just removed some."""
        self.rounds += 1
        for path in (self.folder / store, self.folder / "runs"):
            if path.exists():
                path.rename(self.folder / f"old-{self.rounds}-{path.name}")

    def clean(self):
        """Stores are read-only."""
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False, stderr=subprocess.DEVNULL)

    def made(self, store):
        """{stage: text} of what the stages left."""
        texts = {}
        for manifest in (self.folder / store).glob("*/manifest.json"):
            texts[json.loads(manifest.read_text())["stage"]] = (manifest.parent / "report" / "text.txt").read_text()
        return texts


def in_seconds(values):
    return f"{median(values):.2f} s (least {min(values):.2f} s)"


def start_of_worker(table, bench):
    """A whole worker, from exec to exit: it reads its job, opens the plugin, runs a stage that writes five letters."""
    words = [bench.program, "do", "toy.write", "text=hello", "--store", bench.folder / "one"]  # one that has a process of its own
    if measure.run(words, bench.environment).code != 0:
        raise SystemExit("toy.write fails")
    job = json.loads(next((bench.folder / "runs").rglob("job.json")).read_text())
    for key in ("work", "records"):
        job[key] = str(bench.folder / "worker" / key)
        pathlib.Path(job[key]).mkdir(parents=True)
    for name in job["outputs"]:
        job["outputs"][name] = str(bench.folder / "worker" / name)
        pathlib.Path(job["outputs"][name]).mkdir()
    path = bench.folder / "worker" / "job.json"
    path.write_text(json.dumps(job))
    words = [bench.program, "worker", "--job", path, "--rank", "0", "--world", "1", "--local-rank", "0"]
    runs = measure.runs(words, 41)
    if any(one.code for one in runs):
        raise SystemExit("the worker fails")
    times = [one.seconds for one in runs]
    table.add("worker, start to end", f"{milliseconds(median(times))} (least {milliseconds(min(times))})", "15 ms", median(times) <= 0.015)


def many_stages(table, bench, count):
    first, second, one, processor = [], [], [], []
    for _ in range(3):
        bench.forget("many")
        all_new = bench.run(count, "many")
        first.append(all_new.seconds)
        processor.append(all_new.processor / count)  # the workers' too: less moved by others on the machine
        for _ in range(3):
            second.append(bench.run(count, "many").seconds)
            one.append(bench.run(1, "many").seconds)
    budget = 10 * count / 1000
    figure = f"{in_seconds(first)}; {milliseconds(median(processor))} of a processor each"
    table.add(f"{count} stages", figure, f"{budget:g} s", median(first) <= budget)
    table.add(f"{count} stages, second run", in_seconds(second), "0.5 s", median(second) <= 0.5)
    each = [(many - single) / (count - 1) for many, single in zip(second, one)]
    table.add("a cached stage", f"{median(each) * 1000:.2f} ms (least {min(each) * 1000:.2f} ms)", "1 ms", median(each) <= 0.001)


def openssl_speed():
    """Bytes a second of SHA-256 on every core."""
    words = ["openssl", "speed", "-multi", str(CORES), "-seconds", "2", "-bytes", str(8 * MIB), "-evp", "sha256"]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"([\d.]+)k\s*$", out)[-1]) * 1000


def hashing(table, bench):
    """`store verify` of one large file, against the same bytes hashed from memory."""
    if not shutil.which("openssl"):
        print("no openssl here: hashing is not compared")
        return
    size = 1 << 30
    words = [bench.program, "do", "toy.big", f"bytes={size}", "--store", bench.folder / "big"]
    if measure.run(words, bench.environment).code != 0:
        raise SystemExit("toy.big fails")
    verify = [bench.program, "store", "verify", "--store", bench.folder / "big"]
    if measure.run(verify).code != 0:  # this also brings the file into the page cache
        raise SystemExit("store verify fails")
    ratios, speeds = [], []
    for _ in range(5):
        speeds.append(size / measure.run(verify).seconds)
        ratios.append(speeds[-1] / openssl_speed())
    bench.forget("big")
    figure = f"{median(ratios):.2f} (least {min(ratios):.2f}); {median(speeds) / 1e9:.2f} GB/s here"
    table.add("hashing against openssl speed", figure, "0.8", median(ratios) >= 0.8)


def resident(process):
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0  # it has ended


def memory(table, bench, count):
    """The engine's memory while many stages run: what it holds after a tenth of them, and at the end."""
    bench.forget("memory")
    words = [str(word) for word in bench.words(count, "memory")]
    process = subprocess.Popen(words, env=bench.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin, tenth, last = time.monotonic(), 0, 0
    done = 0
    while process.poll() is None:
        time.sleep(0.2)
        last = resident(process.pid) or last
        if not tenth:
            done = sum(1 for entry in os.scandir(bench.folder / "memory") if len(entry.name) == 64) if (bench.folder / "memory").exists() else 0
            tenth = last if done >= count // 10 else 0
    if process.returncode != 0:
        raise SystemExit(f"a run of {count} stages ends with {process.returncode}")
    bench.forget("memory")
    growth = last - tenth
    figure = f"{mebibytes(tenth)}, then {mebibytes(last)} at the end, in {time.monotonic() - begin:.0f} s"
    table.add(f"memory of {count} stages", figure, "+16 MiB", growth <= 16 * MIB)


def against_peers(table, bench, count):
    """Each peer in turn with us, after all have left the same files."""
    peers, missing = run_peers.find(bench.folder, count)
    for reason in missing:
        print(reason)
    wanted = {f"s{number:05}": f"s{number:05}" for number in range(count)}
    for peer in peers:
        ratios, theirs = [], []
        for _ in range(peer.rounds + 1):  # the first one does not count
            bench.forget("peer")
            mine = bench.run(count, "peer")
            other = peer.run()
            if bench.made("peer") != wanted or peer.made() != wanted:
                table.add(f"{peer.name} makes what we make", "no", "yes", False)
                break
            ratios.append(other.seconds / mine.seconds)
            theirs.append(other.seconds)
        else:
            ratios, theirs = ratios[1:], theirs[1:]
            figure = f"{median(ratios):.1f}x (least {min(ratios):.1f}x); {median(theirs):.2f} s there"
            within = not peer.budget or median(ratios) >= peer.budget
            table.add(f"{count} stages against {peer.name}", figure, f"{peer.budget}x" if peer.budget else "", within)


def main():
    program, toy = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = Bench(program, toy, pathlib.Path(name))
        for part, many in (
            (start_of_worker, ()),
            (many_stages, (count,)),
            (hashing, ()),
            (against_peers, (max(10, count * 3 // 10),)),
            (memory, (10 * count,)),  # last: a file system that holds so many files is slower
        ):
            part(table, bench, *many)
            print(f"{part.__name__}: {table.rows[-1][1]}", file=sys.stderr)  # the whole takes minutes
        bench.clean()
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
