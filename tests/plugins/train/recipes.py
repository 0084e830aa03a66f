#!/usr/bin/env python3
"""The library's recipes that prune and distill: recipes.py PROGRAM RECIPES

RECIPES is the folder recipes/. Those for Qwen3-8B are planned from its config.json alone; the stage type that they share is run twice on a
tiny model, and what comes out is the model that `iterate` promises: smaller each time, loadable, healed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
    "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    "max_position_embeddings": 40960, "rope_theta": 1000000, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}  # fmt: skip

TWICE = """recipe: twice
stages:
  base: {use: checkpoint.init, family: qwen3, layers: 4, hidden: 64, ffn: 128, heads: 4, kv_heads: 2, vocab: 512, seed: 5}
  text: {use: data.mock, vocabulary: 500, documents: 40, seed: 3}
  first: {use: prune-then-distill, teacher: base, corpus: text, target: 190000, steps: 3}
  second: {use: prune-then-distill, teacher: first, corpus: text, target: 160000, steps: 3}
  seen: {use: checkpoint.inspect, model: second}
outputs: {model: second, report: seen}
"""

SMALL = [
    f"stages.{which}.stages.{setting}"
    for which in ("first", "second")
    for setting in (
        "student.samples=8", "student.sequence=64", "student.allow_short=true", "student.score={task: loss, rows: 2}",
        "student.top_k=2", "student.divisors={hidden_size: 16, ffn_hidden_size: 32}", "student.tolerance=0.2",
        "healed.sequence=32", "healed.global_batch=4", "healed.micro_batch=4",
        "healed.schedule.warmup=1", "healed.eval.batches=0", "healed.precision=fp32")
]  # fmt: skip


def main():
    program, recipes = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="train-recipes-") as name:
        folder = pathlib.Path(name)

        def answer(*arguments):
            done = subprocess.run([str(program), *map(str, arguments), "--store", folder / "store", "--json", "--offline"],
                                  capture_output=True, text=True, cwd=folder)  # fmt: skip
            if done.returncode != 0:
                sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
            return json.loads(done.stdout)["result"]

        model = folder / "qwen3-8b"
        model.mkdir()
        (model / "config.json").write_text(json.dumps(QWEN3_8B))
        (folder / "text.jsonl").write_text('{"text": "a"}\n')
        here = [f"model.source={model}/", f"data.files={folder}/text.jsonl"]
        planned = answer("plan", recipes / "iterate.yaml", *here)["stages"]
        names = [stage["name"] for stage in planned]
        for stage in ("first/student", "first/healed", "second/student", "second/healed", "export"):
            assert stage in names, names
        first = next(stage for stage in planned if stage["name"] == "first/student")["describe"]
        assert first["fit"] == 416, first["fit"]
        answer("plan", recipes / "qwen3-8b-to-6b.yaml", f"stages.teacher.source={model}/", here[1])

        (folder / "twice.yaml").write_text(TWICE)
        done = answer("run", folder / "twice.yaml", *SMALL, "--config-dir", recipes)
        report = pathlib.Path(done["outputs"]["report"]["path"]) / "report.json"
        total = json.loads(report.read_text())["parameters"]["total"]
        assert total <= 160000, total
        again = answer("run", folder / "twice.yaml", *SMALL, "--config-dir", recipes)
        assert all(stage["state"] == "cached" for stage in again["stages"]), again["stages"]
    print("recipes: ok")


main()
