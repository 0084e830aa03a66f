#!/usr/bin/env python3
"""What train.distill and train.pretrain promise, through the program, on tiny models: stages.py PROGRAM [PART_OF_NAME]

STILLROOM_EXHAUSTIVE=1 interrupts at every step; else at a few of them.
"""

import array
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROMISES = []
EXHAUSTIVE = os.environ.get("STILLROOM_EXHAUSTIVE") == "1"
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


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


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
def a_stopped_run_goes_on_bitwise(bench):
    for step in range(1, STEPS) if EXHAUSTIVE else (1, 6, 11):
        store = bench.folder / f"stopped-{step}"
        bench.distil(f"stop.step={step}", code=75, store=store)
        answer = bench.distil(store=store)
        assert f"going on after step {step} of {STEPS}" in bench.logged(), bench.logged()
        same_bytes(bench.out(answer, "model"), bench.whole())
        assert bench.report(answer)["tokens"] == 64 * STEPS


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
def a_killed_run_goes_on_bitwise(bench):
    for step in range(2, STEPS + 1) if EXHAUSTIVE else (3, 9):
        store = bench.folder / f"killed-{step}"
        bench.distil("--allow-inject", "--inject", f"stage:{step}:sigkill", code=7, store=store)
        answer = bench.distil(store=store)
        same_bytes(bench.out(answer, "model"), bench.whole())
        assert step < 3 or "going on after step" in bench.logged(), bench.logged()


@promise
def a_signal_saves_and_the_run_goes_on(bench):
    long, store = ("steps=100000", "checkpoint.every=100000", "eval.batches=0"), bench.folder / "signalled"
    process = bench.start(*bench.distilling(*long), store=store)
    wait_until(lambda: bench.logged().count('"metric"') > 40)
    process.send_signal(signal.SIGTERM)
    assert "saved" in bench.end(process, 75)["log"]
    process = bench.start(*bench.distilling(*long), store=store)
    wait_until(lambda: "going on after step" in bench.logged())
    process.send_signal(signal.SIGTERM)
    bench.end(process, 75)


@promise
def layouts_of_two_ranks_come_to_the_same_model(bench):
    whole = tensors(bench.whole())
    for layout in ("tensor", "pipeline", "data"):
        found = bench.distil("ranks=2", f"parallel.{layout}=2")
        assert gap(tensors(bench.out(found, "model")), whole) < 1e-4, layout
        assert bench.report(found)["ranks"] == 2


@promise
def two_ranks_stop_and_one_goes_on(bench):
    store = bench.folder / "fewer"
    bench.distil("ranks=2", "parallel.tensor=2", "stop.step=5", code=75, store=store)
    answer = bench.distil(store=store)
    assert "going on after step 5" in bench.logged()
    assert gap(tensors(bench.out(answer, "model")), tensors(bench.whole())) < 1e-4


@promise
def p11_four_ranks_stop_then_two_and_one_goes_on(bench):
    store = bench.folder / "fewer-and-fewer"
    bench.distil("ranks=4", "parallel={tensor:2,pipeline:2}", "stop.step=4", code=75, store=store)
    bench.distil("ranks=2", "parallel.data=2", "stop.step=8", code=75, store=store)
    assert "going on after step 4" in bench.logged()
    answer = bench.distil(store=store)
    assert "going on after step 8" in bench.logged()
    assert gap(tensors(bench.out(answer, "model")), tensors(bench.whole())) < 1e-4


@promise
def p2_a_rank_that_stands_still_is_named(bench):
    begin = time.monotonic()
    answer = bench.distil(
        "ranks=2", "parallel.data=2", "++launch.timeout=6", "--allow-inject", "--inject", "stage:4:sigstop:1", code=7
    )
    assert "rank 1" in messages(answer), messages(answer)
    assert time.monotonic() - begin < 45


@promise
def n1_a_rate_that_is_too_large_stops_at_the_first_bad_step(bench):
    store = bench.folder / "far-too-fast"
    answer = bench.distil("optimizer.lr=1e30", "optimizer.clip=null", "eval.batches=0", code=6, store=store)
    assert "is not finite" in messages(answer) and "samples" in messages(answer), messages(answer)
    for state in store.glob("**/checkpoints/step-*"):
        for name, values in tensors_of(state / "model-00001-of-00001.safetensors").items():
            assert all(value == value and abs(value) != float("inf") for value in values), (state.name, name)


@promise
def a_dead_rank_is_named(bench):
    begin = time.monotonic()
    answer = bench.distil(
        "ranks=2", "parallel.tensor=2", "++launch.timeout=10", "--allow-inject", "--inject", "stage:4:sigkill:1", code=7
    )
    assert "rank 1" in messages(answer), messages(answer)
    assert time.monotonic() - begin < 50


@promise
def a_damaged_state_is_passed_over_and_named(bench):
    store = bench.folder / "damaged"
    bench.distil("stop.step=6", code=75, store=store)
    newest = sorted(store.glob("**/checkpoints/step-*"))[-1]
    assert newest.name.endswith("6"), newest
    file = max(newest.glob("*.safetensors"), key=lambda each: each.stat().st_size)
    data = bytearray(file.read_bytes())
    data[-5] ^= 64
    file.chmod(0o644)
    file.write_bytes(data)
    answer = bench.distil(store=store)
    assert "going on after step 5" in bench.logged() and newest.name in bench.logged(), bench.logged()
    same_bytes(bench.out(answer, "model"), bench.whole())


@promise
def a_weight_that_is_no_number_stops_or_is_counted(bench):
    broken = bench.folder / "broken"
    shutil.copytree(bench.student, broken)
    subprocess.run(["chmod", "-R", "u+w", broken], check=True)
    file = broken / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-4] + array.array("f", [float("nan")]).tobytes())
    answer = bench.distil("eval.batches=0", code=6, student=broken)
    assert "step 1:" in messages(answer) and "not finite" in messages(answer), messages(answer)
    report = bench.report(bench.distil("eval.batches=0", "on_nonfinite=skip", student=broken))
    assert report["nonfinite"] == report["skipped"] == STEPS, report


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
        assert "vocabulary of 64 does not fit 48 logits" in messages(bench.distil(code=3, **models))


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
