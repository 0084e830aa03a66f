"""What the rows by a real training share: a recipe whose models are tiny, and a look at what came out. Functions and no rows."""

import array
import pathlib

from harness import Skipped, check
from models import read_folder

STEPS = 21  # a state after each: resumed at every k from 1 to 20
MODEL = "vocab: 64, dtype: fp32, tied: false, layers: 2"
MADE = {
    "teacher": f"use: checkpoint.init, {MODEL}, hidden: 32, heads: 4, ffn: 48, std: 0.2, seed: 1",
    "student": f"use: checkpoint.init, {MODEL}, hidden: 16, heads: 2, ffn: 32, std: 0.1, seed: 2",
    "text": "use: data.mock, vocabulary: 64, documents: 60, max_length: 40",
}
SETTINGS = {
    "steps": STEPS, "sequence": 16, "global_batch": 4, "micro_batch": 1, "optimizer": "{lr: 1e-2}", "schedule": "{warmup: 2}",
    "checkpoint": "{every: 1}", "eval": "{batches: 1, every: 4}", "log": "{every: 1}", "loss": "{ce: {weight: 0.5}}", "precision": "fp32",
}  # fmt: skip
LAYOUTS = {"tensor": "{tensor: 2}", "pipeline": "{pipeline: 2}", "data": "{data: 2}"}


def need_training(bench):
    if not (bench.program.parent.parent / "plugins/train/train_compute.so").exists():
        raise Skipped("built without LibTorch")


def training(place, name="r.yaml", **settings):
    """A recipe whose stage `healed` is a training."""
    need_training(place.bench)
    text = ", ".join(f"{key}: {value}" for key, value in {**SETTINGS, **settings}.items())
    return place.recipe({**MADE, "healed": f"use: train.distill, teacher: teacher, student: student, data: text, {text}"}, name)


def healed(place):
    """The digest of what was trained: equal digests are equal bits."""
    return place.digests()["healed", "model"]


def whole(bench, **settings):
    """What an uninterrupted training comes to: its digest and its tensors."""
    with bench.place() as place:
        place.run("run", training(place, **settings)).expect(0)
        return healed(place), tensors(place)


def tensors(place):
    """Of the trained model, by name."""
    key = next(key for key in place.keys() if place.manifest(key)["stage"] == "healed")
    found = read_folder(place.store / key / "model")
    return {name: array.array("f", data) for name, (_, _, data) in found.items()}


def gap(one, other):
    """The largest difference of two models, by the length of each tensor."""
    check(set(one) == set(other), "not the same tensors")
    worst = 0.0
    for name, values in other.items():
        length = sum(value * value for value in values) ** 0.5
        worst = max(worst, sum((a - b) ** 2 for a, b in zip(one[name], values)) ** 0.5 / length)
    return worst


def states(place):
    """Folders of the states that are there, the newest last."""
    return sorted((place.store / "work").glob("**/checkpoints/step-*"))


def log_of(place, stage="healed"):
    """What the stage's first rank said in all runs."""
    files = sorted(pathlib.Path(place.work).glob(f"runs/*/*/logs/{stage}/rank-0000.log"), key=lambda file: file.stat().st_mtime)
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files if not file.parent.parent.parent.is_symlink())


def check_goes_on(place, recipe, expected, what, *words):
    """The next run needs no help, says where it goes on if there was something, and comes to the same bits."""
    place.check_whole()
    there = states(place)
    result = place.run("run", recipe, *words)
    check(result.code == 0, f"C2: {what}: {result}")
    check(healed(place) == expected, f"C12: {what}: other weights came out")
    if there:
        check("going on after step" in log_of(place), f"C2: {what}: began anew, though {there[-1].name} was there")
    place.check_whole()
    place.check_clean(what)
