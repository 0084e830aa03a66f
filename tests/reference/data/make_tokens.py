#!/usr/bin/env python3
"""rows.jsonl and what Megatron's preprocessors make of it: make_tokens.py, by hand, writes tokens.json beside itself.

Run with tokenizers 0.23.3 and megatron-core 0.16.1. The loop is that of Megatron-LM's preprocess_data and of ModelOpt's
megatron_preprocess_data: a field of a JSON line, the tokenizer with its special tokens around it, a cut, the end of text behind what is not empty,
megatron-core's IndexedDatasetBuilder. Names of special tokens in the text are text, unless `allow_special` says otherwise.
"""

import hashlib
import json
import pathlib
import random
import tempfile
import warnings

warnings.simplefilter("ignore")

import numpy
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "tokenizer"


def rows():
    dice = random.Random(7)
    words = "a still room holds jars, labels and a copper still; the fire's low, 35 drops a minute. Größe façade 北京 日本語 한국어 🙂🧪 \tx\u00a0y http://a.b/c?d=1".split(" ")
    texts = ["", " ", "one", "two\nlines\n", "\r\n", 'a "quoted" \\ word', "<|im_end|> is text", "\u0000\u001f\u2028", "e\u0301\u200d", "x" * 5000]
    while len(texts) < 300:
        texts.append(dice.choice(["", "\n", " "]).join(dice.choice(words) + " " for _ in range(dice.randrange(120))))
    for i, text in enumerate(texts):
        row = {"id": i, "text": text, "meta": {"title": f"Row {i}: {dice.choice(words)}", "n": [1, -2.5e-3, None, True], "more": {"deep": [[]]}}}
        yield json.dumps(row, ensure_ascii=i % 3 == 0, indent=None, separators=((",", ":"), (", ", ": "))[i % 2])


def field(row, key):
    for part in key.split("."):
        row = row[part]
    return row


CASES = [
    {"tokenizer": "llama3.json", "end": 502},
    {"tokenizer": "llama3.json"},
    {"tokenizer": "llama3.json", "end": 502, "type": "i32", "cut": 20},
    {"tokenizer": "llama3.json", "strip_newlines": True, "keys": ["text", "meta.title"]},
    {"tokenizer": "llama3.json", "allow_special": True},
    {"tokenizer": "sentencepiece_bpe.json", "end": 2},
    {"tokenizer": "gpt2.json", "most": 2000},
    {"tokenizer": "gpt2.json", "holdout": 0.25, "seed": 5, "end": 0},
    {"tokenizer": "bert.json"},
]


def held_out(seed, index, share):
    first = int.from_bytes(hashlib.sha256(f"{seed}/{index}".encode()).digest()[:8], "big")
    return (first >> 11) / 2**53 < share


def files_of(case, lines, folder):
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / case["tokenizer"]))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = not case.get("allow_special", False)
    kind = numpy.int32 if case.get("type") == "i32" else numpy.uint16
    keys = case.get("keys", ["text"])
    outputs = ["data", "valid"] if case.get("holdout") else ["data"]
    builders = {(o, k): IndexedDatasetBuilder(str(folder / f"{o}-{k}.bin"), dtype=kind) for o in outputs for k in keys}
    total = 0
    for index, line in enumerate(lines):
        row = json.loads(line)
        output = "valid" if held_out(case.get("seed", 1234), index, case.get("holdout", 0)) else "data"
        for key in keys:
            text = field(row, key)
            if case.get("strip_newlines"):
                text = text.replace("\n", " ")
            ids = tokenizer.encode(text).ids
            if "cut" in case:
                ids = ids[: case["cut"]]
            if ids and "end" in case:
                ids.append(case["end"])
            builders[output, key].add_document(ids, [len(ids)] if ids else [])
            total += len(ids) if output == "data" else 0
        if "most" in case and total >= case["most"]:
            break
    found = {}
    for (output, key), builder in builders.items():
        builder.finalize(str(folder / f"{output}-{key}.idx"))
        for ending in ("bin", "idx"):
            found[f"{output}-{key}.{ending}"] = hashlib.sha256((folder / f"{output}-{key}.{ending}").read_bytes()).hexdigest()
    return found


def main():
    lines = list(rows())
    # What our reader passes over: a mark at the begin, blank lines, CRLF, no line end at the end.
    text = "\ufeff" + lines[0] + "\r\n\n" + "\n".join(lines[1:20]) + "\n \t\n" + "\n".join(lines[20:])
    (HERE / "rows.jsonl").write_bytes(text.encode())
    with tempfile.TemporaryDirectory() as folder:
        made = [case | {"files": files_of(case, lines, pathlib.Path(folder))} for case in CASES]
    (HERE / "tokens.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
