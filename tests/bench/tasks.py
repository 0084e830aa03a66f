#!/usr/bin/env python3
"""C7: MMLU beside lm-eval's hf backend on the same CPU, same answers: tasks.py PROGRAM MODEL MMLU [PER_SUBJECT] [--peer-python PYTHON]

MODEL is a Hugging Face folder (SmolLM2-135M by `checkpoint.export`), MMLU a folder of CSV files, PYTHON one with lm-eval 0.4.13, transformers
5.17 and torch 2.11. Five subjects, the first PER_SUBJECT questions of each (0-shot 40, 5-shot 10 unless given). Both sides compute in fp32 on
two threads. The gate comes first: the same letters, but where lm-eval's two best are closer than 1e-2. Compared is the time of the questions
alone, without loading (the peer's is measured around its requests, ours is the stage's less that of one question a subject), and the whole
process; processor seconds stand beside both, since they mean something on a loaded machine too. Runs alternate; the median of the ratios is told.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SUBJECTS = ["abstract_algebra", "global_facts", "high_school_us_history", "marketing", "moral_scenarios"]
PEER = """
import json, sys, time, resource, tempfile, pathlib
sys.path.insert(0, sys.argv[5])
import make, torch
torch.set_num_threads(2)
from lm_eval.models.huggingface import HFLM
model = HFLM(pretrained=sys.argv[1], dtype="float32", device="cpu", batch_size=int(sys.argv[6]))
with tempfile.TemporaryDirectory() as scratch:
    tasks = [make.mmlu_task(pathlib.Path(scratch), sys.argv[2], subject, int(sys.argv[3]), int(sys.argv[4])) for subject in make.SUBJECTS]
    begin, cpu = time.perf_counter(), time.process_time()
    found = make.asked(model, tasks)
    took = {"seconds": time.perf_counter() - begin, "processor": time.process_time() - cpu}
print(json.dumps({"answers": {name.removeprefix("mmlu_"): one for name, one in found.items()}, **took,
                  "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def few_questions(mmlu, folder, count):
    """The first questions of the five subjects, as files of their own."""
    import csv

    for split, most in (("test", count), ("dev", 5)):
        (folder / split).mkdir(parents=True)
        for subject in SUBJECTS:
            name = f"{split}/{subject}_{split}.csv"
            with open(mmlu / name, newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))[: most + 1]
            with open(folder / name, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
    return folder


def ours(program, model, questions, shots, scratch):
    shutil.rmtree(scratch / "store", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    words = [program, "do", "evaluate.mmlu", f"model={model}/", f"questions={questions}", f"few_shot={shots}", "dtype=fp32", "launch.cores=2"]
    done = subprocess.run([*map(str, words), "--store", str(scratch / "store"), "--json"], capture_output=True, text=True, check=True,
                          env=dict(os.environ, STILLROOM_RUN_ROOT=str(scratch / "runs")))  # fmt: skip
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = pathlib.Path(json.loads(done.stdout)["result"]["outputs"]["report"]["path"])
    answers = json.loads((report / "report.json").read_text())["answers"]
    return answers, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def same(answers, peer):
    """The share of equal letters, and those that differ although lm-eval is sure."""
    equal = total = 0
    wrong = []
    for subject, one in peer.items():
        for i, (letter, logs) in enumerate(zip(answers[subject], one["logs"])):
            first, second = sorted(logs, reverse=True)[:2]
            total += 1
            equal += letter == one["answers"][i]
            if letter != one["answers"][i] and first - second > 1e-2:
                wrong.append((subject, i, letter, one["answers"][i]))
    return equal, total, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("mmlu", type=pathlib.Path)
    parser.add_argument("per_subject", type=int, nargs="?")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--shots", type=int, nargs="*", default=[0, 5])
    given = parser.parse_args()
    reference = HERE.parent / "reference/tasks"
    for shots in given.shots:
        count = given.per_subject or (40 if shots == 0 else 10)
        ratios, processor = [], []
        with tempfile.TemporaryDirectory(prefix="stillroom-tasks-") as name:
            scratch = pathlib.Path(name)
            questions = few_questions(given.mmlu, scratch / "mmlu", count)
            one = few_questions(given.mmlu, scratch / "one", 1)
            for _ in range(given.pairs):
                peer = json.loads(subprocess.run(
                    [given.peer_python, "-c", PEER, str(given.model), str(given.mmlu), str(count), str(shots), str(reference), "8"],
                    capture_output=True, text=True, check=True, env=dict(os.environ, OMP_NUM_THREADS="2")).stdout.splitlines()[-1])  # fmt: skip
                _, start, start_cpu = ours(given.program, given.model, one, 0, scratch)
                answers, seconds, cpu = ours(given.program, given.model, questions, shots, scratch)
                equal, total, wrong = same(answers, peer["answers"])
                if wrong:
                    print(f"{shots}-shot: other answers than lm-eval, no speed is told: {wrong}")
                    return 1
                ratios.append(peer["seconds"] / max(seconds - start, 1e-9))
                processor.append(peer["processor"] / max(cpu - start_cpu, 1e-9))
                print(f"{shots}-shot, {total} questions: lm-eval {peer['seconds']:.1f} s ({peer['processor']:.1f} processor s, {peer['rss'] // 1024} MiB), "
                      f"ours {seconds - start:.1f} s ({cpu - start_cpu:.1f}), with start {seconds:.1f} s; {equal} letters equal", flush=True)  # fmt: skip
            subprocess.run(["chmod", "-R", "u+w", name], check=False)
        print(f"{shots}-shot: {statistics.median(ratios):.2f} times lm-eval ({min(ratios):.2f} to {max(ratios):.2f}); "
              f"by processor seconds {statistics.median(processor):.2f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
