#!/usr/bin/env python3
"""parquet_attacks.py   small Parquet files by hand, for tests/fuzz/corpus/parquet: a sound one, and one for each lie

Standard library only, and owes neither pyarrow nor our reader anything: parquet() writes one column of texts, and each case changes what it says.
"""

import pathlib
import struct

OUT = pathlib.Path(__file__).resolve().parents[2] / "fuzz/corpus/parquet"


def varint(number):
    out = b""
    number &= 2**64 - 1
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(value):
    return 5, varint((value << 1) ^ (value >> 63))


def text(value):
    return 8, varint(len(value)) + value.encode()


def listed(kind, items):
    size = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return 9, size + b"".join(item for _, item in items)


def struct_of(**fields):
    out, last = b"", 0
    for name, (kind, data) in sorted(fields.items(), key=lambda field: int(field[0][1:])):
        out += bytes([(int(name[1:]) - last) << 4 | kind]) + data
        last = int(name[1:])
    return 12, out + b"\0"


def parquet(
    texts=("still", "room"), page_size=None, unpacked=None, values=None, rows=None, codec=0, encoding=0, schema=None, offset=4, chunk_size=None, footer_size=None, levels=b"", optional=False, page_type=0
):
    data = levels + b"".join(struct.pack("<I", len(one)) + one.encode() for one in texts)
    count = len(texts) if values is None else values
    head = struct_of(
        f1=number(page_type),
        f2=number(len(data) if unpacked is None else unpacked),
        f3=number(len(data) if page_size is None else page_size),
        f5=struct_of(f1=number(count), f2=number(encoding), f3=number(3), f4=number(3)),
    )[1]
    page = head + data
    rows = len(texts) if rows is None else rows
    column = struct_of(
        f1=number(6),
        f2=listed(5, [number(0)]),
        f3=listed(8, [text("text")]),
        f4=number(codec),
        f5=number(count),
        f6=number(len(page)),
        f7=number(len(page) if chunk_size is None else chunk_size),
        f9=number(offset),
    )
    root = struct_of(f4=text("root"), f5=number(1))
    leaf = struct_of(f1=number(6), f3=number(1 if optional else 0), f4=text("text"), f6=number(0))
    group = struct_of(f1=listed(12, [struct_of(f2=number(4), f3=column)]), f2=number(len(page)), f3=number(rows))
    footer = struct_of(f1=number(1), f2=listed(12, [root, leaf] if schema is None else schema), f3=number(rows), f4=listed(12, [group]))[1]
    return b"PAR1" + page + footer + struct.pack("<I", len(footer) if footer_size is None else footer_size) + b"PAR1"


def nested(depth):
    return [struct_of(f4=text("root"), f5=number(1))] + [struct_of(f3=number(1), f4=text(f"g{i}"), f5=number(1)) for i in range(depth)] + [struct_of(f1=number(6), f3=number(0), f4=text("text"))]


def levels(runs):
    return struct.pack("<I", len(runs)) + runs


CASES = {
    "sound": parquet(),
    "nulls": parquet(levels=levels(varint(2 << 1) + b"\1"), optional=True),
    "footer-lie": parquet(footer_size=2**31),
    "footer-short": parquet(footer_size=7),
    "page-of-2g": parquet(page_size=2**31 - 1),
    "page-over-32-bits": parquet(page_size=2**31),
    "unpacked-2g": parquet(unpacked=2**31 - 1),
    "unpacked-1g-snappy": parquet(unpacked=2**30, codec=1),
    "unpacked-1g-gzip": parquet(unpacked=2**30, codec=2),
    "unpacked-1g-zstd": parquet(unpacked=2**30, codec=6),
    "negative-page": parquet(page_size=-1),
    "wrong-codec": parquet(codec=2),
    "unknown-codec": parquet(codec=257),
    "unknown-encoding": parquet(encoding=77),
    "dictionary-missing": parquet(encoding=8),
    "values-lie": parquet(values=2**31 - 1, rows=2**31 - 1),
    "values-negative": parquet(values=-1),
    "nulls-by-the-billion": parquet(texts=(), values=2**27, rows=2**27, levels=levels(varint(2**27 << 1) + b"\0"), optional=True),
    "rows-lie": parquet(rows=3),
    "rows-2-63": parquet(rows=2**63 - 1),
    "offset-0": parquet(offset=0),
    "offset-beyond": parquet(offset=10**9),
    "chunk-beyond": parquet(chunk_size=10**9),
    "text-beyond": parquet(levels=struct.pack("<I", 2**31)),
    "nested-9": parquet(schema=nested(8)),
    "nested-1000": parquet(schema=nested(1000)),
    "children-lie": parquet(schema=[struct_of(f4=text("root"), f5=number(2**31 - 1))]),
    "no-schema": parquet(schema=[]),
    "type-99": parquet(schema=[struct_of(f4=text("root"), f5=number(1)), struct_of(f1=number(99), f4=text("text"))]),
    "index-page": parquet(page_type=1),
    "deep-header": b"PAR1" + b"\x1c" * 1000 + struct.pack("<I", 1000) + b"PAR1",
    "list-of-2-60": b"PAR1" + b"\x29\xf5" + varint(2**60) + struct.pack("<I", 2 + len(varint(2**60))) + b"PAR1",
    "encrypted": parquet()[:-4] + b"PARE",
}

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in CASES.items():
        (OUT / name).write_bytes(data)
