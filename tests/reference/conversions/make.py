#!/usr/bin/env python3
"""Writes digests.json: what torch 2.11 makes of every 16-bit and 8-bit code, and of F32 around each rounding edge.

A digest is the SHA-256 of the SHA-256 of the bytes (engine/base/digest.h, one chunk). Where torch's answer depends on the processor (the
bits of a NaN), or is no weight (a NaN for what is too large), the rule of convert.h is put in by hand, below.
"""

import hashlib
import json
import pathlib

import numpy
import torch

LOWER = [0, 1, 0xFFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001, 0xFFFF]

codes = numpy.arange(65536, dtype=numpy.uint32)
edges = numpy.concatenate([(codes << 16) | low for low in LOWER]).astype(numpy.uint32)
floats = torch.from_numpy(edges.view(numpy.int32)).view(torch.float32)
is_nan = torch.isnan(floats)


def digest(array):
    return hashlib.sha256(hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).digest()).hexdigest()


def bits(tensor, kind, unsigned):
    return tensor.view(kind).numpy().view(unsigned).copy()


def decoded(half_type):
    return bits(torch.from_numpy(codes.astype(numpy.uint16).view(numpy.int16)).view(half_type).float(), torch.int32, numpy.uint32)


out = {"bf16 to f32": digest(decoded(torch.bfloat16))}

f16 = decoded(torch.float16)
nan = (codes & 0x7FFF) > 0x7C00
f16[nan] = ((codes & 0x8000) << 16 | 0x7FC00000 | (codes & 0x3FF) << 13)[nan]
out["f16 to f32"] = digest(f16)

for name, half_type, quiet in [("bf16", torch.bfloat16, 0x7FC0), ("f16", torch.float16, 0x7E00)]:
    halves = bits(floats.to(half_type), torch.int16, numpy.uint16)
    halves[is_nan.numpy()] = quiet
    out[f"f32 to {name}"] = digest(halves)

for name, byte_type, largest in [("e4m3", torch.float8_e4m3fn, 448), ("e5m2", torch.float8_e5m2, 57344), ("e8m0", torch.float8_e8m0fnu, None)]:
    eight = torch.arange(256, dtype=torch.int16).to(torch.uint8).view(byte_type).float()
    values = bits(eight, torch.int32, numpy.uint32)
    quiet = torch.isnan(eight).numpy()
    values[quiet] = (values[quiet] & 0x80000000) | 0x7FC00000
    out[f"{name} to f32"] = digest(values)
    if largest:
        encoded = bits(floats.clamp(-largest, largest).to(byte_type), torch.uint8, numpy.uint8)
        encoded[is_nan.numpy()] = 0x7F | (edges[is_nan.numpy()] >> 24 & 0x80).astype(numpy.uint8)
    else:
        encoded = bits(floats.to(byte_type), torch.uint8, numpy.uint8)
        encoded[(encoded == 255) & ~is_nan.numpy()] = 254
    out[f"f32 to {name}"] = digest(encoded)

path = pathlib.Path(__file__).with_name("digests.json")
path.write_text(json.dumps(out, indent=2) + "\n")
