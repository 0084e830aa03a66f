#!/usr/bin/env python3
"""Importance and the scoring of candidates, beside PyTorch: prune.py PROGRAM TEXT MODEL

TEXT is a file of prose, MODEL a folder of a small Llama (SmolLM2-135M). The peers are re-creations of what Model-Optimizer does, in PyTorch
over transformers (prune_peer.py): hooks on the Hugging Face modules; candidates as contiguous copies of slices, a row a pass, all logits.
STILLROOM_BENCH_VENV names their environment; where there is none only our own figures are taken. A speed is told only after both have
given the same. Ends with 1 when a budget is missed.
"""

import json
import math
import pathlib
import struct
import sys
import tempfile

import measure
from measure import median
from models import Bench, against, report_of, seconds_of

ROWS, LENGTH, ROUNDS = 16, 512, 3
SEARCH = ["target.params=1.2e8", "top_k=10", "max_width_pruning=0.9", "max_depth_pruning=0.4", "skip=[hidden_size]",
          "divisors={ffn_hidden_size:256,num_layers:6}", "score.task=loss", "score.rows=8"]  # fmt: skip


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


def importance(table, bench, model, tokens):
    """C6."""
    ours, theirs, floors = [], [], []
    for _ in range(ROUNDS):
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


def candidates(table, bench, model, tokens):
    """C9."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        store = bench.folder / f"store-candidates-{len(ours)}"
        words = [f"model={model}", f"calibration={tokens}", f"samples={ROWS}", f"sequence={LENGTH}"]
        _, measured = bench.do("prune.importance", *words, store=store)
        scores = measured["outputs"]["scores"]["path"]
        _, result = bench.do("prune.minitron", *words, *SEARCH, store=store)
        ours.append(seconds_of(result))
        report = report_of(result)
        shapes = [{key: one[key] for key in ("num_layers", "ffn_hidden_size", "num_attention_heads", "layers")} for one in report["candidates"]]
        if other := bench.peer("candidates", model, tokens, scores, json.dumps(shapes), ROWS, 8, LENGTH):
            mine = [one["tasks"]["loss"]["value"] for one in report["candidates"]]
            if not all(math.isclose(a, b, abs_tol=2e-3) for a, b in zip(mine, other[1]["losses"])):
                table.add("losses of candidates are the copies'", f"{mine} and {other[1]['losses']}", "yes", False)
                return
            theirs.append(other[1]["seconds"])
    count = len(report["candidates"])
    if not theirs:
        table.add(f"{count} candidates (C9)", f"{median(ours):.1f} s with writing", "", True)
        return
    against(table, f"{count} candidates (C9): our whole stage with writing, their passes alone (re-created)", ours, theirs, 3)


def main():
    program, text, model = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = PruneBench(program, pathlib.Path(name))
        _, words = bench.do("data.tokenizer", f"source={model}", store=bench.folder / "store-words")
        _, result = bench.do("data.tokenize", f"tokenizer={words['outputs']['tokenizer']['path']}", f"files={text}", store=bench.folder / "store-text")
        tokens = next(pathlib.Path(result["outputs"]["data"]["path"]).glob("*.idx"))
        importance(table, bench, model, tokens)
        candidates(table, bench, model, tokens)
        measure.run(["chmod", "-R", "u+w", name])
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
