"""Rows D1 to D3, T4 and T6, and K10 of tokenising: text that is not what it says, by way of data.tokenize."""

import gzip
import json
import pathlib
import shutil
import signal
import subprocess
import time

from harness import check, finish, row, wait_until
from trainings import need_training

MIB = 1 << 20


def tokenizer(bench, name="llama3.json"):
    return f"tokenizer={bench.source}/tests/reference/tokenizer/{name}"


def words(bench, file, *more):
    return ["do", "data.tokenize", f"files=./{file}", tokenizer(bench), *more]


def dataset(result, output="data"):
    folder = pathlib.Path(json.loads(result.expect(0).out)["result"]["outputs"][output]["path"])
    return folder, json.loads((folder / "dataset.json").read_text())


def tokenised(place):
    return [key for key in place.keys() if place.manifest(key)["use"] == "data.tokenize"]


def refused(place, bench, name, data, *says, more=(), code=3):
    file = place.work / name
    file.write_bytes(data)
    before = tokenised(place)
    place.run(*words(bench, name, *more)).expect(code).says(*says)
    place.check_whole()
    check(tokenised(place) == before, f"C1: {name} was refused, and something of it was kept")
    file.unlink()


@row("D1")
def names_the_bad_line(bench):
    good = b'{"text": "a row like the others"}\n'
    with bench.place() as place:
        for bad, *says in (
            (b'{"text": "cut\n', "rows.jsonl:1000003:", "the line ends inside a string"),
            (b'{"body": "x"}\n', "rows.jsonl:1000003:", "there is no field 'text'", "the line has 'body'"),
            (b'{"text": 5}\n', "rows.jsonl:1000003:10:", "a number, not a string"),
        ):
            with bench.trying():
                refused(place, bench, "rows.jsonl", good * 1_000_002 + bad + good, *says)
        bench.settle()
        # Blank lines are none; a last line may do without its end.
        rows = place.work / "rows.jsonl"
        rows.write_bytes(b"\n" + good + b" \r\n" + good.replace(b"\n", b"\r\n") + good.rstrip())
        _, info = dataset(place.run(*words(bench, "rows.jsonl", "--json")))
        check(info["documents"] == [3] and "skipped" not in info, f"3 rows became {info}")
        rows.write_bytes(good + b'{"body": 1}\n{\n' + good + b'{"text": null}')
        result = place.run(*words(bench, "rows.jsonl", "bad_lines=skip", "--json"))
        _, info = dataset(result)
        check(info["documents"] == [2] and info["skipped"] == 3, f"2 rows and 3 bad ones became {info}")
        refused(place, bench, "none.jsonl", b"\n{}\n", "no document", more=("bad_lines=skip",))


@row("D2")
def unpacks_whole_members_only(bench):
    def zstd(data):
        return subprocess.run([bench.need("zstd"), "-q", "-c"], input=data, capture_output=True, check=True).stdout

    good = b"".join(b'{"text": "row %d of a packed file"}\n' % i for i in range(3000))
    with bench.place() as place:
        (place.work / "plain.jsonl").write_bytes(good + good)
        plain, _ = dataset(place.run(*words(bench, "plain.jsonl", "--json")))
        for ending, pack in (("gz", gzip.compress), ("zst", zstd)):
            with bench.trying():
                several = pack(good) + pack(good)
                (place.work / f"two.jsonl.{ending}").write_bytes(several)
                folder, _ = dataset(place.run(*words(bench, f"two.jsonl.{ending}", "--json")))
                for name in ("text_document.bin", "text_document.idx"):
                    check((folder / name).read_bytes() == (plain / name).read_bytes(), f"{name} of two members is another")
        zeros = b"\0" * MIB
        for ending, pack, bomb in (
            ("gz", gzip.compress, gzip.compress(zeros) * 1024),
            ("zst", zstd, zstd(zeros) * 1024),
        ):
            whole = pack(good)
            for name, data, *says in (
                ("cut", whole[: len(whole) // 2], "the file is cut"),
                ("empty", b"", "the file is cut: it ends after 0 bytes"),
                ("behind", whole + b"something else", "follows its last"),
                ("bomb", bomb, "longer than 67.1 MB"),
            ):
                with bench.trying():
                    refused(place, bench, f"{name}.jsonl.{ending}", data, f"{name}.jsonl.{ending}", *says)
        bench.settle()


@row("D3")
def refuses_columns_that_lie(bench):
    sound = pathlib.Path(bench.source, "tests/reference/data/parquet/plain.parquet").read_bytes()
    with bench.place() as place:
        for data, *says in (
            (b"JUNK" + sound[4:-4] + b"JUNK", "rows.parquet"),
            (sound[:-8] + b"\xff\xff\xff\x7f" + sound[-4:], "rows.parquet"),
            (sound[: len(sound) // 2], "rows.parquet"),
            (b"", "rows.parquet"),
        ):
            with bench.trying():
                refused(place, bench, "rows.parquet", data, *says)
        with bench.trying():
            refused(place, bench, "rows.parquet", sound, "no_such_field", more=("keys=[no_such_field]",))
        bench.settle()


@row("T4")
def teacher_and_student_speak_one_language(bench):
    """Two tokenizers that differ in one token, of models that are as alike as can be: told by `plan`, before anything is trained."""
    need_training(bench)
    with bench.place() as place:
        tiny = "use: checkpoint.init, family: llama, hidden: 32, layers: 1, heads: 2, ffn: 64, vocab: 600"
        teacher, student = place.work / "teacher", place.work / "student"
        recipe = place.recipe({"model": tiny, "export": "use: checkpoint.export, model: model, to: ./teacher"})
        place.run("run", recipe).expect(0)
        shutil.copytree(teacher, student)
        text = (pathlib.Path(bench.source) / "tests/reference/tokenizer/llama3.json").read_text(encoding="utf-8")
        words = json.loads(text)
        (teacher / "tokenizer.json").write_text(text, encoding="utf-8")
        vocabulary = words["model"]["vocab"]
        token = next(token for token, number in vocabulary.items() if number == 3)
        vocabulary["<odd>"] = vocabulary.pop(token)
        words["model"]["merges"] = [one for one in words["model"]["merges"] if token not in one and "".join(one) != token]
        (student / "tokenizer.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
        data = "use: data.mock, vocabulary: 100, documents: 10, max_length: 40"
        recipe = place.recipe({"data": data, "healed": "use: train.distill, teacher: ./teacher/, student: ./student/, data: data, steps: 2, sequence: 8, schedule: {warmup: 0}"})
        for verb in ("plan", "run"):
            result = place.run(verb, recipe).expect(3)
            result.says("teacher and student have different tokenizers (", f'id 3 is "<odd>" to the student and "{token}" to the teacher')
        check(not any(place.manifest(key)["use"] == "train.distill" for key in place.keys()), "something was trained")


@row("T6")
def takes_any_text_in_linear_time(bench):
    with bench.place() as place:
        for name, text in (
            ("one", "a" * MIB),
            ("blanks", " " * MIB),
            ("emoji", "🙂" * (MIB // 4)),
            ("nul", "\0" * 1000),
            ("long", "one line of fifty megabytes " * (50 * MIB // 28)),
        ):
            with bench.trying():
                (place.work / f"{name}.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=name == "nul") + "\n", encoding="utf-8")
                began = time.monotonic()
                _, info = dataset(place.run(*words(bench, f"{name}.jsonl", "--json")))
                check(info["documents"] == [1], f"{name} became {info}")
                check(time.monotonic() - began < 3 * max(len(text) / MIB, 1) + 10, f"{name} took more than 3 s a MiB")
        with bench.trying():
            refused(place, bench, "half.jsonl", b'{"text": "\\ud83d"}\n', "half.jsonl:1:11:", "half a surrogate pair")
        bench.settle()


@row("K10")
def tokenising_goes_on_where_it_was_stopped(bench):
    """A SIGTERM in the middle: 75, the place is saved; then the same bytes as without it."""
    with bench.place() as place:
        rows = place.work / "rows.jsonl"
        text = "".join(json.dumps({"text": f"{i} " + "word and word " * (i % 97)}) + "\n" for i in range(60_000))
        rows.write_text(text)
        settings = words(bench, "rows.jsonl", "append_eod=false", "workers=1", "holdout=0.1", "--json")
        with bench.place() as other:
            (other.work / "rows.jsonl").write_text(text)
            whole = [dataset(other.run(*settings), output)[0] for output in ("data", "valid")]
            expected = {(o.name, file.name): file.read_bytes() for o in whole for file in o.glob("text_document.*")}
        process = place.start(*settings)
        wait_until(lambda: any((place.store / "work").rglob("pair-*.bin")) or process.poll() is not None, 60, "nothing is tokenised")
        process.send_signal(signal.SIGTERM)
        code = finish(process, settings, time.monotonic(), 60).code
        check(code in (75, 0), f"a SIGTERM ended it with {code}")
        bench.note(f"stopped with {code}")
        place.check_whole()
        made = place.run(*settings)
        for output in ("data", "valid"):
            folder, _ = dataset(made, output)
            for file in folder.glob("text_document.*"):
                check(file.read_bytes() == expected[output, file.name], f"{output}/{file.name} is another than without the stop")
        place.check_clean()
