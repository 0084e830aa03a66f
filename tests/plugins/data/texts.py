#!/usr/bin/env python3
"""texts.py PROGRAM ROOT   where text and tokenizers come from, through the program: files, folders, lists, a pipe, a hub of the tests' own.

Standard library only.
"""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lm/hub"))
import mock_hub

TAUGHT = b"""recipe: taught
stages:
  teacher: {use: checkpoint.load, source: ./taught/}
  corpus: {use: data.tokenize, tokenizer: teacher, files: all.jsonl, append_eod: true}
outputs: {data: corpus}
"""
ROW = '{"text": "row %d of some, it is a page of a book"}\n'


def rows(first, last):
    return "".join(ROW % i for i in range(first, last)).encode()


class Place:
    def __init__(self, program, root, folder, hub):
        self.program, self.folder, self.failed, self.passed = program, folder, 0, 0
        self.tokenizers = root / "tests/reference/tokenizer"
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "STILLROOM_STORE": str(folder / "store"),
            "HF_HUB_CACHE": str(folder / "hub"),
            "HF_ENDPOINT": hub.endpoint,
            "NO_PROXY": "127.0.0.1,127.0.0.2",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "STILLROOM_SCHEMA_PATH", "STILLROOM_PLUGIN_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def run(self, *words, piped=b"", **environment):
        return subprocess.run([self.program, *words], input=piped, cwd=self.folder, env=self.environment | environment, capture_output=True, timeout=120, check=False)

    def do(self, stage, *words, piped=b"", code=0, says=(), **environment):
        ended = self.run("do", stage, *words, piped=piped, **environment)
        err = ended.stderr.decode()
        wrong = [] if ended.returncode == code else [f"exit {ended.returncode}, not {code}"]
        wrong += [f"stderr does not say '{part}'" for part in says if part not in err]
        self.expect(f"do {stage} {' '.join(words)}", not wrong, "; ".join(wrong) + f"\n{ended.stdout.decode()}{err}")
        return ended

    def expect(self, name, holds, what=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        if not holds:
            print(f"failed: {name}\n    " + str(what).replace("\n", "\n    "))

    def folder_of(self, ended, output="data"):
        return pathlib.Path(json.loads(ended.stdout)["result"]["outputs"][output]["path"])

    def tokenized(self, files, *words, tokenizer=None, **how):
        """The bytes of .bin and .idx, and dataset.json."""
        ended = self.do("data.tokenize", f"files={files}", f"tokenizer={tokenizer or self.tokenizers / 'gpt2.json'}", *words, "--json", **how)
        return self.token_files(ended), json.loads((self.folder_of(ended) / "dataset.json").read_text())

    def token_files(self, ended):
        return [(self.folder_of(ended) / f"text_document.{ending}").read_bytes() for ending in ("bin", "idx")]

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def texts(place):
    place.write("all.jsonl", rows(0, 30))
    expected, info = place.tokenized("all.jsonl")
    place.expect("its documents are counted", info["documents"] == [30] and info["keys"] == ["text"] and "eod" not in info, info)
    place.write("corpus/a/1.jsonl", rows(0, 10))
    place.write("corpus/b.jsonl.gz", gzip.compress(rows(10, 20)))
    place.write("corpus/c.ndjson", rows(20, 30))
    place.write("corpus/README.md", b"no text of the corpus\n")
    for what, found in {
        "a folder is its files in order": place.tokenized("corpus")[0],
        "a list is its files in order": place.tokenized("[corpus/a,corpus/b.jsonl.gz,corpus/c.ndjson]")[0],
        "a pipe is a file": place.tokenized("-", piped=rows(0, 30))[0],
        "a packed pipe is a file": place.tokenized("-", piped=gzip.compress(rows(0, 30)))[0],
        "a Hub's dataset": place.tokenized("hf:datasets/org/texts/train")[0],
        "the same from the cache": place.tokenized("hf:datasets/org/texts@main/train", "workers=1", HF_HUB_OFFLINE="1")[0],
    }.items():
        place.expect(what, found == expected, "other bytes")
    again = place.do("data.tokenize", "files=-", f"tokenizer={place.tokenizers / 'gpt2.json'}", "--json", piped=rows(0, 5))
    place.expect("another pipe is another dataset", json.loads((place.folder_of(again) / "dataset.json").read_text())["documents"] == [5])
    place.do("data.tokenize", "files=-", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=3, says=["nothing came in by stdin"])
    place.do("data.tokenize", "files=hf:datasets/org/texts/absent.jsonl", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=3, says=["has no file 'absent.jsonl'"])
    place.do("data.tokenize", "files=hf:org/texts", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=2, says=["names no text"])
    place.do("data.tokenize", "files=all.csv", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=3, says=["there is no file"])
    place.write("all.csv", b"a,b\n")
    place.do("data.tokenize", "files=all.csv", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=3, says=["its ending does not say what it holds"])
    place.do("data.tokenize", "files=all.jsonl", "append_eod=true", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=2, says=["the tokenizer names no end of text"])
    place.do("data.tokenize", "files=all.jsonl", "keys=[a/b]", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=2, says=["cannot name a file"])
    place.write("page.txt", b"one document\nof two lines\n")
    _, info = place.tokenized("page.txt")
    place.expect("a text is a document", info["documents"] == [1], info)
    place.do("data.tokenize", "files=page.txt", "keys=[body]", f"tokenizer={place.tokenizers / 'gpt2.json'}", code=2, says=["has no field 'body'"])


def tokenizers(place):
    gpt2 = (place.tokenizers / "gpt2.json").read_bytes()
    config = b'{"eos_token": "</s>"}'
    place.write("model/tokenizer.json", gpt2)
    place.write("model/tokenizer_config.json", config)
    by_folder, info = place.tokenized("all.jsonl", "append_eod=true", tokenizer="./model")
    place.expect("the end of text is that of the folder", info["eod"] == json.loads(gpt2)["added_tokens"][1]["id"], info)
    by_file = place.tokenized("all.jsonl", tokenizer="./model/tokenizer.json")[0]
    place.expect("a file is itself, wherever it lies", by_file == place.tokenized("all.jsonl")[0])
    place.do("data.tokenize", "files=all.jsonl", "append_eod=true", "tokenizer=./model/tokenizer.json", code=2, says=["name the folder"])
    mock_hub.REPOS["models/org/words"] = {"main": mock_hub.COMMIT, "files": {"tokenizer.json": gpt2, "tokenizer_config.json": config, "model.safetensors": b"weights" * 1000}}
    by_hub, _ = place.tokenized("all.jsonl", "append_eod=true", tokenizer="hf:org/words")
    place.expect("a repository's tokenizer", by_hub == by_folder)
    place.expect("its weights stay where they are", not list((place.folder / "hub").rglob("*.safetensors")))
    for name in ("sp_bpe.model", "ranks.tiktoken", "tekken", "tekken/tekken.json"):
        place.do("data.tokenizer", f"source={place.tokenizers / name}")
    made = place.do("checkpoint.init", "hidden=16", "layers=1", "heads=2", "kv_heads=1", "ffn=32", f"tokenizer={place.folder / 'model/tokenizer.json'}", "--json")
    place.expect("a new model takes it along", (place.folder_of(made, "model") / "tokenizer.json").read_bytes() == gpt2)
    model = pathlib.Path(place.folder / "taught")
    shutil.copytree(place.folder_of(made, "model"), model)
    place.write("taught/tokenizer_config.json", config)
    place.write("taught.yaml", TAUGHT)
    ended = place.run("run", "taught.yaml", "--json")
    place.expect("a plan knows which token of a model ends texts before it is loaded", ended.returncode == 0 and place.token_files(ended) == by_folder, ended.stderr.decode())
    place.do("data.tokenizer", "source=./all.jsonl", code=3)
    place.do("data.tokenizer", "source=./absent", code=3, says=["there is no file or folder"])
    place.write("empty/config.json", b"{}")
    place.do("data.tokenizer", "source=./empty", code=3, says=["no tokenizer.json"])


def main():
    program, root = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    hub = mock_hub.Hub()
    mock_hub.REPOS["datasets/org/texts"] = {
        "main": mock_hub.COMMIT,
        "files": {"README.md": b"a card\n", "train/1.jsonl": rows(0, 10), "train/2.jsonl.gz": gzip.compress(rows(10, 30)), "test/1.jsonl": rows(90, 91)},
    }
    with tempfile.TemporaryDirectory(prefix="stillroom-texts-") as name:
        place = Place(program, root, pathlib.Path(name).resolve(), hub)
        texts(place)
        tokenizers(place)
        subprocess.run(["chmod", "-R", "u+w", name], check=False)
    print(f"{place.passed} passed, {place.failed} failed")
    return 1 if place.failed else 0


if __name__ == "__main__":
    sys.exit(main())
