#!/usr/bin/env python3
"""Writes splits.json: how huggingface_hub 1.33 divides tensors into files, and the index that transformers 5.17 writes for them.

The tensors are U8 of the sizes given, named t000, t001 and so on. Divided by huggingface_hub's own function, which transformers calls;
the index's text is made as in transformers' save_pretrained: two-space indent, sorted keys, a last newline.
"""

import hashlib
import json
import pathlib
import random

from huggingface_hub import split_state_dict_into_shards_factory

CASES = {
    "all fit": (100, [10, 20, 30]),
    "exactly full": (60, [10, 20, 30, 1]),
    "the documented one": (10, [6, 6, 2, 6, 2, 2]),
    "one above the limit goes ahead of the open shard": (10, [4, 11, 4, 4]),
    "above the limit first": (10, [11, 4]),
    "above the limit last": (10, [4, 11]),
    "above the limit alone": (10, [11]),
    "above the limit twice": (10, [3, 11, 3, 12, 3, 3]),
    "nothing of size": (10, [0, 10, 0, 1, 0]),
    "a limit of one": (1, [1, 1, 0, 2, 1]),
}
rng = random.Random(5)
for number in range(4):
    CASES[f"drawn {number}"] = (rng.randrange(50, 400), [rng.randrange(0, 120) for _ in range(60)])

out = []
for name, (limit, sizes) in CASES.items():
    state = {f"t{i:03}": size for i, size in enumerate(sizes)}
    split = split_state_dict_into_shards_factory(
        state, get_storage_size=lambda size: size, filename_pattern="model{suffix}.safetensors", max_shard_size=limit
    )
    index = {
        "metadata": {"total_parameters": sum(sizes), **split.metadata},
        "weight_map": split.tensor_to_filename,
    }
    text = json.dumps(index, indent=2, sort_keys=True) + "\n" if split.is_sharded else ""
    out.append(
        {
            "name": name,
            "limit": limit,
            "sizes": sizes,
            "files": {file: [int(t[1:]) for t in tensors] for file, tensors in split.filename_to_tensors.items()},
            "index": hashlib.sha256(hashlib.sha256(text.encode()).digest()).hexdigest() if text else "",
        }
    )
lines = ",\n".join(json.dumps(case) for case in out)
pathlib.Path(__file__).with_name("splits.json").write_text(f"[\n{lines}\n]\n")
