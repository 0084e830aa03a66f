#!/usr/bin/env python3
"""Importance, the scoring of candidates and cutting, beside PyTorch: prune.py PROGRAM TEXT MODEL [--mmlu FOLDER] [--jobs JOB...] [--rounds N]

TEXT is a file of prose, MODEL a folder of a small Llama (SmolLM2-135M), FOLDER MMLU's CSV files. The peers are re-creations of what
Model-Optimizer does, in PyTorch over transformers (prune_peer.py): hooks on the Hugging Face modules; candidates as contiguous copies of
slices, a row or question a pass, all logits. Both sides compute in fp32 with as many threads as there are cores. STILLROOM_BENCH_VENV names
their environment; where there is none only our own figures are taken. A speed is told only after both have given the same. The jobs:
importance (C6), questions, 5-shot and rows (C9: ten candidates by questions without and with five examples, and by the loss of rows), cut (C10). Ends with 1 when a budget is missed.
"""

import argparse
import csv
import datetime
import json
import math
import pathlib
import struct
import sys
import tempfile

import measure
from measure import median
from models import Bench, against, largest_tensor, memory, report_of, seconds_of

ROWS, LENGTH, SUBJECT, QUESTIONS = 16, 512, "marketing", {0: 40, 5: 12}
# Ten shapes: five widths at two depths, but for the original.
SEARCH = ["target.params=1.3e8", "top_k=10", "max_width_pruning=0.9", "max_depth_pruning=0.4", "skip=[hidden_size,num_attention_heads]",
          "divisors={ffn_hidden_size:256,num_layers:6}"]  # fmt: skip


class PruneBench(Bench):
    def peer(self, job, *words):
        if not self.python:
            return None
        one = measure.run([self.python, pathlib.Path(__file__).with_name("prune_peer.py"), job, *words], self.environment, keep_output=True)
        if one.code != 0:
            raise SystemExit(f"the peer cannot {job}: it ends with {one.code}")
        return one, json.loads(one.out)


def floats_of(folder, name):
    data = (folder / "scores.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    first, last = json.loads(data[8 : 8 + size])[name]["data_offsets"]
    return list(struct.unpack(f"<{(last - first) // 4}f", data[8 + size + first : 8 + size + last]))


def ranking(values):
    return sorted(range(len(values)), key=lambda i: (-values[i], i))


def importance(table, bench, model, tokens, rounds, _):
    """C6."""
    ours, theirs, floors = [], [], []
    for _ in range(rounds):
        _, result = bench.do("prune.importance", f"model={model}", f"calibration={tokens}", f"samples={ROWS}", f"sequence={LENGTH}")
        ours.append(seconds_of(result))
        scores = pathlib.Path(result["outputs"]["scores"]["path"])
        if other := bench.peer("importance", model, tokens, ROWS, LENGTH):
            for name in ("hidden", "layers"):
                mine, wanted = floats_of(scores, name), other[1][name]
                if not all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(mine, wanted)) or ranking(mine)[:16] != ranking(wanted)[:16]:
                    table.add(f"importance of {name} is the hooks'", "no", "yes", False)
                    return
            theirs.append(other[1]["seconds"])
            floors.append(other[1]["floor"])
    if not theirs:
        table.add("importance (C6)", f"{ROWS * LENGTH / median(ours):.0f} tokens/s", "", True)
        return
    against(table, "importance (C6): our whole stage, their passes alone (re-created)", ours, theirs, 1.3)
    shares = [floor / mine for floor, mine in zip(floors, ours)]
    table.add("importance against its matrix products alone", f"{median(shares):.0%}", "85%", median(shares) >= 0.85)


def measured(bench, model, tokens, store):
    words = [f"model={model}", f"calibration={tokens}", f"samples={ROWS}", f"sequence={LENGTH}"]
    _, result = bench.do("prune.importance", *words, store=store)
    return words, result["outputs"]["scores"]["path"]


def scoring_seconds(result, task):
    """Of a search its scoring alone, from the first pass to the last candidate's figure, as its record tells it."""
    lines = (pathlib.Path(result["run"]) / "logs/stage/rank-0000.log").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    begins = [one["ts"] for one in records if one["event"] == "progress" and one["what"].startswith("candidate 1 of")]
    ends = [one["ts"] for one in records if one["event"] == "log" and f": {task} " in one["text"]]
    return (datetime.datetime.fromisoformat(ends[-1]) - datetime.datetime.fromisoformat(begins[0])).total_seconds()


def candidates(table, bench, model, tokens, rounds, what, budget, settings, data, same):
    """C9. `data` is what the peer is asked, `same` holds both answers to each other."""
    ours, whole, theirs, floors, peak = [], [], [], [], 0
    for _ in range(rounds):
        store = bench.folder / f"store-{what}-{len(ours)}"
        words, scores = measured(bench, model, tokens, store)
        one, result = bench.do("prune.minitron", *words, *SEARCH, *settings, store=store)
        ours.append(scoring_seconds(result, "loss" if what == "rows" else "mmlu"))
        whole.append(seconds_of(result))
        peak = max(peak, one.peak)
        found = report_of(result)["candidates"]
        shapes = [{key: each[key] for key in ("num_layers", "ffn_hidden_size", "num_attention_heads", "layers")} for each in found]
        if other := bench.peer("candidates", model, scores, json.dumps(shapes), json.dumps(data)):
            if wrong := same(found, other[1]["found"]):
                table.add(f"{what} of candidates are the copies'", wrong, "yes", False)
                return
            theirs.append(other[1]["seconds"])
            floors.append(other[1]["floor"])
    table.add(f"{len(found)} candidates by {what}: memory", measure.mebibytes(peak), "", True)
    if not theirs:
        table.add(f"{len(found)} candidates by {what} (C9)", f"{median(ours):.1f} s", "", True)
        return
    against(table, f"{len(found)} candidates by {what} (C9), the scoring alone of both (theirs re-created)", ours, theirs, budget)
    figure = f"{median(whole):.1f} s: the model put in order, ties told apart by KL, a candidate written and compared"
    table.add(f"{len(found)} candidates by {what}: our whole stage", figure, "", True)
    figure = f"{median(floors):.1f} s, of which a search that shares layers needs fewer; {median(theirs) / median(floors):.1f}x is the most without"
    table.add(f"{len(found)} candidates by {what}: their matrix products alone", figure, "", True)


def by_rows(table, bench, model, tokens, rounds, _):
    def same(found, losses):
        mine = [one["tasks"]["loss"]["value"] for one in found]
        return "" if all(math.isclose(a, b, abs_tol=2e-3) for a, b in zip(mine, losses)) else f"{mine} and {losses}"

    data = {"index": str(tokens), "first": ROWS, "rows": 8, "length": LENGTH}
    candidates(table, bench, model, tokens, rounds, "rows", 3, ["score.task=loss", "score.rows=8"], data, same)


def by_questions(table, bench, model, tokens, rounds, mmlu, shots=0):
    count, folder = QUESTIONS[shots], bench.folder / f"mmlu-{shots}"
    for split, most in (("test", count), ("dev", 5)):
        (folder / split).mkdir(parents=True)
        name = f"{split}/{SUBJECT}_{split}.csv"
        with open(mmlu / name, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[: most + 1]
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    def same(found, answers):
        wrong = 0
        for one, theirs in zip(found, answers):
            mine = one["tasks"]["mmlu"]["answers"]
            wrong += sum(a != b and gap > 1e-2 for a, b, gap in zip(mine, theirs["letters"], theirs["gaps"]))
        return f"{wrong} differ" if wrong else ""

    settings = [f"questions={folder}", "score.task=mmlu", f"score.few_shot={shots}", "score.fraction=1", "score.subset=first", "score.rows=1"]
    data = {"mmlu": str(folder), "subject": SUBJECT, "shots": shots}
    candidates(table, bench, model, tokens, rounds, f"{shots}-shot questions", 8 if shots else 3, settings, data, same)


def by_examples(*given):
    """Which the questions of a subject share."""
    by_questions(*given, shots=5)


def cut(table, bench, model, tokens, rounds, _):
    """C10: a shape by hand, of scores that are there. `dd` writes new files as we do: pages that were freed just now are twice as fast."""
    ours, whole, disk, peak, store = [], [], [], 0, bench.folder / "store-cut"
    words, _ = measured(bench, model, tokens, store)
    for turn in range(rounds):
        one, result = bench.do("prune.minitron", *words, f"shape={{ffn_hidden_size:{1024 + 64 * turn}}}", store=store)
        whole.append(one.seconds)
        peak = max(peak, one.peak)
        lines = [json.loads(line) for line in (pathlib.Path(result["run"]) / "logs/stage/rank-0000.log").read_text().splitlines()]
        at = {line["event"]: datetime.datetime.fromisoformat(line["ts"]) for line in lines if line["event"] in ("decided", "hashed")}
        ours.append((at["hashed"] - at["decided"]).total_seconds())
        written = pathlib.Path(result["outputs"]["model"]["path"])
        copy = measure.run(["dd", f"if={written / 'model.safetensors'}", f"of={bench.folder / f'copy-{turn}'}", "bs=8M", "conv=fsync"])
        disk.append(copy.seconds)
    shares = [theirs / mine for mine, theirs in zip(ours, disk)]
    figure = f"{median(shares):.2f} (least {min(shares):.2f}); {median(ours):.2f} s, {median(disk):.2f} s"
    table.add("a cut, sliced, hashed and written, against dd", figure, "0.8", median(shares) >= 0.8)
    table.add("the whole process, which reads it back and compares logits", f"{median(whole):.2f} s", "", True)
    memory(table, "a cut", peak, largest_tensor(written))


JOBS = {"importance": importance, "questions": by_questions, "5-shot": by_examples, "rows": by_rows, "cut": cut}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("program", "text", "model"):
        parser.add_argument(name, type=lambda word: pathlib.Path(word).resolve())
    parser.add_argument("--mmlu", type=pathlib.Path)
    parser.add_argument("--jobs", nargs="*", choices=JOBS, default=list(JOBS))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = PruneBench(given.program, pathlib.Path(name))
        _, words = bench.do("data.tokenizer", f"source={given.model}", store=bench.folder / "store-words")
        _, result = bench.do(
            "data.tokenize", f"tokenizer={words['outputs']['tokenizer']['path']}", f"files={given.text}", store=bench.folder / "store-text"
        )
        tokens = next(pathlib.Path(result["outputs"]["data"]["path"]).glob("*.idx"))
        _, wide = bench.do("checkpoint.load", f"source={given.model}", "dtype=fp32", store=bench.folder / "store-wide")
        model = pathlib.Path(wide["outputs"]["model"]["path"])
        for job in given.jobs:
            if job in ("questions", "5-shot") and not given.mmlu:
                print("no questions: --mmlu names them")
                continue
            JOBS[job](table, bench, model, tokens, given.rounds, given.mmlu)
        measure.run(["chmod", "-R", "u+w", name])
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
