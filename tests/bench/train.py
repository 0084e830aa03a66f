#!/usr/bin/env python3
"""A training step, beside a plain loop over transformers: train.py PROGRAM TEXT MODEL [JOB...]

TEXT is a file of prose, MODEL a folder of a small Llama with its tokenizer (SmolLM2-135M, out of checkpoint.load). The jobs: `distill`, MODEL into its
first half; `words`, random models of 151,936 words; `pretrain`, the half alone; `ranks`, two processes in each layout beside one; `overhead`, the time
between steps and before the first. STILLROOM_BENCH_VENV names the environment of the peers (train_peer.py: the loop, and TRL's GKD trainer where it is), which get the very same rows; a speed is told
only when the first step's loss is the same. Both keep what they take in fp32, AdamW, clip 1. Ends with 1 when a budget is missed.
"""

import datetime
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import measure
from measure import median
from models import Bench, report_of

ROUNDS, STEPS = 3, 6  # the first step of each round warms up and does not count
LR = 1e-4
QWEN_WORDS = 151_936


def steady(run, name):
    """Each step's value of a metric, out of what the worker told."""
    (log,) = pathlib.Path(run).glob("logs/stage/rank-0000.log")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return [one["value"] for one in events if one.get("event") == "metric" and one["name"] == name], events


class Workload:
    def __init__(self, bench, name, stage, ports, data, batch, length):
        self.bench, self.name, self.stage, self.ports, self.data = bench, name, stage, ports, data
        self.batch, self.length, self.count = batch, length, 0
        self.rows = bench.folder / f"{name}.json"

    def settings(self, steps):
        return [f"data={self.data}", f"steps={steps}", f"sequence={self.length}", f"global_batch={self.batch}", f"micro_batch={self.batch}",
                "precision=fp32", "eval.batches=0", f"checkpoint.every={steps}", "log.every=1", "schedule.kind=constant", "schedule.warmup=0",
                f"optimizer.lr={LR}", "split='100,0,0'"]  # fmt: skip

    def ours(self, *more, steps=STEPS):
        """(seconds of each step that is told but the first, its losses, peak, what happened)."""
        self.count += 1
        words = [f"{port}={folder}" for port, folder in self.ports.items()]
        store = self.bench.folder / f"store-{self.name}-{self.count}"
        _, result = self.bench.do(self.stage, *words, *self.settings(steps), *more, store=store)
        speeds, events = steady(result["run"], "tokens a second")
        losses, _ = steady(result["run"], "loss")
        peak = report_of(result)["peak_memory_bytes"]
        measure.run(["chmod", "-R", "u+w", store])
        shutil.rmtree(store)
        return [self.batch * self.length / speed for speed in speeds[1:]], losses, peak, events

    def write_rows(self):
        """The rows of the first steps, as the product itself shows them."""
        settings = [f"data={self.data}", f"sequence={self.length}", f"rows={self.batch * STEPS}", f"show_tokens={self.length + 1}", "documents=0", "scan=0"]
        _, result = self.bench.do("data.inspect", *settings)
        self.rows.write_text(json.dumps([row["ids"] for row in report_of(result)["batch"]["rows"]]))

    def theirs(self, trl=None):
        """The same of the peer, and its floor; nothing where there is none. `trl`: of TRL's trainer, with that tokenizer in its hand."""
        if not self.bench.python:
            return None
        teacher, student = self.ports.get("teacher"), self.ports.get("student") or self.ports["model"]
        job = {"teacher": teacher and str(teacher), "student": str(student), "ids": str(self.rows), "batch": self.batch, "lr": LR, "trl": trl and str(trl)}
        words = [self.bench.python, pathlib.Path(__file__).with_name("train_peer.py"), json.dumps(job)]
        out = subprocess.run(words, input="step\n" * STEPS, check=True, stdout=subprocess.PIPE, text=True).stdout
        lines = [json.loads(line) for line in out.splitlines()]
        steps, end = lines[:-1], lines[-1]
        return [one["seconds"] for one in steps[1:]], [one["loss"] for one in steps], end["peak"], end.get("floor")

    def compare(self, table, gain, share, memory, trl=None):
        self.write_rows()
        ratios, trl_ratios, shares, speeds, ours_peak, theirs_peak = [], [], [], [], [], []
        for _ in range(ROUNDS):
            seconds, losses, peak, _ = self.ours()
            speeds.append(self.batch * self.length / median(seconds))
            ours_peak.append(peak)
            if other := self.theirs():
                if abs(losses[0] - other[1][0]) > 1e-3:
                    table.add(f"{self.name}: the first loss is the peer's", f"{losses[0]} and {other[1][0]}", "1e-3", False)
                    return
                ratios.append(median(other[0]) / median(seconds))
                shares.append(other[3] / median(seconds))
                theirs_peak.append(other[2])
            if trl and (other := self.theirs(trl)):
                if abs(losses[0] - other[1][0]) > 1e-3:
                    table.add(f"{self.name}: the first loss is TRL's", f"{losses[0]} and {other[1][0]}", "1e-3", False)
                    return
                trl_ratios.append(median(other[0]) / median(seconds))
        what = f"{self.name}, {self.batch} x {self.length}"
        if not ratios:
            table.add(what, f"{median(speeds):.0f} tokens/s, {measure.mebibytes(median(ours_peak))}", "", True)
            return
        figure = f"{median(ratios):.2f}x (least {min(ratios):.2f}x); {median(speeds):.0f} tokens/s"
        table.add(f"{what} against a transformers loop", figure, f"{gain:g}x", median(ratios) >= gain)
        if trl_ratios:
            table.add(f"{what} against TRL's GKD trainer", f"{median(trl_ratios):.2f}x (least {min(trl_ratios):.2f}x)", "1.3x", median(trl_ratios) >= 1.3)
        if share:
            table.add(f"{what} against its matrix products alone", f"{median(shares):.0%}", f"{share:.0%}", median(shares) >= share)
        part = median(ours_peak) / median(theirs_peak)
        table.add(f"{what}: memory", f"{part:.2f}; {measure.mebibytes(median(ours_peak))}", f"{memory:g}", part <= memory)


def half_of(model, folder):
    """The first half of a model's layers, as a folder."""
    folder.mkdir()
    for file in model.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((model / "config.json").read_text())
    layers = config["num_hidden_layers"] = config["num_hidden_layers"] // 2
    (folder / "config.json").write_text(json.dumps(config))
    data = (model / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, end, kept = json.loads(data[8 : 8 + size]), 0, []
    for name in list(header):
        place = name.split(".")
        if name == "__metadata__":
            continue
        if place[1] == "layers" and int(place[2]) >= layers:
            del header[name]
            continue
        begin, last = header[name]["data_offsets"]
        kept.append(data[8 + size + begin : 8 + size + last])
        header[name]["data_offsets"] = [end, end + last - begin]
        end += last - begin
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(kept))
    return folder


def random_workload(bench, name, words, models, batch, length):
    """Of models that say nothing, teacher and student as (layers, hidden)."""
    folders = {}
    for port, (layers, hidden) in zip(("teacher", "student"), models):
        shape = ["family=qwen3", f"hidden={hidden}", f"layers={layers}", f"heads={hidden // 64}", f"kv_heads={hidden // 128}", "head_dim=64",
                 f"ffn={3 * hidden}", f"vocab={words}", "tied=true", "dtype=fp32"]  # fmt: skip
        _, result = bench.do("checkpoint.init", *shape)
        folders[port] = pathlib.Path(result["outputs"]["model"]["path"])
    _, result = bench.do("data.mock", f"vocabulary={words}", "documents=100", "max_length=2000")
    return Workload(bench, name, "train.distill", folders, result["outputs"]["data"]["path"], batch, length)


def has_trl(bench):
    """Whether the peers' environment has TRL."""
    return bool(bench.python) and subprocess.run([bench.python, "-c", "import trl"], capture_output=True).returncode == 0


def ranks(table, work):
    """C11: two processes that share two cores against one that has both; ideal is the same time. The pipeline has eight micro-batches, and as many
    layers on its last stage as make that as long as the first."""
    one, losses, _, _ = work.ours("micro_batch=4")
    layouts = {"DP2": ["micro_batch=4"], "TP2": ["micro_batch=4", "parallel.tensor=2"],
               "PP2": ["micro_batch=2", "parallel.pipeline=2", "parallel.num_layers_in_last_pipeline_stage=2"]}  # fmt: skip
    for name, settings in layouts.items():
        seconds, other, _, _ = work.ours("ranks=2", *settings)
        if abs(other[0] - losses[0]) > 1e-5:
            table.add(f"{name}: the first loss is one process's", f"{other[0]} and {losses[0]}", "1e-5", False)
            continue
        off = median(seconds) / median(one) - 1
        table.add(f"{name} on two processes, off one's time", f"{off:.0%}", "15%", off <= 0.15)


def overhead(table, work):
    """What passes from one step to the next beside the steps themselves, all of them told, and before the first."""
    _, _, _, events = work.ours(steps=10)
    times = [datetime.datetime.fromisoformat(one["ts"].replace("Z", "+00:00")).timestamp() for one in events]
    ends, seconds = zip(*((at, work.batch * work.length / one["value"]) for at, one in zip(times, events) if one.get("name") == "tokens a second"))
    between = median([later - earlier - own for earlier, later, own in zip(ends, ends[1:], seconds[1:])])
    table.add("between two steps", measure.milliseconds(between), "0.5 ms", between <= 0.0005)
    start = ends[0] - seconds[0] - times[0]
    table.add("from a worker's start to the first step", f"{start:.2f} s", "2 s", start <= 2)


def main():
    program, text, model = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    jobs = sys.argv[4:] or ["distill", "words", "pretrain", "ranks", "overhead"]
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = Bench(program, pathlib.Path(name))
        half = half_of(model, bench.folder / "half")
        _, words = bench.do("data.tokenizer", f"source={model}")
        _, result = bench.do("data.tokenize", f"tokenizer={words['outputs']['tokenizer']['path']}", f"files={text}")
        data = result["outputs"]["data"]["path"]
        trl = model if has_trl(bench) else None
        distill = Workload(bench, "distill", "train.distill", {"teacher": model, "student": half}, data, 4, 256)
        if "distill" in jobs:
            distill.compare(table, 1.35, 0.8, 0.55, trl=trl)
        if "words" in jobs:
            # C5: little models, a large head.
            work = random_workload(bench, "151,936 words", QWEN_WORDS, [(8, 512), (4, 256)], 4, 512)
            work.compare(table, 1.8, 0.8, 0.25, trl=trl)
        if "pretrain" in jobs:
            Workload(bench, "pretrain", "train.pretrain", {"model": half}, data, 4, 256).compare(table, 1.3, None, 0.75)
        if "ranks" in jobs:
            ranks(table, random_workload(bench, "ranks", 16_384, [(16, 512), (8, 512)], 16, 256))
        if "overhead" in jobs:
            overhead(table, distill)
        measure.run(["chmod", "-R", "u+w", name])
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
