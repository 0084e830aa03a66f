#!/usr/bin/env python3
"""Blocks of every type that lm/weights/quantized.h reads, and their values.

blocks.py FOLDER: writes TYPE.bin there for each type, its blocks and then their values as float32, as the package gguf
(0.19.0, gguf.quants.dequantize) gives them. Scales are finite; among them are zeros, subnormals and the largest half.
"""
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

# Where a block keeps its halves.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}
SPECIAL = [0.0, -0.0, 6e-8, -3e-5, 65504.0, -65504.0]


def main(folder):
    random = np.random.default_rng(20261121)
    for name in ["F32", "F16", "BF16", *SCALES]:
        kind = GGMLQuantizationType[name]
        values, size = GGML_QUANT_SIZES[kind]
        count = max(8, 96 // values) if values < 256 else 3
        if name == "F32":
            blocks = random.standard_normal(count).astype("<f4")
            blocks[:6] = [0.0, -0.0, 1e-40, 3.3e38, 1.00390625, 1.01171875]
        elif name == "F16":
            blocks = random.standard_normal(count).astype("<f2")
            blocks[:6] = SPECIAL
        elif name == "BF16":
            blocks = random.integers(0, 0x7F80, count).astype("<u2")
        else:
            blocks = random.integers(0, 256, (count, size)).astype(np.uint8)
            for at in SCALES[name]:
                halves = random.standard_normal(count).astype("<f2")
                halves[: min(count, 6) - 2] = SPECIAL[: min(count, 6) - 2]
                blocks[:, at : at + 2] = halves.view(np.uint8).reshape(count, 2)
        blocks = np.ascontiguousarray(blocks).view(np.uint8).reshape(1, -1)
        numbers = dequantize(blocks, kind).astype("<f4")
        assert numbers.size == blocks.size // size * values and np.isfinite(numbers).all()
        (pathlib.Path(folder) / f"{name}.bin").write_bytes(blocks.tobytes() + numbers.tobytes())


main(sys.argv[1])
