"""Rows D3, D4 and D6, of token files and Parquet: what strangers' files say is checked, what changes meanwhile is not kept."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import struct

from harness import check, row, state_of, wait_until, workers

TOKENS = struct.pack("<6H", 1, 2, 3, 4, 5, 6)


def index(lengths=(3, 2, 1), kind=8, version=1, magic=b"MMIDIDX\0\0", offsets=None, bounds=None, sequences=None, documents=None):
    offsets = [2 * sum(lengths[:i]) for i in range(len(lengths))] if offsets is None else offsets
    bounds = range(len(lengths) + 1) if bounds is None else bounds
    head = magic + struct.pack("<QBQQ", version, kind, len(lengths) if sequences is None else sequences, len(bounds) if documents is None else documents)
    return head + struct.pack(f"<{len(lengths)}i{len(offsets)}q{len(bounds)}q", *lengths, *offsets, *bounds)


def write_pair(folder, index_bytes=None, tokens=TOKENS):
    folder.mkdir(exist_ok=True)
    (folder / "d.bin").write_bytes(tokens)
    (folder / "d.idx").write_bytes(index() if index_bytes is None else index_bytes)


def attacks(bench):
    """The Parquet files of the fuzz target's corpus, by the script that writes them."""
    spec = importlib.util.spec_from_file_location("parquet_attacks", pathlib.Path(bench.source) / "tests/reference/data/parquet_attacks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


@row("D3")
def parquet_that_lies(bench):
    cases = attacks(bench)
    says = {
        "footer-lie": "a footer of 2147483648 bytes",
        "footer-short": "its footer has",
        "page-over-32-bits": "32 bits",
        "page-of-2g": "a page of 2147483647 bytes",
        "unpacked-1g-snappy": "snappy",
        "wrong-codec": "gzip",
        "unknown-codec": "compression 257",
        "nested-9": "nested deeper than 8",
        "nested-1000": "nested deeper than 8",
        "chunk-beyond": "a column chunk at byte 4",
        "values-lie": "values",
        "rows-lie": "values that end 1 rows too early",
        "dictionary-missing": "needs a dictionary",
        "encrypted": "encrypted",
    }
    with bench.place() as place:
        tokenizer = place.work / "tokenizer"
        tokenizer.mkdir()
        shutil.copy(pathlib.Path(bench.source) / "tests/reference/tokenizer/gpt2.json", tokenizer / "tokenizer.json")

        def tokenize(data, *more):
            (place.work / "a.parquet").write_bytes(data)
            return place.run("do", "data.tokenize", "tokenizer=./tokenizer", "files=./a.parquet", *more)

        tokenize(cases["sound"]).expect(0)
        tokenize(b"JUNK" + cases["sound"][4:]).expect(3).says("a.parquet", "does not begin as")
        tokenize(cases["sound"], "keys=[body]").expect(3).says("a.parquet", "no column 'body'")
        for name, part in says.items():
            with bench.trying():
                tokenize(cases[name]).expect(3).says("a.parquet", part)
        bench.settle()
        place.check_whole()


@row("D3")
def indices_that_lie(bench):
    cases = [
        (index(magic=b"MMIDIDX\0\1"), TOKENS, "does not begin as"),
        (index(version=2), TOKENS, "version 2"),
        (index(kind=9), TOKENS, "token type 9"),
        (index(kind=7), TOKENS, "floating point"),
        (index(lengths=(3, -2, 1), offsets=[0, 6, 2]), TOKENS, "sequence 1 has -2"),
        (index(offsets=[0, 8, 10]), TOKENS, "begins at byte 8"),
        (index(bounds=[0, 2, 1, 3]), TOKENS, "ends before it begins"),
        (index(bounds=[0, 1, 2]), TOKENS, "end with sequence 2 of 3"),
        (index(sequences=2**62), TOKENS, "d.idx"),
        (index(documents=2**64 - 1), TOKENS, "d.idx"),
        (index()[:-1], TOKENS, "d.idx"),
        (index(), TOKENS[:-2], "10 bytes, its index needs 12"),
        (index(), TOKENS + b"\0\0", "14 bytes, its index needs 12"),
        (b"", TOKENS, "no index"),
    ]
    with bench.place() as place:
        for bytes_of_index, tokens, part in cases:
            with bench.trying():
                write_pair(place.work / "d", bytes_of_index, tokens)
                place.run("do", "data.open", "files=./d").expect(3).says("d/d.", part)
        bench.settle()
        place.check_whole()


@row("D4")
def too_little_data(bench):
    with bench.place() as place:
        write_pair(place.work / "d")
        shown = json.loads(place.run("do", "data.inspect", "data=./d", "sequence=512", "--json").expect(0).out)
        report = json.loads((pathlib.Path(shown["result"]["outputs"]["report"]["path"]) / "report.json").read_text())
        check(report["batch"]["samples"] == 0 and report["batch"]["rows"], f"repeated, and said so: {report['batch']}")
        write_pair(place.work / "d", index(lengths=(0, 0)), b"")
        shown = json.loads(place.run("do", "data.inspect", "data=./d", "--json").expect(0).out)
        report = json.loads((pathlib.Path(shown["result"]["outputs"]["report"]["path"]) / "report.json").read_text())
        check("hold no token" in report["batch"]["why_none"], f"why there is no batch: {report['batch']}")
        check(report["parts"][0]["lengths"]["empty"] == 2, "empty documents are counted")


@row("D6")
def replaced_after_it_was_opened(bench):
    """What a dataset refers to is looked at again before it is used."""
    with bench.place() as place:
        write_pair(place.work / "d")
        recipe = place.recipe({"data": "use: data.open, files: ./d/d.idx", "look": "use: data.inspect, data: data"})
        place.run("run", recipe).expect(0)
        place.run("run", recipe).expect(0).says("2 cached")
        tokens = place.work / "d/d.bin"
        before = tokens.stat()
        tokens.write_bytes(TOKENS[:-2] + b"\7\0")
        os.utime(tokens, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
        again = place.run("run", recipe).expect(0)
        check("2 cached" not in again.err, f"changed tokens make another dataset: {again}")
        write_pair(place.work / "d", index(lengths=(3, 2)), TOKENS[:-2])
        place.run("run", recipe).expect(0).says("finished 2 stages run")
        place.check_whole()


@row("D6")
def replaced_while_it_was_read(bench):
    """A dataset in the store that leads to files outside: who read them while they changed made nothing."""
    with bench.place() as place:
        write_pair(place.work / "d")
        recipe = place.recipe({"data": "use: data.open, files: ./d/d.idx", "look": "use: data.inspect, data: data"})
        place.run("run", recipe, "--only", "data").expect(0)
        before = place.keys()
        for reads, more in (("cached", []), ("made in the same run", ["--force", "data"])):
            process = place.start("run", recipe, "--allow-inject", "--inject", "look:0:sigstop", *more)
            stopped = wait_until(lambda: [w for w in workers(process.pid).values() if state_of(w) == "T"], 20, "no worker stopped before it read")
            tokens = (place.work / "d/d.bin").read_bytes()
            (place.work / "d/d.bin").write_bytes(tokens[:-2] + bytes([tokens[-2] ^ 1, 0]))
            os.kill(stopped[0], signal.SIGCONT)
            _, err = process.communicate(timeout=60)
            check(process.returncode == 9, f"{reads}: exit {process.returncode}, not 9: {err.decode()}")
            check("changed while it was read" in err.decode() and "d.bin" in err.decode(), f"{reads}: {err.decode()}")
            check(place.keys() == before, f"{reads}: an entry was made of a file that changed")
            (place.work / "d/d.bin").write_bytes(tokens)
        place.run("run", recipe).expect(0)
        place.check_whole()
