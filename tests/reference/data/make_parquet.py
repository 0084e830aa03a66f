#!/usr/bin/env python3
"""make_parquet.py   one table, written by pyarrow (26.0.1) in every form that lm/data/parquet.h reads

Writes parquet/*.parquet and expected.json: of each column the SHA-256 of its rows, spelled as spell() does. All files hold the same
rows, so one digest a column serves all.
"""

import hashlib
import json
import pathlib
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
ROWS = 120


def rows():
    pick = random.Random(7)
    words = "still room lavender rosemary water fire grün 静か 🔥 e\u0301".split()
    for i in range(ROWS):
        text = None if i % 11 == 5 else " ".join(pick.choice(words) for _ in range(pick.choice((0, 1, 3, 20))))
        choices = None if i % 13 == 4 else [None if pick.random() < 0.1 else pick.choice(words) + str(j) for j in range(pick.choice((0, 1, 4, 4, 9)))]
        yield {
            "text": text,
            "kind": words[i % 3],
            "number": pick.randrange(-(2**63), 2**63) if i % 2 else i,
            "small": pick.randrange(-(2**31), 2**31),
            "natural": pick.randrange(2**32),
            "answer": None if i % 17 == 0 else i % 4,
            "flag": pick.random() < 0.5,
            "ratio": pick.uniform(-1e9, 1e9),
            "single": struct.unpack("<f", struct.pack("<f", pick.uniform(-1, 1)))[0],
            "choices": choices,
            "train": None if i % 19 == 3 else {"question": text, "choices": choices, "answer": i},
            "messages": [{"role": "user", "content": word} for word in words[: i % 4]],
            "day": i,
        }


SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        ("number", pa.int64()),
        ("small", pa.int32()),
        ("natural", pa.uint32()),
        ("answer", pa.int64()),
        ("flag", pa.bool_()),
        ("ratio", pa.float64()),
        ("single", pa.float32()),
        ("choices", pa.list_(pa.string())),
        ("train", pa.struct([("question", pa.string()), ("choices", pa.list_(pa.string())), ("answer", pa.int64())])),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("day", pa.date32()),
    ]
)

FORMS = {
    "plain": {"compression": "none", "use_dictionary": False},
    "dictionary": {"compression": "none"},
    "snappy": {"compression": "snappy"},
    "gzip": {"compression": "gzip"},
    "zstd": {"compression": "zstd"},
    "pages-v2": {"compression": "none", "data_page_version": "2.0"},
    "pages-v2-snappy": {"compression": "snappy", "data_page_version": "2.0"},
    "pages-v2-zstd-plain": {"compression": "zstd", "data_page_version": "2.0", "use_dictionary": False},
    "fallback": {"compression": "snappy", "dictionary_pagesize_limit": 200},
    "checksums": {"compression": "zstd", "write_page_checksum": True},
    "delta": {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {
            "text": "DELTA_LENGTH_BYTE_ARRAY",
            "kind": "DELTA_BYTE_ARRAY",
            "number": "DELTA_BINARY_PACKED",
            "small": "DELTA_BINARY_PACKED",
            "natural": "DELTA_BINARY_PACKED",
            "answer": "DELTA_BINARY_PACKED",
            "choices.list.element": "DELTA_BYTE_ARRAY",
            "flag": "RLE",
        },
    },
    "old-lists": {"compression": "gzip", "use_compliant_nested_type": False, "store_schema": False, "version": "1.0"},
}
COLUMNS = ["text", "kind", "number", "small", "natural", "answer", "flag", "ratio", "single", "choices", "train.question", "train.choices", "train.answer"]
COLUMNS += ["messages.role", "messages.content", "day"]


def spell(value):
    if value is None:
        return b"N\n"
    if isinstance(value, bool):
        return b"B%d\n" % value
    if isinstance(value, int):
        return b"I%d\n" % value
    if isinstance(value, float):
        return b"R" + struct.pack(">d", value).hex().encode() + b"\n"
    if isinstance(value, str):
        return b"T%d:%s\n" % (len(value.encode()), value.encode())
    return b"L%d\n" % len(value) + b"".join(map(spell, value))


def cell(row, name):
    head, _, rest = name.partition(".")
    value = row[head]
    if not rest or value is None:
        return value
    return [one[rest] for one in value] if isinstance(value, list) else value[rest]


def main():
    table = pa.Table.from_pylist(list(rows()), schema=SCHEMA)
    folder = HERE / "parquet"
    folder.mkdir(exist_ok=True)
    for name, options in FORMS.items():
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=50, data_page_size=128, write_batch_size=8, write_statistics=False, **options)
        again = pq.read_table(folder / f"{name}.parquet")
        if name != "old-lists":
            assert again.to_pylist() == table.to_pylist(), name
    digests = {name: hashlib.sha256(b"".join(spell(cell(row, name)) for row in rows())).hexdigest() for name in COLUMNS}
    (folder / "expected.json").write_text(json.dumps({"rows": ROWS, "columns": digests}, indent=1) + "\n")
    for name, values, options in (
        ("other-codec", pa.table({"text": ["a"] * 100}), {"compression": "brotli"}),
        ("other-codec-lz4", pa.table({"text": ["a"] * 100}), {"compression": "lz4"}),
        ("lists-of-lists", pa.table({"text": ["a"], "deep": [[["b"]]]}), {}),
        ("fixed", pa.table({"text": ["a"], "hash": pa.array([b"1234"], pa.binary(4))}), {}),
        ("empty", pa.table({"text": pa.array([], pa.string())}), {}),
        ("split-bytes", pa.table({"number": [1.5, 2.5]}), {"use_dictionary": False, "column_encoding": {"number": "BYTE_STREAM_SPLIT"}}),
    ):
        pq.write_table(values, folder / f"{name}.parquet", **options)


main()
