#!/usr/bin/env python3
"""What the prune stages promise, on tiny models: stages.py PROGRAM REFERENCE [PART_OF_NAME]

REFERENCE is tests/reference/prune: importances and cuts by PyTorch for each family, and what Model-Optimizer itself made of a model.
Weights are made from their names, as tests/reference/models/make.py makes them.
"""

import array
import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

PROMISES = []
MASK = 2**64 - 1


def promise(function):
    PROMISES.append(function)
    return function


def weight(name, shape, around_zero):
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & MASK
    out = array.array("f")
    is_norm, plain = "norm" in name, "embed_tokens" in name or "lm_head" in name
    for i in range(math.prod(shape)):
        x = (i + seed + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        value = (((x ^ (x >> 31)) >> 56) - 128) / 128
        if is_norm:
            value /= 4
            if name.endswith("weight") and not around_zero:
                value = 1 + round(value * 128) / 128
        elif not plain:
            value /= 4
        out.append(value)
    return out


def write_tensors(file, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (shape, values) in sorted(tensors.items()):
        piece = values.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header)
    text += " " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text.encode() + data)


def read_tensors(file):
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    out = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        first, last = about["data_offsets"]
        out[name] = (about["dtype"], about["shape"], data[8 + size + first : 8 + size + last])
    return out


def floats(tensor):
    dtype, _, data = tensor
    return list(array.array({"F32": "f", "F64": "d"}[dtype], data))


def write_rows(prefix, rows):
    """A Megatron dataset, a row a document."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    ids = array.array("i", [token for row in rows for token in row])
    prefix.with_suffix(".bin").write_bytes(ids.tobytes())
    lengths, offsets, at = array.array("i", [len(row) for row in rows]), array.array("q"), 0
    for row in rows:
        offsets.append(at)
        at += 4 * len(row)
    bounds = array.array("q", range(len(rows) + 1))
    head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 4, len(rows), len(rows) + 1)
    prefix.with_suffix(".idx").write_bytes(head + lengths.tobytes() + offsets.tobytes() + bounds.tobytes())
    return prefix.with_suffix(".idx")


class Bench:
    def __init__(self, program, reference, folder):
        self.program, self.reference, self.folder = program, reference, folder
        self.cases = {case["name"]: case for case in json.loads((reference / "cases.json").read_text())}
        self.minitron = json.loads((reference / "minitron" / "expected.json").read_text())

    def command(self, *words, code=0):
        words = [str(word) for word in (self.program, *words, "--store", self.folder / "store", "--json")]
        environment = dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"))
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(done.stdout + done.stderr) from None
        assert done.returncode == code, (done.returncode, answer.get("problems"), done.stderr[-2000:])
        return answer

    def do(self, *words, code=0):
        return self.command("do", *words, code=code)

    def out(self, answer, output):
        """Where an output of the stage lies."""
        return pathlib.Path(answer["result"]["outputs"][output]["path"])

    def model(self, name):
        folder = self.folder / "models" / name
        if folder.exists():
            return folder
        case = self.cases[name]
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(case["config"], indent=2) + "\n")
        write_tensors(
            folder / "model.safetensors",
            {tensor: (shape, weight(tensor, shape, case["around_zero"])) for tensor, shape in case["tensors"].items()},
        )
        return folder

    def rows(self, name, rows):
        return write_rows(self.folder / "rows" / name, rows)

    def importance(self, name, rows, *words, code=0, model=None):
        length = max(len(row) for row in rows)
        data = self.rows(hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12], rows)
        return self.do(
            "prune.importance", f"model={model or self.model(name)}", f"calibration={data}", f"sequence={length}",
            f"samples={len(rows)}", *words, code=code,
        )  # fmt: skip

    def scores(self, name, rows, *words, model=None):
        return read_tensors(self.out(self.importance(name, rows, *words, model=model), "scores") / "scores.safetensors")


def close(found, wanted, relative):
    assert len(found) == len(wanted), (len(found), len(wanted))
    for a, b in zip(found, wanted):
        assert abs(a - b) <= relative * max(abs(b), 1e-3), (a, b)


def ranking(values):
    return sorted(range(len(values)), key=lambda i: (-values[i], i))


@promise
def importance_of_every_family_is_what_the_formulas_say(bench):
    for name, case in bench.cases.items():
        scores, wanted = bench.scores(name, case["ids"]), case["scores"]
        close(floats(scores["hidden"]), wanted["hidden"], 1e-5)
        close(floats(scores["layers"]), wanted["layers"], 1e-5)
        assert ranking(floats(scores["layers"])) == ranking(wanted["layers"]), name
        for layer in range(len(wanted["layers"])):
            close(floats(scores[f"ffn.{layer}"]), wanted["ffn"][layer], 1e-5)
            close(floats(scores[f"heads.{layer}"]), wanted["heads"][layer], 1e-5)
            assert scores[f"raw.ffn.{layer}"][0] == "F64"


@promise
def scores_do_not_depend_on_the_batch(bench):
    case = bench.cases["qwen3"]
    one, all_rows = (bench.scores("qwen3", case["ids"], f"batch={batch}") for batch in (1, 5))
    for name in one:
        close(floats(one[name]), floats(all_rows[name]), 1e-6)


@promise
def padding_never_enters_and_a_short_row_counts_as_it_is(bench):
    """The last row is shorter: the others' scores are those of a run without it."""
    case = bench.cases["llama"]
    whole = bench.scores("llama", case["ids"][:2])
    short = bench.scores("llama", [*case["ids"][:2], case["ids"][2][:5]])
    alone = bench.scores("llama", [case["ids"][2][:5]])
    for layer in range(3):
        sums = [a + b for a, b in zip(floats(whole[f"raw.ffn.{layer}"]), floats(alone[f"raw.ffn.{layer}"]))]
        close(floats(short[f"raw.ffn.{layer}"]), sums, 1e-5)


@promise
def a_cut_is_what_index_select_makes_byte_for_byte(bench):
    for name, case in bench.cases.items():
        length = len(case["ids"][0])
        data = bench.rows(name, case["ids"])
        shape = ",".join(f"{key}:{value}" for key, value in case["shape"].items())
        answer = bench.do(
            "prune.minitron", f"model={bench.model(name)}", f"calibration={data}", f"sequence={length}",
            f"samples={len(case['ids'])}", f"shape={{{shape}}}",
            "divisors={hidden_size:8,ffn_hidden_size:8}",
        )  # fmt: skip
        folder = bench.out(answer, "model")
        tensors = read_tensors(folder / "model.safetensors")
        assert set(tensors) == set(case["pruned"]), (name, set(tensors) ^ set(case["pruned"]))
        for tensor, digest in case["pruned"].items():
            assert hashlib.sha256(tensors[tensor][2]).hexdigest()[:16] == digest, (name, tensor)
        index = json.loads((folder / "index_map.json").read_text())
        assert index["hidden"] == case["kept"]["hidden"] and index["layers"] == case["kept"]["layers"], name
        config = json.loads((folder / "config.json").read_text())
        assert config["num_attention_heads"] == case["shape"]["num_attention_heads"]
        assert config["hidden_size"] == case["shape"]["hidden_size"]
        assert "head_dim" in config, name
        report = json.loads((bench.out(answer, "report") / "report.json").read_text())
        assert report["check"]["max_difference"] < 1e-4, (name, report["check"])
        provenance = json.loads((folder / "stillroom_prune.json").read_text())
        assert provenance["layers"] == case["kept"]["layers"]


@promise
def pruned_models_compute_what_transformers_computes_with_them(bench):
    """logits.bin: of the first two rows of each case."""
    wanted = array.array("f", (bench.reference / "logits.bin").read_bytes())
    at = 0
    for name, case in bench.cases.items():
        length, vocab = len(case["ids"][0]), case["config"].get("vocab_size", 64)
        data = bench.rows(name, case["ids"])
        shape = ",".join(f"{key}:{value}" for key, value in case["shape"].items())
        answer = bench.do(
            "prune.minitron", f"model={bench.model(name)}", f"calibration={data}", f"sequence={length}",
            f"samples={len(case['ids'])}", f"shape={{{shape}}}", "divisors={hidden_size:8,ffn_hidden_size:8}",
        )  # fmt: skip
        folder = bench.out(answer, "model")
        for row in case["ids"][:2]:
            said = bench.do("evaluate.logits", f"model={folder}", f"ids=[{row}]", "dtype=fp32")
            found = floats(next(iter(read_tensors(next(bench.out(said, "report").glob("*.safetensors"))).values())))
            mine = wanted[at : at + length * vocab]
            at += length * vocab
            largest = max(abs(value) for value in mine)
            assert max(abs(a - b) for a, b in zip(found, mine)) <= 2e-5 * max(1, largest), name


@promise
def what_model_optimizer_itself_computed_comes_out(bench):
    """Its layer scores are sums over calls, so each call's rows are measured apart."""
    known, model = bench.minitron, bench.reference / "minitron"
    scores = bench.scores(None, known["ids"], model=model)
    close(floats(scores["hidden"]), known["hidden"], 1e-6)
    assert ranking(floats(scores["hidden"])) == known["order"]
    for layer in range(4):
        close(floats(scores[f"ffn.{layer}"]), known["ffn"][layer], 1e-6)
        close(floats(scores[f"heads.{layer}"]), known["heads"][layer], 1e-6)
    calls, first = [0.0] * 4, 0
    for count in known["batches"]:
        call = bench.scores(None, known["ids"][first : first + count], model=model)
        calls = [a + b / count for a, b in zip(calls, floats(call["layers"]))]
        first += count
    close(calls, known["layers"], 1e-5)
    data = bench.rows("minitron", known["ids"])
    shape = ",".join(f"{key}:{value}" for key, value in known["shape"].items())
    answer = bench.do(
        "prune.minitron", f"model={model}", f"calibration={data}", "sequence=32", "samples=8", f"shape={{{shape}}}",
        "divisors={hidden_size:16,ffn_hidden_size:16}",
    )  # fmt: skip
    folder = bench.out(answer, "model")
    assert json.loads((folder / "index_map.json").read_text())["layers"] == known["kept_layers"]
    tensors = read_tensors(folder / "model.safetensors")
    assert set(tensors) == set(known["tensors"])
    for name, digest in known["tensors"].items():
        assert hashlib.sha256(tensors[name][2]).hexdigest() == digest, name


SEARCH = ("target.params=60000", "divisors={hidden_size:16,ffn_hidden_size:16,num_layers:1}", "max_width_pruning=0.7",
          "max_depth_pruning=0.5", "top_k=4")  # fmt: skip


def search(bench, *words, name="qwen3", code=0):
    case = bench.cases[name]
    data = bench.rows(f"{name}-search", case["ids"] * 4)
    return bench.do(
        "prune.minitron", f"model={bench.model(name)}", f"calibration={data}", "sequence=16", "samples=12", *SEARCH, *words, code=code
    )


@promise
def a_search_takes_the_candidate_with_the_lowest_kl_and_says_all_it_decided(bench):
    answer = search(bench)
    report = json.loads((bench.out(answer, "report") / "report.json").read_text())
    assert report["fit"] >= len(report["candidates"]) == 4, report
    scores = [one["score"] for one in report["candidates"]]
    best = max(range(4), key=lambda i: scores[i])
    assert report["candidates"][report["chosen"]]["tied"] or report["chosen"] == best
    assert report["after"]["params"] <= 60000
    assert report["heldout_rows"] == 8
    assert report["check"]["max_difference"] < 1e-4
    assert all(one["tasks"]["kl"]["value"] > 0 and one["tasks"]["kl"]["se"] > 0 for one in report["candidates"])
    chosen = report["candidates"][report["chosen"]]
    config = json.loads((bench.out(answer, "model") / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"]) == (chosen["num_layers"], chosen["hidden_size"])


@promise
def a_search_and_the_same_shape_by_hand_give_the_same_tensors(bench):
    answer = search(bench)
    report = json.loads((bench.out(answer, "report") / "report.json").read_text())
    chosen = report["candidates"][report["chosen"]]
    shape = ",".join(f"{key}:{chosen[key]}" for key in ("num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads"))
    data = bench.rows("qwen3-search", bench.cases["qwen3"]["ids"] * 4)
    again = bench.do(
        "prune.minitron", f"model={bench.model('qwen3')}", f"calibration={data}", "sequence=16", "samples=12", f"shape={{{shape}}}",
        "divisors={hidden_size:16,ffn_hidden_size:16}",
    )  # fmt: skip
    files = [(bench.out(one, "model") / "model.safetensors").read_bytes() for one in (answer, again)]
    assert files[0] == files[1]


@promise
def every_family_is_searched_and_its_candidates_are_what_is_written(bench):
    for name in bench.cases:
        params = sum(math.prod(shape) for shape in bench.cases[name]["tensors"].values())
        answer = search(bench, f"target.params={int(0.8 * params)}", "score.task=loss", name=name)
        report = json.loads((bench.out(answer, "report") / "report.json").read_text())
        assert report["check"]["max_difference"] < 1e-4, (name, report["check"])


@promise
def a_second_target_costs_no_second_measurement(bench):
    search(bench)
    answer = search(bench, "target.params=50000")
    measured = next(one for one in answer["result"]["stages"] if "scores" in one["name"])
    assert "cached" in json.dumps(measured), measured


def words_of(process):
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@promise
def a_search_that_is_killed_goes_on_behind_what_it_has_scored(bench):
    """What is scored is changed while nobody runs: the report then has it as it was left, so it was not asked again."""
    case = bench.cases["qwen3"]
    data = bench.rows("killed", case["ids"] * 1500)
    words = [bench.program, "do", "prune.minitron", f"model={bench.model('qwen3')}", f"calibration={data}", "sequence=16", "samples=8",
             *SEARCH, "score.rows=6000", "--store", bench.folder / "store-killed", "--json"]  # fmt: skip
    environment = dict(os.environ, STILLROOM_RUN_ROOT=str(bench.folder / "runs"))
    search = subprocess.Popen([str(word) for word in words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until, logs = time.monotonic() + 120, []
    while not logs and time.monotonic() < until and search.poll() is None:
        time.sleep(0.01)
        logs = [file for file in (bench.folder / "store-killed").rglob("scored-*.jsonl") if file.read_bytes().count(b"\n") >= 2]
    search.kill()
    assert search.wait() != 0 and logs, (search.returncode, logs)
    until = time.monotonic() + 60
    while any(str(bench.folder / "runs").encode() in words_of(one) for one in pathlib.Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < until, "the worker outlives its engine"
        time.sleep(0.01)
    kept, _, rest = logs[0].read_text().partition("\n")
    record = json.loads(kept)
    rows = len(record["values"][0])
    record["values"] = [[1000.0] * rows for _ in record["values"]]
    logs[0].write_text(json.dumps(record) + "\n" + rest)
    done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((bench.out(json.loads(done.stdout), "report") / "report.json").read_text())
    values = [one["tasks"]["kl"]["value"] for one in report["candidates"]]
    changed = [value for value in values if value > 1000 * rows / 6000 / 2]
    assert len(changed) == len(record["values"]), (values, rows)


LAYOUTS = (
    (2, "{data:2}"),
    (2, "{pipeline:2,num_layers_in_first_pipeline_stage:1}"),
    (2, "{tensor:2}"),
    (3, "{pipeline:3}"),
    (3, "{data:3}"),
    (4, "{pipeline:2,data:2,num_layers_in_last_pipeline_stage:1}"),
    (4, "{pipeline:2,tensor:2,num_layers_in_first_pipeline_stage:2}"),
)


@promise
def any_layout_measures_and_searches_as_one_rank(bench):
    """Batches of three rows of twelve: with data ranks some steps have none for one of them."""
    case, found = bench.cases["qwen3"], []
    for ranks, parallel in ((1, "{}"), *LAYOUTS):
        alone = Bench(bench.program, bench.reference, bench.folder / f"ranks-{len(found)}")
        data = alone.rows("ranked", case["ids"] * 4)
        words = [f"model={alone.model('qwen3')}", f"calibration={data}", "sequence=16", "samples=12", f"ranks={ranks}",
                 f"parallel={parallel}", "batch=3"]  # fmt: skip
        answer = alone.do("prune.minitron", *words, *SEARCH, "score.task=[{task:kl},{task:loss}]")
        scores = alone.out(alone.do("prune.importance", *words), "scores")  # which filled the port
        report = json.loads((alone.out(answer, "report") / "report.json").read_text())
        found.append((read_tensors(scores / "scores.safetensors"), json.loads((scores / "scores.json").read_text()), report,
                      (alone.out(answer, "model") / "model.safetensors").read_bytes()))  # fmt: skip
    one, about, told, tensors = found[0]
    for (ranks, parallel), (scores, known, report, written) in zip(LAYOUTS, found[1:]):
        assert set(one) == set(scores) and known == about, parallel
        for name in one:
            close(floats(scores[name]), floats(one[name]), 1e-5)
        assert ranking(floats(scores["layers"])) == ranking(floats(one["layers"])), parallel
        for a, b in zip(told["candidates"], report["candidates"]):
            close([b["score"]], [a["score"]], 1e-5)
        assert told["chosen"] == report["chosen"] and tensors == written, parallel


def spelling_model(bench, name):
    """A tiny model of 64 words whose tokenizer knows single characters, so that it can be asked anything."""
    folder = bench.folder / f"spelling-{name}"
    shutil.copytree(bench.model(name), folder)
    words = ["<unk>", *"ABCD abcdefghijklmnopqrstuvwxyz.:,?"]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "special": True}],
        "model": {"type": "BPE", "vocab": {word: i for i, word in enumerate(words)}, "merges": [], "unk_token": "<unk>"}}))  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    return folder


def questions_of(folder, count):
    draw = random.Random(3)
    for split, most in (("test", count), ("dev", 5)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for subject in ("cooking", "brewing"):
            with open(folder / split / f"{subject}_{split}.csv", "w", encoding="utf-8") as file:
                for _ in range(most):
                    said = ["".join(draw.choices("abcdefgh ", k=draw.randint(3, 12))) for _ in range(5)]
                    file.write(",".join([*said, draw.choice("ABCD")]) + "\n")
    return folder


@promise
def candidates_answer_questions_in_any_layout_as_the_written_model_does(bench):
    found = []
    for ranks, parallel in ((1, "{}"), (2, "{data:2}"), (3, "{pipeline:3}"), (4, "{pipeline:2,data:2,num_layers_in_first_pipeline_stage:1}")):
        alone = Bench(bench.program, bench.reference, bench.folder / f"asked-{ranks}")
        model, asked = spelling_model(alone, "qwen3"), questions_of(alone.folder / "questions", 40)
        words = [f"model={model}", f"calibration={alone.rows('asked', bench.cases['qwen3']['ids'] * 4)}", "sequence=16", "samples=12"]
        answer = alone.do("prune.minitron", *words, *SEARCH, f"questions={asked}", "score.fraction=0.5", "score.few_shot=2",
                          f"ranks={ranks}", f"parallel={parallel}")  # fmt: skip
        report = json.loads((alone.out(answer, "report") / "report.json").read_text())
        found.append([one["tasks"]["mmlu"]["answers"] for one in report["candidates"]])
        assert all(len(one) == 40 for one in found[-1]) and len(set(found[-1][0])) > 1, found[-1]
        if ranks > 1:
            continue
        chosen = report["candidates"][report["chosen"]]
        said = alone.do("evaluate.mmlu", f"model={alone.out(answer, 'model')}", f"questions={asked}", "scoring=choice_ids", "fraction=0.5",
                        "few_shot=2", "dtype=fp32")  # fmt: skip
        answers = json.loads((alone.out(said, "report") / "report.json").read_text())["answers"]
        assert "".join(answers[subject] for subject in answers) == chosen["tasks"]["mmlu"]["answers"], (answers, chosen)
    assert all(one == found[0] for one in found), found


@promise
def every_family_is_measured_by_a_pipeline_of_tensor_ranks(bench):
    for name, case in bench.cases.items():
        heads = case["config"].get("num_key_value_heads", 1)
        layout = ["ranks=4", "parallel={pipeline:2,tensor:2,num_layers_in_first_pipeline_stage:1}"]
        if heads % 2:
            layout = ["ranks=2", "parallel={pipeline:2,num_layers_in_first_pipeline_stage:1}"]
        scores, wanted = bench.scores(name, case["ids"], "cache=false", *layout), case["scores"]
        close(floats(scores["hidden"]), wanted["hidden"], 1e-5)
        close(floats(scores["layers"]), wanted["layers"], 1e-5)
        for layer in range(len(wanted["layers"])):
            close(floats(scores[f"ffn.{layer}"]), wanted["ffn"][layer], 1e-5)
            close(floats(scores[f"heads.{layer}"]), wanted["heads"][layer], 1e-5)


@promise
def a_tokenizer_without_a_letter_is_told_by_plan(bench):
    model = bench.folder / "no-letters"
    shutil.copytree(bench.model("qwen3"), model)
    vocabulary = {"<unk>": 0, "a": 1, "b": 2}
    (model / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "special": True}],
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))  # fmt: skip
    packed = bench.folder / "no-letters.gguf"  # whose token "A" is another byte
    one = (1).to_bytes(8, "little")
    data = (bench.reference.parent / "gguf/models/qwen3.gguf").read_bytes()
    assert data.count(one + b"A") == 1
    packed.write_bytes(data.replace(one + b"A", one + b"\x7f"))
    questions = bench.reference.parent / "tasks/mmlu"
    for source in (model, packed):
        recipe = bench.folder / "letters.yaml"
        recipe.write_text(f"""recipe: letters
stages:
  base: {{use: checkpoint.load, source: {source}}}
  student: {{use: prune.minitron, model: base, calibration: {bench.rows("letters", [[1, 2]])}, target: {{params: 20000}}, questions: {questions},
    divisors: {{hidden_size: 16, ffn_hidden_size: 16}}, max_width_pruning: 0.7, max_depth_pruning: 0.7}}
""")
        problems = bench.command("plan", recipe, code=3)["problems"]
        assert any('lacks " A"' in one["message"] for one in problems), problems


@promise
def options_change_what_is_cut_and_the_written_model_is_still_the_candidate(bench):
    for words in (["merge_heads=true"], ["rescale_norm=true"], ["depth=block"], ["kv_groups=prune"], ["tolerance=0.3"],
                  ["prefilter={from:8,tokens:64}"], ["score.task=[{task:kl,weight:2},{task:loss}]"]):  # fmt: skip
        answer = search(bench, *words)
        report = json.loads((bench.out(answer, "report") / "report.json").read_text())
        assert report["check"]["max_difference"] < 1e-4, (words, report["check"])


@promise
def the_original_shape_is_the_identity(bench):
    case = bench.cases["llama"]
    data = bench.rows("llama", case["ids"])
    answer = bench.do("prune.minitron", f"model={bench.model('llama')}", f"calibration={data}", "sequence=16", "samples=5",
                      "shape={num_layers:3}")  # fmt: skip
    folder = bench.out(answer, "model")
    was, now = read_tensors(bench.model("llama") / "model.safetensors"), read_tensors(folder / "model.safetensors")
    assert was == now


@promise
def a_bound_that_no_candidate_reaches_ends_with_8_and_keeps_the_model(bench):
    answer = search(bench, "score.lower_bound=-0.000001", code=8)
    assert any("below the bound" in problem["message"] for problem in answer["problems"]), answer["problems"]


@promise
def fewer_rows_than_asked_are_told_with_both_counts(bench):
    case = bench.cases["llama"]
    data = bench.rows("few", case["ids"])
    words = ("prune.importance", f"model={bench.model('llama')}", f"calibration={data}", "sequence=16", "samples=64")
    answer = bench.do(*words, code=3)
    assert any("samples is 64" in one["message"] and "5 rows" in one["message"] for one in answer["problems"]), answer["problems"]
    for words in ((*words, "allow_short=true"), words[:-1]):  # the default takes what there is
        scores = bench.out(bench.do(*words), "scores")
        assert json.loads((scores / "scores.json").read_text())["rows"] == 4, words  # one is kept for judging


@promise
def candidates_are_never_judged_by_rows_that_were_measured(bench):
    """Twenty rows. Whether the default takes them or somebody asks for that many, the last two are kept out; who insists is told."""
    case = bench.cases["qwen3"]
    data = bench.rows("qwen3-kept", case["ids"] * 4)
    words = ["prune.minitron", f"model={bench.model('qwen3')}", f"calibration={data}", "sequence=16", *SEARCH]
    for more in ([], ["samples=20", "allow_short=true"]):
        report = json.loads((bench.out(bench.do(*words, *more), "report") / "report.json").read_text())
        assert report["heldout_rows"] == 2, (more, report)
    recipe = bench.folder / "kept.yaml"
    recipe.write_text(f"""recipe: kept
stages:
  base: {{use: checkpoint.load, source: {bench.model("qwen3")}}}
  student: {{use: prune.minitron, model: base, calibration: {data}, target: {{params: 60000}}, samples: 20, sequence: 16,
    divisors: {{hidden_size: 16, ffn_hidden_size: 16}}, max_width_pruning: 0.7}}
""")
    for answer in (bench.do(*words, "samples=20", code=3), bench.command("plan", recipe, code=3)):
        assert any("none is left to judge candidates by" in one["message"] for one in answer["problems"]), answer["problems"]
    bench.do(*words, "samples=20", f"heldout={bench.rows('qwen3-other', case['ids'])}")


@promise
def the_plan_shows_the_candidates_before_a_weight_is_read(bench):
    recipe = bench.folder / "search.yaml"
    folder = bench.folder / "qwen3-8b"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
        "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
        "max_position_embeddings": 40960, "rope_theta": 1000000, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}))  # fmt: skip
    data = bench.rows("plan", [[1, 2, 3, 4]])
    recipe.write_text(f"""recipe: search
stages:
  base: {{use: checkpoint.load, source: {folder}}}
  student: {{use: prune.minitron, model: base, calibration: {data}, target: {{params: 6e9}}}}
""")
    answer = bench.command("plan", recipe)
    stage = next(one for one in answer["result"]["stages"] if one["use"] == "prune.minitron")
    described = stage["describe"]
    assert (described["space"], described["fit"], described["refused"]) == (560, 416, 0), described
    assert [one["params"] for one in described["candidates"][:5]] == [
        5993833216, 5988774912, 5980121856, 5977809408, 5973184512]  # fmt: skip
    answer = bench.command("plan", recipe, "stages.student.ranks=2")
    filled = next(one for one in answer["result"]["stages"] if one["use"] == "prune.importance")
    assert filled["ranks"] == 2, filled  # what fills a port works with as many
    answer = bench.command("plan", recipe, "stages.student.skip=[num_attention_heads]")
    described = next(one for one in answer["result"]["stages"] if one["use"] == "prune.minitron")["describe"]
    assert (described["space"], described["fit"]) == (280, 199)
    answer = bench.command("plan", recipe, "stages.student.target.params=1e9", code=2)
    assert any("the smallest reach params 3,176,693,760" in one["message"] for one in answer["problems"])


def main():
    program, reference = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="prune-") as folder:
        bench = Bench(program, reference, pathlib.Path(folder))
        for function in PROMISES:
            name = function.__name__.replace("_", " ")
            if part not in name:
                continue
            try:
                function(bench)
                print(f"ok    {name}")
            except Exception as error:  # noqa: BLE001 - each promise is told by itself
                failed += 1
                print(f"FAIL  {name}: {str(error)[:3000]}")
    shutil.rmtree(folder, ignore_errors=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
