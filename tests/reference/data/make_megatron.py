#!/usr/bin/env python3
"""make_megatron.py [PROGRAM]   what megatron-core 0.16.1 (numpy 2, on a CPU) makes of token files, as digests in megatron.json

The files are made by formula, so that the tests make the same: document i of file f has (a*i + b) % c tokens (every 9th none where
c > 50), token t of the file is (t * 7 + f) % 1000. Of each case: the arrays that GPTDataset and BlendedDataset build, and the tokens of
samples. With PROGRAM, our own, `data.mock` and its .bin/.idx are read by Megatron's reader and compared with the formula of data.mock.
"""

import hashlib
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import types

import numpy
import torch
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder

HERE = pathlib.Path(__file__).resolve().parent
FILES = [(37, 1, 101, 1000), (3, 2, 7, 40), (11, 5, 60, 200), (1, 1, 2, 1), (13, 0, 17, 3), (101, 7, 1009, 60), (5, 3, 90, 77), (2, 4, 33, 500), (29, 9, 400, 25)]
TOKENIZER = types.SimpleNamespace(vocab_size=1000, eod=0, unique_identifiers={}, pad=-1)


def lengths_of(file):
    a, b, c, count = FILES[file]
    return [0 if c > 50 and i % 9 == 8 else (a * i + b) % c for i in range(count)]


def digest(*arrays):
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(numpy.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()[:16]


def write(folder, file):
    prefix = str(folder / f"f{file}_document")
    builder = IndexedDatasetBuilder(prefix + ".bin", dtype=numpy.uint16)
    at = 0
    for length in lengths_of(file):
        builder.add_document(torch.tensor([(t * 7 + file) % 1000 for t in range(at, at + length)], dtype=torch.int64), [length])
        at += length
    builder.finalize(prefix + ".idx")
    return prefix


def gpt(dataset):
    """What a GPTDataset is."""
    if dataset is None:
        return None
    texts = [dataset._query_document_sample_shuffle_indices(i)[0].astype(numpy.int32) for i in range(min(len(dataset), 20))]
    return {
        "size": len(dataset),
        "documents": digest(dataset.document_index),
        "samples": digest(dataset.sample_index),
        "shuffle": digest(dataset.shuffle_index),
        "tokens": digest(*texts),
    }


def built(prefixes, weights, sizes, split, sequence, seed):
    config = GPTDatasetConfig(
        random_seed=seed,
        sequence_length=sequence,
        blend=(prefixes, weights),
        split=split,
        path_to_cache=None,
        tokenizer=TOKENIZER,
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    return BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, config).build()


def single_cases(prefixes):
    pick = random.Random(1)
    grid = list(itertools.product(range(len(FILES)), (2, 8, 64, 257), (0, 1234, 2**32 - 1), (None, 1, 10, 100, 3000), ("1", "99,1,0", "9999,8,2", "50,30,20")))
    for file, sequence, seed, samples, split in pick.sample(grid, 400):
        tokens = sum(lengths_of(file))
        if samples is None and tokens <= sequence or not has_tokens(file, split):
            continue
        try:
            parts = built([prefixes[file]], None, [samples] * 3, split, sequence, seed)
        except Exception:  # too little for a sample: it asserts
            continue
        yield {"file": file, "sequence": sequence, "seed": seed, "samples": samples, "split": split, "parts": [gpt(one) for one in parts]}


def has_tokens(file, split):
    """Whether each part of the split has a token: else the reference never ends."""
    lengths = lengths_of(file)
    shares = numpy.array([float(one) for one in split.split(",")])
    bounds = [0.0, *numpy.cumsum(shares / shares.sum()).tolist()]
    for begin, end in itertools.pairwise(bounds):
        if end > begin and sum(lengths[round(begin * len(lengths)) : round(end * len(lengths))]) == 0:
            return False
    return True


def blend_cases(prefixes):
    pick = random.Random(2)
    for case in range(240):
        files = [pick.choice((0, 1, 2, 2, 5, 6, 7, 8, 4)) for _ in range(pick.choice((1, 2, 3, 5, 9, 12)))]
        weights = None if case % 4 == 0 else [round(pick.uniform(0.05, 3), pick.choice((1, 2, 17))) for _ in files]
        split = pick.choice(("1", "90,10", "98,1,1"))
        sequence = pick.choice((4, 32))
        sizes = pick.choice((None, 5, 50, 400))
        if weights is None and len(files) == 1 or weights is not None and sizes is None:
            continue
        if not all(has_tokens(file, split) for file in files):
            continue
        try:
            parts = built([prefixes[file] for file in files], weights, [sizes] * 3, split, sequence, case)
        except Exception:
            continue
        out = []
        for part in parts:
            if part is None:
                out.append(None)
                continue
            texts = []
            for i in range(min(len(part), 20)):
                inner = part.datasets[part.dataset_index[i]]
                texts.append(inner._query_document_sample_shuffle_indices(part.dataset_sample_index[i])[0].astype(numpy.int32))
            out.append({"size": len(part), "dataset": digest(part.dataset_index), "sample": digest(part.dataset_sample_index), "tokens": digest(*texts)})
        yield {"files": files, "weights": weights, "sequence": sequence, "seed": case, "samples": sizes, "split": split, "parts": out}


def splitmix64(seed):
    mask = 2**64 - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


def read_ours(program, folder):
    recipe = folder / "ours.yaml"
    recipe.write_text(
        "recipe: ours\nstages:\n"
        "  model: {use: checkpoint.init, hidden: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32, vocab: 300}\n"
        "  mock: {use: data.mock, tokenizer: model, documents: 1000, max_length: 700, seed: 11}\noutputs: {data: mock}\n"
    )
    said = subprocess.run(
        [program, "run", recipe, "--json", "--run-dir", folder / "run"], env=os.environ | {"STILLROOM_STORE": str(folder / "store")}, capture_output=True, text=True, check=True
    )
    (prefix,) = (file.with_suffix("") for file in (folder / "store").glob("*/data/mock_document.idx"))
    data = IndexedDataset(str(prefix))
    assert len(data) == 1000, said.stdout
    for i in range(len(data)):
        length = 1 + splitmix64(11 + i) % 700
        wanted = [1 + j % 299 for j in range(length - 1)] + [299]
        assert data[i].tolist() == wanted, i
    assert data.document_indices.tolist() == list(range(1001))
    return {"documents": len(data), "tokens": int(data.sequence_lengths.sum()), "index": hashlib.sha256(open(f"{prefix}.idx", "rb").read()).hexdigest()}


def main():
    out = json.loads((HERE / "megatron.json").read_text()) if (HERE / "megatron.json").exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if len(sys.argv) > 1:
            out["mock"] = read_ours(sys.argv[1], folder)
        else:
            prefixes = [write(folder, file) for file in range(len(FILES))]
            out["files"] = [
                {"formula": list(FILES[i]), "index": hashlib.sha256(open(f"{prefix}.idx", "rb").read()).hexdigest()[:16], "tokens": hashlib.sha256(open(f"{prefix}.bin", "rb").read()).hexdigest()[:16]}
                for i, prefix in enumerate(prefixes)
            ]
            out["single"] = [case for case in single_cases(prefixes) if case]
            out["blends"] = list(blend_cases(prefixes))
    (HERE / "megatron.json").write_text("{\n" + ",\n".join(f'"{key}": ' + (json.dumps(value) if isinstance(value, dict) else "[\n" + ",\n".join(map(json.dumps, value)) + "\n]") for key, value in out.items()) + "\n}\n")


main()
