#!/usr/bin/env python3
"""What the evaluate stages promise, on a model of a few thousand weights: evaluate.py PROGRAM TOKENIZER [PART_OF_NAME]

TOKENIZER is a tokenizer.json. The model is made here, by a rule; its logits are held to transformers' elsewhere (tests/plugins/lm/modules),
so here the stages are held to each other: a loss is that of the logits, a greedy token is the likeliest one.
"""

import array
import csv
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HIDDEN, LAYERS, HEADS, FFN = 32, 2, 4, 64
PROMISES = []


def promise(function):
    PROMISES.append(function)
    return function


def make_model(folder, tokenizer, vocab):
    """A Llama whose embedding is its head."""
    folder.mkdir()
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": 2, "head_dim": HIDDEN // HEADS, "intermediate_size": FFN, "vocab_size": vocab,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    shutil.copy(tokenizer, folder / "tokenizer.json")
    shapes = {"model.embed_tokens.weight": (vocab, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}{norm}.weight"] = (HIDDEN,)
        for name, rows in (("q", HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2), ("o", HIDDEN)):
            shapes[f"{at}self_attn.{name}_proj.weight"] = (rows, HIDDEN)
        for name in ("gate", "up"):
            shapes[f"{at}mlp.{name}_proj.weight"] = (FFN, HIDDEN)
        shapes[f"{at}mlp.down_proj.weight"] = (HIDDEN, FFN)
    draw = random.Random(7)
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(shapes):
        count = math.prod(shapes[name])
        values = [1.0] * count if "norm" in name else [draw.gauss(0, 0.5) for _ in range(count)]
        piece = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": list(shapes[name]), "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header)
    text += " " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text.encode() + data)


class Bench:
    def __init__(self, program, tokenizer, folder):
        self.program, self.folder = program, folder
        self.model = folder / "model"
        known = json.loads(tokenizer.read_text())
        self.tokens = {id: token for token, id in known["model"]["vocab"].items()}
        self.tokens |= {one["id"]: "" if one["special"] else one["content"] for one in known["added_tokens"]}
        self.vocab = max(self.tokens) + 1
        make_model(self.model, tokenizer, self.vocab)
        self.text = folder / "text.txt"
        self.text.write_text("The tower was built in 1889. Many people, 300 or so, came to see it: \u00e9t\u00e9, \u65e5\u672c.\n" * 6)

    def do(self, *words, code=0, model=None):
        words = [self.program, "do", words[0], f"model={model or self.model}", *words[1:], "--store", self.folder / "store", "--json"]
        environment = dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"))
        done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        assert done.returncode == code, (done.returncode, answer["problems"], done.stderr)
        return answer

    def report(self, *words):
        answer = self.do(*words)
        folder = pathlib.Path(answer["result"]["outputs"]["report"]["path"])
        return json.loads((folder / "report.json").read_text()), folder

    def logits(self, *words):
        """rows x tokens x vocab, as nested lists."""
        report, folder = self.report("evaluate.logits", *words, "dtype=fp32")
        raw = (folder / "logits.safetensors").read_bytes()
        size = int.from_bytes(raw[:8], "little")
        about = json.loads(raw[8 : 8 + size])["logits"]
        values = array.array("f")
        values.frombytes(raw[8 + size :])
        rows, tokens, vocab = about["shape"]
        assert about["dtype"] == "F32" and len(values) == rows * tokens * vocab
        cut = [values[i : i + vocab] for i in range(0, len(values), vocab)]
        return [cut[i : i + tokens] for i in range(0, len(cut), tokens)], report

    def ids_of(self, text):
        return self.logits(f"text={text}")[1]["ids"][0]

    def decode(self, ids):
        """Back through the alphabet in which byte-level tokens are written."""
        plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
        bytes_of = {chr(byte): byte for byte in plain}
        bytes_of |= {chr(256 + i): byte for i, byte in enumerate(byte for byte in range(256) if byte not in plain)}
        return bytes(bytes_of[letter] for id in ids for letter in self.tokens[id])

    def side_by_side(self, words):
        """A stage that has no port `model`."""
        words = [self.program, "do", *words, "--store", self.folder / "store", "--json"]
        environment = dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"))
        done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        assert done.returncode == 0, answer["problems"]
        folder = pathlib.Path(answer["result"]["outputs"]["report"]["path"])
        return json.loads((folder / "report.json").read_text()), folder

    def run(self, recipe, code=0):
        """Where each output lies; what was wrong where it fails."""
        words = [self.program, "run", recipe, "--store", self.folder / "store", "--json"]
        environment = dict(os.environ, STILLROOM_RUN_ROOT=str(self.folder / "runs"))
        done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout)
        assert done.returncode == code, (done.returncode, answer["problems"], done.stderr[-2000:])
        if code:
            return json.dumps(answer["problems"])
        return {name: one["path"] for name, one in answer["result"]["outputs"].items()}

    def bad_arc(self):
        path = self.folder / "bad_arc.jsonl"
        path.write_text('{"question": "x", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C"}\n')
        return path

    def problem(self, *words, code=2, model=None):
        problems = self.do(*words, code=code, model=model)["problems"]
        assert len(problems) == 1, problems
        return problems[0]


def log_softmax(row):
    top = max(row)
    total = math.log(math.fsum(math.exp(one - top) for one in row)) + top
    return [one - total for one in row]


def near(a, b, within):
    assert abs(a - b) <= within, (a, b)


@promise
def logits_do_not_depend_on_their_neighbours(bench):
    rows = [[5, 6, 7, 8], [9, 3, 2, 1], [5, 6, 7, 9]]
    together, report = bench.logits(f"ids={rows}")
    assert (report["rows"], report["tokens"], report["vocab"]) == (3, 4, bench.vocab)
    alone, _ = bench.logits(f"ids={rows[1:2]}")
    for one, other in zip(together[1], alone[0]):
        assert all(abs(a - b) <= 2e-5 for a, b in zip(one, other))
    for at in range(3):  # what comes later does not matter
        assert all(abs(a - b) <= 2e-5 for a, b in zip(together[0][at], together[2][at]))
    best = max(range(bench.vocab), key=lambda i: together[0][-1][i])
    guess = report["next"][0][0]
    assert guess["id"] == best
    near(math.log(guess["probability"]), log_softmax(together[0][-1])[best], 1e-5)


@promise
def a_loss_is_that_of_the_logits(bench):
    report, _ = bench.report("evaluate.perplexity", f"text={bench.text}", "max_characters=60", "length=64", "dtype=fp32")
    text = bench.text.read_text()[:60]
    logits, told = bench.logits(f"text='{text}'")
    ids = told["ids"][0]
    losses = [-log_softmax(logits[0][at])[ids[at + 1]] for at in range(len(ids) - 1)]
    assert report["tokens"] == len(losses) and report["windows"] == 1, report
    mean = math.fsum(losses) / len(losses)
    near(report["nll"], mean, 1e-4)
    near(report["perplexity"], math.exp(mean), 0.1 * math.exp(mean) * 1e-2)
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in losses) / (len(losses) - 1))
    near(report["standard_error"], deviation / math.sqrt(len(losses)), 1e-3)
    first = len(bench.decode(ids[:1]))
    near(report["bits_per_byte"], math.fsum(losses) / math.log(2) / (len(text.encode()) - first), 1e-3)


@promise
def windows_and_batches_change_no_loss(bench):
    words = ["evaluate.perplexity", f"text={bench.text}", "length=16", "dtype=fp32"]
    whole, _ = bench.report(*words)
    single, _ = bench.report(*words, "batch_tokens=1")
    assert whole["tokens"] == single["tokens"]
    near(whole["nll"], single["nll"], 1e-5)
    overlapping, _ = bench.report(*words, "stride=4")
    assert overlapping["tokens"] > whole["tokens"]  # each token but the first is foreseen
    few, _ = bench.report(*words, "max_windows=3")
    assert (few["windows"], few["tokens"]) == (3, 45)


@promise
def greedy_takes_the_likeliest_token_each_time(bench):
    made, _ = bench.report("evaluate.generate", "prompt=The tower", "max_tokens=6", "dtype=fp32")
    ids = bench.ids_of("The tower")
    for token in made["ids"]:
        logits, _ = bench.logits(f"ids=[{ids}]")
        assert token == max(range(bench.vocab), key=lambda i: logits[0][-1][i])
        ids.append(token)
    assert made["ending"] == "length" and made["tokens"] == 6
    assert made["text"] == bench.decode(made["ids"]).decode(errors="replace"), made


@promise
def a_seed_decides_and_a_sharp_choice_is_greedy(bench):
    words = ["evaluate.generate", "prompt=It was", "max_tokens=8", "dtype=fp32"]
    greedy, _ = bench.report(*words)
    one, _ = bench.report(*words, "temperature=1", "seed=1")
    other, _ = bench.report(*words, "temperature=1", "seed=2")
    again, _ = bench.report(*words, "temperature=1", "seed=1", "top_p=1.0", "top_k=100000")
    assert one["ids"] == again["ids"] != other["ids"]
    for sharp in (["temperature=5", "top_k=1"], ["temperature=1", "top_p=1e-9"]):
        assert bench.report(*words, *sharp)[0]["ids"] == greedy["ids"]


@promise
def an_answer_ends_at_a_stop_text_and_before_it(bench):
    whole, _ = bench.report("evaluate.generate", "prompt=Many", "max_tokens=12", "dtype=fp32")
    text = whole["text"]
    stop = text[len(text) // 2 : len(text) // 2 + 2]
    cut, _ = bench.report("evaluate.generate", "prompt=Many", "max_tokens=12", "dtype=fp32", f"stop={json.dumps([stop])}")
    assert cut["ending"] == "stop" and cut["text"] == text[: text.index(stop)], (cut, text, stop)


@promise
def what_a_stage_says_is_printed_once_also_from_the_store(bench):
    words = [bench.program, "do", "evaluate.generate", f"model={bench.model}", "prompt=People", "max_tokens=5", "dtype=fp32", "--store", bench.folder / "store"]
    environment = dict(os.environ, STILLROOM_RUN_ROOT=str(bench.folder / "runs"))
    texts = [subprocess.run(words, env=environment, capture_output=True, check=True).stdout for _ in range(2)]
    assert texts[0] == texts[1] and texts[0].startswith(b"People") and texts[0].endswith(b"\n"), texts


MMLU = pathlib.Path(__file__).resolve().parents[2] / "reference/tasks/mmlu"
FILES = pathlib.Path(__file__).resolve().parents[2] / "reference/tasks/files"
PLAIN = ("prompt=reference", "scoring=choice_ids", "subset=first", "few_shot=0", "dtype=fp32")


def text_setting(text):
    """A text with newlines, as one word of the command line."""
    return 'text="' + text.replace('"', '\\"') + '"'


def mmlu_prompts():
    with open(MMLU / "test/abstract_algebra_test.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            choices = "".join(f"\n{letter}. {row[f'choice{i}']}" for i, letter in enumerate("ABCD"))
            yield f"The following are multiple choice questions (with answers) about abstract algebra.\n\n{row['question']}{choices}\nAnswer:"


@promise
def a_letter_is_the_likeliest_of_four(bench):
    report, folder = bench.report("evaluate.mmlu", f"questions={MMLU}", *PLAIN)
    assert (report["asked"], report["total"], len(report["choice_ids"])) == (4, 4, 4), report
    answers = ""
    for prompt in list(mmlu_prompts())[:3]:  # the last one is longer than the model reads
        row = bench.logits(text_setting(prompt))[0][0][-1]
        answers += max("ABCD", key=lambda letter: row[report["choice_ids"]["ABCD".index(letter)]])
    told = report["answers"]["abstract_algebra"]
    assert told[:3] == answers, (told, answers)
    right = sum(one == other for one, other in zip(told, report["right"]["abstract_algebra"]))
    assert report["correct"] == right and report["accuracy"] == right / 4, report
    shaped = json.loads((folder / "results.json").read_text())
    assert shaped["results"]["mmlu_abstract_algebra"]["acc,none"] == right / 4, shaped
    assert shaped["results"]["mmlu"]["acc,none"] == shaped["groups"]["mmlu_stem"]["acc,none"] == right / 4, shaped
    assert "abstract_algebra" in (folder / "report.md").read_text()


@promise
def no_batch_changes_an_answer(bench):
    reports = [bench.report("evaluate.mmlu", f"questions={MMLU}", "few_shot=1", "dtype=fp32", f"batch={batch}")[0] for batch in ("auto", 1, 3)]
    assert reports[0]["answers"] == reports[1]["answers"] == reports[2]["answers"], reports
    assert reports[0]["cut"] > 0, "a longer prompt than the model reads is among them"


@promise
def a_gate_fails_the_stage_and_keeps_what_it_made(bench):
    answer = bench.do("evaluate.mmlu", f"questions={MMLU}", *PLAIN, "gate.accuracy.min=1.5", "gate.asked.max=3", code=8)
    message = answer["problems"][0]["message"]
    assert "accuracy is" in message and "below 1.5" in message and "asked is 4, above 3" in message, message
    kept = pathlib.Path(answer["problems"][0]["hint"].split("kept in ")[1])
    assert json.loads((kept / "report.json").read_text())["asked"] == 4
    bench.do("evaluate.mmlu", f"questions={MMLU}", *PLAIN, "gate.asked.min=4")
    problem = bench.problem("evaluate.mmlu", f"questions={MMLU}", "gate.acuracy.min=0.3")
    assert "no number 'acuracy'" in problem["message"] and "'accuracy'" in problem["hint"], problem
    bench.do("evaluate.perplexity", f"text={bench.text}", "length=64", "gate.perplexity.max=1", code=8)


@promise
def a_task_is_asked_by_its_rule(bench):
    report, folder = bench.report("evaluate.tasks", f"tasks.arc={{file: {FILES}/arc.jsonl, rule: arc}}", f"tasks.wino={{file: {FILES}/winogrande.jsonl, rule: winogrande}}",
                                  f"tasks.hella={{file: {FILES}/hellaswag.jsonl, rule: hellaswag, examples: {FILES}/hellaswag.jsonl, few_shot: 1}}", "dtype=fp32")  # fmt: skip
    assert set(report["tasks"]["arc"]) >= {"acc", "acc_norm", "acc_bytes", "acc_se"} and "acc_norm" not in report["tasks"]["wino"], report
    questions = [json.loads(line) for line in (FILES / "arc.jsonl").read_text().splitlines()]
    for question, letter in list(zip(questions, report["tasks"]["arc"]["answers"]))[:3]:
        scores = []
        context = f"Question: {question['question']}\nAnswer:"
        start = len(bench.logits(text_setting(context))[1]["ids"][0])
        for choice in question["choices"]["text"]:
            rows, told = bench.logits(text_setting(f"{context} {choice}"))
            ids = told["ids"][0]
            scores.append(sum(log_softmax(rows[0][at - 1])[ids[at]] for at in range(start, len(ids))))
        assert letter == "ABCDE"[scores.index(max(scores))], (letter, scores)
    assert json.loads((folder / "results.json").read_text())["n-samples"]["arc"] == {"original": 6, "effective": 6}


@promise
def models_stand_side_by_side(bench):
    words = ["evaluate.compare", f"models=[{bench.model}/, {bench.model}/]", "names=[one, two]", "speed_tokens=4"]
    report, folder = bench.side_by_side(words)
    assert report["last"]["parameters_ratio"] == 1 and report["last"]["perplexity"] is None, report
    assert report["models"][0]["writes_per_second"] > 0 and report["models"][0]["name"] == "one", report
    assert "| parameters" in (folder / "report.md").read_text()


@promise
def what_was_measured_of_models_stands_in_their_table(bench):
    other = bench.folder / "other-model"
    make_model(other, bench.model / "tokenizer.json", bench.vocab)
    (other / "config.json").write_text((other / "config.json").read_text().replace('"rms_norm_eps": 1e-05', '"rms_norm_eps": 0.5'))
    recipe = bench.folder / "sides.yaml"
    asked = f"questions: {MMLU}, few_shot: 0, dtype: fp32"
    recipe.write_text(f"""recipe: sides
stages:
  a: {{use: checkpoint.load, source: {bench.model}}}
  b: {{use: checkpoint.load, source: {other}}}
  text_a: {{use: evaluate.perplexity, model: a, text: {bench.text}, length: 64, dtype: fp32}}
  text_b: {{use: evaluate.perplexity, model: b, text: {bench.text}, length: 64, dtype: fp32}}
  exam_a: {{use: evaluate.mmlu, model: a, {asked}}}
  exam_b: {{use: evaluate.mmlu, model: b, {asked}}}
  sides: {{use: evaluate.compare, models: [a, b], names: [one, two], perplexity: [text_a, text_b], mmlu: [exam_a, exam_b], speed_tokens: 0}}
outputs: {{report: sides, text: text_b, exam: exam_b}}
""")
    found = bench.run(recipe)
    sides, text, exam = (json.loads((pathlib.Path(found[name]) / "report.json").read_text()) for name in ("report", "text", "exam"))
    one, two = sides["models"]
    assert one["perplexity"] != two["perplexity"] == text["perplexity"] and two["accuracy"] == exam["accuracy"], (sides, text)
    near(two["perplexity_ratio"], two["perplexity"] / one["perplexity"], 1e-9)
    near(two["accuracy_difference"], two["accuracy"] - one["accuracy"], 1e-9)
    page = (pathlib.Path(found["report"]) / "report.md").read_text()
    assert "| perplexity" in page and "| MMLU" in page and "reads" not in page, page

    text = recipe.read_text()
    recipe.write_text(text.replace("perplexity: [text_a, text_b]", "perplexity: [text_a]"))
    assert "1 report for 2 models" in bench.run(recipe, code=2)
    recipe.write_text(text.replace("speed_tokens: 0", "speed_tokens: 0, gate: {last.perplexity_ratio: {max: 0.001}}"))
    assert "perplexity_ratio" in bench.run(recipe, code=8)


@promise
def texts_depend_on_their_number_and_the_seed_alone(bench):
    def sampled(*words):
        folder = pathlib.Path(bench.do("data.sample", "max_length=12", "dtype=fp32", *words)["result"]["outputs"]["data"]["path"])
        return (folder / "texts.jsonl").read_text().splitlines(), json.loads((folder / "dataset.json").read_text())

    prompts = "prompts=[Many people, The tower was built in]"
    texts, about = sampled(prompts, "documents=5", "cache=false")
    assert len(texts) == 5 and about["documents"] == [5] and json.loads(texts[0])["text"].startswith("Many people"), (texts, about)
    assert json.loads(texts[1])["text"].startswith("The tower was built in") and len(set(texts)) == 5, texts
    for batch in (1, 2):
        assert sampled(prompts, "documents=5", "cache=false", f"batch={batch}")[0] == texts
    long_prompts = f"prompts=[{'tower ' * 50}, Many people, {'people ' * 40}]"  # no pass holds one of them whole
    assert sampled(long_prompts, "documents=7", "cache=false", "batch=1") == sampled(long_prompts, "documents=7", "cache=false", "batch=7")
    more, about = sampled(prompts, "tokens=100", "cache=false", "batch=3")
    assert more[:5] == texts[: len(more)] and about["tokens"][0] >= 100 > about["tokens"][0] - 30, about
    assert sampled(prompts, "documents=5", "seed=1")[0] != texts
    assert "positions" in bench.problem("data.sample", "documents=1", "max_length=300")["message"]
    assert "no token that begins" in bench.problem("data.sample", "documents=1", "max_length=12", code=3)["message"]


@promise
def a_sampling_that_is_killed_goes_on_with_the_texts_that_were_done(bench):
    def words(store):
        return [bench.program, "do", "data.sample", f"model={bench.model}", "prompts=[Many people]", "documents=100", "max_length=100",
                "dtype=fp32", "batch=16", "--store", bench.folder / store]  # fmt: skip

    environment = dict(os.environ, STILLROOM_RUN_ROOT=str(bench.folder / "runs"))

    def told(store):
        done = subprocess.run([str(word) for word in words(store)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr, next((bench.folder / store).glob("*/data/texts.jsonl")).read_text()

    _, whole = told("whole")
    cut = subprocess.Popen([str(word) for word in words("cut")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    kept = 0
    while kept < 10 and time.monotonic() < until and cut.poll() is None:
        time.sleep(0.02)
        kept = sum(file.read_bytes().count(b"\n") for file in (bench.folder / "cut").rglob("texts.jsonl") if "data" not in file.parts)
    cut.kill()
    assert cut.wait() != 0 and 10 <= kept < 100, (cut.returncode, kept)
    said, again = told("cut")
    assert "going on with its saved work" in said, said
    assert again == whole


@promise
def mistakes_are_told_before_anything_runs(bench):
    (bench.folder / "other").mkdir()
    (bench.folder / "other/notes.txt").write_text("no questions\n")
    assert "no MMLU in" in bench.problem("evaluate.mmlu", f"questions={bench.folder}/other", code=3)["message"]
    problem = bench.problem("evaluate.tasks", f"tasks.arc={{file: {FILES}/arc.jsonl, few_shot: 2}}")
    assert "none are named" in problem["message"] and problem["key"].endswith("few_shot"), problem
    assert "none of the labels" in bench.problem("evaluate.tasks", f"tasks.x={{file: {bench.bad_arc()}, rule: arc}}", code=3)["message"]

    problem = bench.problem("evaluate.logits", "ids=[[1,2],[3]]")
    assert problem["message"] == "row 2 has 1 ids, the first one 2" and problem["key"].endswith("ids[1]"), problem
    problem = bench.problem("evaluate.logits", f"ids=[[{bench.vocab}]]")
    assert f"no id {bench.vocab}" in problem["message"], problem
    assert "one of 'ids' or 'text'" in bench.problem("evaluate.logits")["message"]
    assert "one of 'data' or 'text'" in bench.problem("evaluate.perplexity")["message"]
    assert "leaves out some" in bench.problem("evaluate.perplexity", f"text={bench.text}", "length=8", "stride=9")["message"]
    assert "'temperature'" in bench.problem("evaluate.generate", "prompt=x", "temperature=-1")["message"]


@promise
def unfit_files_are_named(bench):
    bad = bench.folder / "latin.txt"
    bad.write_bytes(b"caf\xe9")
    assert "no UTF-8 at byte 3" in bench.problem("evaluate.perplexity", f"text={bad}", code=3)["message"]
    short = bench.folder / "short.txt"
    short.write_text("a")
    assert "nothing can be predicted" in bench.problem("evaluate.perplexity", f"text={short}", code=3)["message"]
    dumb = bench.folder / "dumb"
    shutil.copytree(bench.model, dumb)
    (dumb / "tokenizer.json").unlink()
    assert "tokenizer" in bench.problem("evaluate.generate", "prompt=x", code=3, model=dumb)["message"]
    bench.do("evaluate.logits", "ids=[[1,2]]", model=dumb)  # ids need none


def main():
    program, tokenizer = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    broken = 0
    with tempfile.TemporaryDirectory(prefix="stillroom-evaluate-") as name:
        bench = Bench(program, tokenizer, pathlib.Path(name))
        for one in PROMISES:
            if part not in one.__name__:
                continue
            try:
                one(bench)
            except Exception as failure:  # noqa: BLE001: told, and the others are tried
                broken += 1
                print(f"failed: {one.__name__}: {type(failure).__name__} {failure}")
        subprocess.run(["chmod", "-R", "u+w", name], check=False)
    print(f"{len(PROMISES) - broken} passed, {broken} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
