#!/usr/bin/env python3
"""What train.distill and train.pretrain promise, through the program, on tiny models: stages.py PROGRAM [PART_OF_NAME]

What happens to a training that is stopped, killed or starved is in tests/matrix/training.py.
"""

import array
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

PROMISES = []
STEPS = 12
QUICK = (
    "sequence=16", f"steps={STEPS}", "global_batch=4", "micro_batch=1", "schedule.warmup=2", "optimizer.lr=1e-2", "checkpoint.every=1",
    "eval.batches=1", "eval.every=4", "log.every=1", "loss.ce.weight=0.5", "precision=fp32",
)  # fmt: skip


def promise(function):
    PROMISES.append(function)
    return function


def tensors(folder):
    return tensors_of(folder / "model.safetensors")


def tensors_of(file):
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    out = {}
    for name, about in header.items():
        if name != "__metadata__":
            first, last = about["data_offsets"]
            out[name] = array.array("f", data[8 + size + first : 8 + size + last])
    return out


def gap(one, other):
    """The largest difference of two models, by the length of each tensor."""
    assert set(one) == set(other)
    worst = 0.0
    for name, values in other.items():
        length = sum(value * value for value in values) ** 0.5
        worst = max(worst, sum((a - b) ** 2 for a, b in zip(one[name], values)) ** 0.5 / length)
    return worst


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.runs = 0
        self.teacher = self.made("checkpoint.init", "hidden=32", "layers=2", "heads=4", "ffn=48", "std=0.2", *self.small(1))
        self.student = self.made("checkpoint.init", "hidden=16", "layers=2", "heads=2", "ffn=32", "std=0.1", *self.small(2))
        self.data = self.made("data.mock", "vocabulary=64", "documents=60", "max_length=40", output="data")

    @staticmethod
    def small(seed):
        return "vocab=64", "dtype=fp32", f"seed={seed}", "tied=false"

    def made(self, *words, output="model"):
        return self.out(self.do(*words), output)

    def words(self, *words, store=None):
        return [str(word) for word in (self.program, *words, "--json", "--store", store or self.folder / "store")]

    def environment(self):
        return dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"), OMP_NUM_THREADS="1")

    def start(self, *words, store=None):
        return subprocess.Popen(
            self.words(*words, store=store), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def command(self, *words, code=0, store=None):
        return self.end(self.start(*words, store=store), code)

    def end(self, process, code=0):
        out, errors = process.communicate(timeout=120)
        try:
            answer = json.loads(out)
        except json.JSONDecodeError:
            raise AssertionError(out + errors) from None
        answer["log"] = errors
        assert process.returncode == code, (process.returncode, answer.get("problems"), errors[-2000:])
        return answer

    def do(self, *words, code=0):
        return self.command("do", *words, code=code)

    def distilling(self, *words, teacher=None, student=None):
        self.runs += 1
        given = f"teacher={teacher or self.teacher}", f"student={student or self.student}", f"data={self.data}"
        return "do", "train.distill", *given, *QUICK, *words, "--run-dir", self.folder / f"run-{self.runs}"

    def distil(self, *words, code=0, store=None, **models):
        """In a store of its own, or in one where an earlier one left its work."""
        command = self.distilling(*words, **models)
        return self.command(*command, code=code, store=store or self.folder / f"store-{self.runs}")

    def logged(self):
        """What the last one wrote down."""
        return "".join(file.read_text() for file in (self.folder / f"run-{self.runs}").glob("logs/stage/*.log"))

    def out(self, answer, output):
        return pathlib.Path(answer["result"]["outputs"][output]["path"])

    def report(self, answer):
        return json.loads((self.out(answer, "report") / "report.json").read_text())

    def whole(self):
        """What comes out of an uninterrupted run on one rank."""
        if not hasattr(self, "whole_"):
            self.whole_ = self.out(self.distil(), "model")
        return self.whole_


def messages(answer):
    return " | ".join(one["message"] for one in answer["problems"]) + answer["log"]


def same_bytes(one, other):
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@promise
def it_learns_and_says_so(bench):
    report = bench.report(bench.distil())
    assert report["steps"] == STEPS and report["samples"] == 4 * STEPS and report["tokens"] == 64 * STEPS, report
    first, last = report["validation"]["first"], report["validation"]["last"]
    assert last["total"] < 0.9 * first["total"], report
    assert report["skipped"] == 0 and report["ranks"] == 1


@promise
def a_run_folder_goes_on_with_other_ranks_and_stops_and_with_no_other_rate(bench):
    store = bench.folder / "same-folder"
    words = list(bench.distilling("stop.step=5"))
    bench.command(*words, code=75, store=store)
    words.remove("stop.step=5")
    answer = bench.command(*words, "optimizer.lr=1e-3", code=9, store=store)
    assert "1 key changed" in messages(answer), messages(answer)
    answer = bench.command(*words, "ranks=2", "parallel.data=2", "log.every=2", store=store)
    assert gap(tensors(bench.out(answer, "model")), tensors(bench.whole())) < 1e-4


@promise
def layouts_of_two_ranks_come_to_the_same_model(bench):
    whole = tensors(bench.whole())
    for layout in ("tensor", "pipeline", "data"):
        found = bench.distil("ranks=2", f"parallel.{layout}=2")
        assert gap(tensors(bench.out(found, "model")), whole) < 1e-4, layout
        assert bench.report(found)["ranks"] == 2


def with_a_nan(bench):
    """The student, one of whose weights is no number."""
    broken = bench.folder / "broken"
    if not broken.exists():
        shutil.copytree(bench.student, broken)
        subprocess.run(["chmod", "-R", "u+w", broken], check=True)
        file = broken / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-4] + array.array("f", [float("nan")]).tobytes())
    return broken


@promise
def a_weight_that_is_no_number_stops_or_is_counted(bench):
    broken = with_a_nan(bench)
    answer = bench.distil("eval.batches=0", code=6, student=broken)
    assert "step 1:" in messages(answer) and "not finite" in messages(answer), messages(answer)
    report = bench.report(bench.distil("eval.batches=0", "on_nonfinite=skip", student=broken))
    assert report["nonfinite"] == report["skipped"] == STEPS, report
    assert "nothing was learnt: all 12 steps were left out" in bench.logged(), bench.logged()


@promise
def a_validation_that_is_no_number_is_told_and_kept_from_the_best(bench):
    broken, store = with_a_nan(bench), bench.folder / "no-number"
    answer = bench.distil("on_nonfinite=skip", "stop.step=5", code=75, student=broken, store=store)
    assert "validation after step 4: the loss is not finite in some of 64 tokens" in messages(answer), messages(answer)
    point = json.loads(sorted(store.glob("**/checkpoints/step-*"))[-1].joinpath("state.json").read_text())
    assert point["first"]["ce"] == "nan" and point["best"] == {} and point["validated"] == 4, point
    answer = bench.distil("on_nonfinite=skip", student=broken, store=store)
    assert "going on after step 5" in bench.logged(), bench.logged()
    assert bench.report(answer)["validation"]["last"]["total"] is None


@promise
def a_loss_that_leaps_is_told(bench):
    steady = bench.distil("eval.batches=0")
    assert "and was about" not in messages(steady), messages(steady)
    # Of so few steps that on no machine the weights leave what numbers can hold.
    leaping = bench.distil("eval.batches=0", "steps=4", "optimizer={lr:8,clip:null}", "schedule={warmup:2,min_lr:0}", "loss.kl.temperature=0.2")
    assert "the loss is " in messages(leaping) and "and was about " in messages(leaping), messages(leaping)


@promise
def steps_that_are_named_are_left_out_by_all_ranks(bench):
    words = "eval.batches=0", "skip_steps=[3,7]"
    answer = bench.distil(*words)
    report = bench.report(answer)
    assert (report["skipped"], report["nonfinite"], report["steps"], report["tokens"]) == (2, 0, STEPS, 64 * STEPS), report
    for text in ("step 3 is left out, as skip_steps says: samples 8 to 11", "step 7 is left out, as skip_steps says: samples 24 to 27"):
        assert text in messages(answer), messages(answer)
    one = tensors(bench.out(answer, "model"))
    assert gap(one, tensors(bench.whole())) > 1e-3
    two = bench.distil(*words, "ranks=2", "parallel.data=2")
    assert bench.report(two)["skipped"] == 2 and gap(tensors(bench.out(two, "model")), one) < 1e-4


@promise
def a_teacher_lies_on_the_ranks_as_it_is_asked_to(bench):
    teacher = bench.made("checkpoint.init", "hidden=32", "layers=3", "heads=4", "ffn=48", "std=0.2", *bench.small(3))
    hidden = "loss.hidden=[{student: layers.1, teacher: layers.1}]"
    whole = tensors(bench.out(bench.distil(hidden, teacher=teacher), "model"))
    for ranks, layout in (
        (2, "{tensor: 2, teacher: {tensor: 1}}"),
        (2, "{pipeline: 2, teacher: {pipeline: 1}}"),
        (2, "{pipeline: 2, teacher: {num_layers_in_first_pipeline_stage: 1}}"),
        (4, "{tensor: 2, pipeline: 2, teacher: {pipeline: 1}}"),
        (4, "{tensor: 2, pipeline: 2, teacher: {tensor: 1, num_layers_in_last_pipeline_stage: 2}}"),
    ):
        found = bench.distil(hidden, f"ranks={ranks}", f"parallel={layout}", teacher=teacher)
        assert gap(tensors(bench.out(found, "model")), whole) < 1e-4, layout
    for layout, says, hint in (
        ("{tensor: 2, teacher: {tensor: 4}}", "tensor 4 of the teacher: its student has 2", "1 or 2"),
        ("{data: 2, teacher: {pipeline: 2}}", "pipeline 2 of the teacher: its student has 1", "1"),
        ("{pipeline: 2, teacher: {num_layers_in_first_pipeline_stage: 3}}", "3 layers - first 3 = 0, too few", "at most 2"),
    ):
        problem = bench.distil("ranks=2", f"parallel={layout}", teacher=teacher, code=2)["problems"][0]
        assert says in problem["message"] and hint in problem["hint"] and "parallel" in json.dumps(problem), problem


@promise
def data_that_is_read_again_is_told(bench):
    assert "longer than all of the data" in messages(bench.distil("sequence=2000", "steps=3", "eval.batches=0", "checkpoint.every=3"))
    assert "samples of 16 tokens read the data's" in messages(bench.distil("steps=200", "checkpoint.every=200", "eval.batches=0"))


@promise
def validation_alone_hands_the_student_on(bench):
    answer = bench.distil("validate_only=true")
    same_bytes(bench.out(answer, "model"), bench.student)
    assert bench.report(answer)["validation"]["first"]["kl"] > 0


@promise
def a_gate_that_is_missed_fails_the_run(bench):
    bench.distil("gate={validation.last.total:{max:100}}")
    answer = bench.distil("gate={validation.last.total:{max:0.001}}", code=8)
    assert "validation.last.total" in messages(answer), messages(answer)


@promise
def pretraining_learns_the_text(bench):
    given = f"model={bench.student}", f"data={bench.data}"
    quick = [word for word in QUICK if not word.startswith("loss.")]
    answer = bench.do("train.pretrain", *given, *quick, "split='80,20,0'", "ranks=2", "parallel.pipeline=2")
    report = bench.report(answer)
    assert report["validation"]["last"]["ce"] < report["validation"]["first"]["ce"], report


@promise
def what_a_newcomer_gets_wrong_is_told_with_a_way_out(bench):
    other = bench.made("checkpoint.init", "hidden=16", "layers=2", "heads=2", "ffn=32", "vocab=48", "dtype=fp32")
    wrongs = (
        (("schedule.warmup=50",), 2, "50 steps", "schedule.warmup"),
        (("schedule.kind=wsd",), 2, "tail_steps", "schedule.tail_steps: 1"),
        (("optimizer.lr=1e-6",), 2, "min_lr", "schedule.min_lr: "),
        (("loss.kl.top_p=0.9",), 2, "has no top_k", "top_k: 1024"),
        (("global_batch=3", "micro_batch=2"), 2, "global_batch 3", "nearest 2, 4"),
        (("loss.hidden=[{student:layers.7,teacher:layers.0}]",), 2, "has 2 layers", "layers.0 to layers.1"),
        (("optimizer.no_decay=[nothing.*]",), 2, "'nothing.*'", "model.embed_tokens.weight"),
        (("ranks=2", "parallel.pipeline=2", "parallel.num_layers_in_first_pipeline_stage=3"), 2, "2 layers - first 3 = -1, too few", "at most 1"),
    )
    for words, code, says, hint in wrongs:
        answer = bench.distil(*words, code=code)
        problem = answer["problems"][0]
        assert says in problem["message"] and hint in (problem["hint"] or ""), (words, problem)
    for models in ({"student": other}, {"teacher": other}):
        assert "vocabulary of 64 does not fit the 48 logits of the " in messages(bench.distil(code=3, **models))


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="train-") as folder:
        bench = Bench(program, pathlib.Path(folder))
        for function in PROMISES:
            name = function.__name__.replace("_", " ")
            if part not in name:
                continue
            begin = time.monotonic()
            try:
                function(bench)
                print(f"ok    {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as error:  # noqa: BLE001 - each promise is told by itself
                failed += 1
                print(f"FAIL  {name}: {type(error).__name__} {str(error)[:3000]}", flush=True)
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
