#!/usr/bin/env python3
"""Writes golden.safetensors: a small file by the Python library `safetensors` 0.8 and torch 2.11.

safetensors_test.cpp reads it, tensor_writer_test.cpp writes it again byte for byte.
"""

import pathlib

import torch
from safetensors.torch import save_file

tensors = {
    "ids": torch.arange(-2, 4, dtype=torch.int64).reshape(2, 3),
    "norm.weight": torch.tensor([1.0, -0.5, float("inf")]),
    "b.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4).to(torch.bfloat16),
    "a.weight": torch.arange(4, dtype=torch.float32).to(torch.bfloat16),
    "half": torch.tensor([[0.5], [65504.0]], dtype=torch.float16),
    "eight": torch.tensor([1.0, 448.0, -0.0]).to(torch.float8_e4m3fn),
    "scale": torch.tensor([1.0, 2.0]).to(torch.float8_e8m0fnu),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "flags": torch.tensor([True, False, True]),
    "double": torch.tensor(2.5, dtype=torch.float64),
    "empty": torch.zeros(0, 7),
    'ü "quoted" \\ \t': torch.tensor([7], dtype=torch.int32),
}
save_file(tensors, pathlib.Path(__file__).with_name("golden.safetensors"), metadata={"format": "pt"})
