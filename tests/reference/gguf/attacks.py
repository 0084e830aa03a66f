#!/usr/bin/env python3
"""Small GGUF files that are well formed, or wrong in one way each (row M17 of the fault matrix).

attacks.py FOLDER: writes them there; they are the corpus of the fuzz target gguf, and gguf_test.cpp says what is to be
said of each. Only Python's own library is used, since the package gguf refuses to write most of them.
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    return text(content) if kind == STRING else struct.pack("<" + FORMS[kind], content)


def key(name, kind, content):
    return text(name) + struct.pack("<I", kind) + value(kind, content)


def array(name, kind, items, count=None):
    body = b"".join(value(kind, item) for item in items)
    return text(name) + struct.pack("<IIQ", ARRAY, kind, len(items) if count is None else count) + body


def tensor(name, dims, kind, offset, n_dims=None):
    return (text(name) + struct.pack("<I", len(dims) if n_dims is None else n_dims)
            + b"".join(struct.pack("<Q", dim % 2**64) for dim in dims) + struct.pack("<IQ", kind, offset))


def file(keys=(), tensors=(), data=b"", magic=b"GGUF", version=3, n_keys=None, n_tensors=None, alignment=32):
    head = (magic + struct.pack("<IQQ", version, len(tensors) if n_tensors is None else n_tensors,
                                len(keys) if n_keys is None else n_keys) + b"".join(keys) + b"".join(tensors))
    return head + bytes(-len(head) % alignment) + data


ALL = [key("a.u8", U8, 200), key("a.i8", I8, -2), key("a.u16", U16, 60000), key("a.i16", I16, -3), key("a.u32", U32, 2**32 - 1),
       key("a.i32", I32, -4), key("a.f32", F32, 1.5), key("a.bool", BOOL, 1), key("a.text", STRING, "naïve"),
       key("a.u64", U64, 2**40), key("a.i64", I64, -5), key("a.f64", F64, 0.1), array("b.texts", STRING, ["x", "", "yz"]),
       array("b.numbers", I32, [3, -1]), array("b.none", F32, [])]
TWO = [tensor("one", [3, 2], 0, 0), tensor("two", [32], 8, 32)]
DATA = bytes(24) + bytes(8) + bytes(34) + bytes(30)

FILES = {
    "good": file(ALL, TWO, DATA),
    "good-version-2": file(ALL, TWO, DATA, version=2),
    "good-alignment-64": file([key("general.alignment", U32, 64)], [tensor("one", [3], 0, 0), tensor("two", [3], 0, 64)],
                              bytes(64 + 12), alignment=64),
    "good-empty": file(),
    "magic": file(ALL, magic=b"GGML"),
    "short-magic": b"GG",
    "nothing": b"",
    "version-0": file(version=0),
    "version-1": file(version=1),
    "version-99": file(version=99),
    "big-endian": file(version=0x03000000),
    "many-keys": file(n_keys=2**60),
    "many-tensors": file(n_tensors=2**60),
    "many-tensors-overflow": file(n_tensors=2**64 - 1, n_keys=2**64 - 1),
    "long-string": file([text("a") + struct.pack("<IQ", STRING, 2**63) + b"abc"]),
    "long-key": file([struct.pack("<Q", 2**64 - 1) + b"abcdefgh"]),
    "empty-key": file([key("", U8, 1)]),
    "key-not-utf8": file([key(b"\xff\xfe", U8, 1)]),
    "nested-array": file([array("a", ARRAY, [], 1)]),
    "array-too-long": file([array("a", F64, [1.0], 2**61 + 1)]),
    "texts-too-long": file([array("a", STRING, ["b"], 2**61 + 1)]),
    "array-of-unknown": file([array("a", 13, [], 0)]),
    "unknown-kind": file([text("a") + struct.pack("<I", 13)]),
    "bool-7": file([key("a", BOOL, 7)]),
    "bool-7-in-array": file([array("a", BOOL, [0, 1, 7])]),
    "alignment-0": file([key("general.alignment", U32, 0)]),
    "alignment-3": file([key("general.alignment", U32, 3)]),
    "alignment-huge": file([key("general.alignment", U64, 2**40)]),
    "alignment-text": file([key("general.alignment", STRING, "32")]),
    "key-twice": file([key("a", U8, 1), key("a", U8, 2)]),
    "tensor-twice": file([], [tensor("one", [3], 0, 0), tensor("one", [3], 0, 32)], bytes(64)),
    "dims-5": file([], [tensor("one", [1, 1, 1, 1, 1], 0, 0)], bytes(4)),
    "dim-0": file([], [tensor("one", [0, 2], 0, 0)]),
    "dim-minus-1": file([], [tensor("one", [-1], 0, 0)], bytes(4)),
    "dims-overflow": file([], [tensor("one", [2**32, 2**31], 0, 0)], bytes(4)),
    "bytes-overflow": file([], [tensor("one", [2**62], 0, 0)], bytes(4)),
    "type-999": file([], [tensor("one", [3], 999, 0)], bytes(12)),
    "row-no-block": file([], [tensor("one", [33, 32], 8, 0)], bytes(2000)),
    "scalar-block": file([], [tensor("one", [], 8, 0)], bytes(34)),
    "offset-lie": file([], [tensor("one", [3], 0, 0), tensor("two", [3], 0, 64)], bytes(96)),
    "offset-overlap": file([], [tensor("one", [3], 0, 0), tensor("two", [3], 0, 0)], bytes(64)),
    "offset-huge": file([], [tensor("one", [3], 0, 2**64 - 32)], bytes(32)),
    "data-short": file([], [tensor("one", [3], 0, 0)], bytes(11)),
    "data-far-too-short": file([], [tensor("one", [4096, 4096], 0, 0)], bytes(11)),
    "data-missing": file([], [tensor("one", [3], 0, 0)])[:-3],
    "tail": file([], [tensor("one", [3], 0, 0)], bytes(33)),
    "name-empty": file([], [tensor("", [3], 0, 0)], bytes(12)),
    "name-long": file([], [tensor("x" * 64, [3], 0, 0)], bytes(12)),
    "name-not-utf8": file([], [tensor(b"\xc0\x80", [3], 0, 0)], bytes(12)),
    "cut-in-infos": file([], [tensor("one", [3], 0, 0), tensor("two", [3], 0, 32)], bytes(64))[:85],
}

for name, content in FILES.items():
    (pathlib.Path(sys.argv[1]) / name).write_bytes(content)
