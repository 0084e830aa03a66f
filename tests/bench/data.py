#!/usr/bin/env python3
"""JSON lines to token files, beside Megatron's preprocessing: data.py PROGRAM PROSE TOKENIZER [GIGABYTES [PART]]

PROSE is a file of English text, TOKENIZER a folder with tokenizer.json and tokenizer_config.json. The lines are made of that text and of the
Python code of the peer's environment, cut at random places, a new cut each line: nothing repeats as a whole. The peer (data_peer.py) needs an
environment with tokenizers and megatron-core, which STILLROOM_BENCH_VENV names. It takes the first PART (64) MB of the same lines and its time is
scaled to all of them; ours takes both. Files are compared first. Ends with 1 when a budget is missed.
"""

import json
import os
import pathlib
import random
import sys
import tempfile

import measure
from measure import mebibytes, median

ROUNDS = 3


def write_lines(file, size, prose, code):
    """`size` bytes of rows, three of prose to one of code."""
    dice = random.Random(1)
    written = number = 0
    with open(file, "wb") as out:
        while written < size:
            if number % 4 == 3 and code:
                text = dice.choice(code)
                begin = dice.randrange(max(1, len(text) - 8000))
                text = text[begin : begin + dice.randrange(500, 8000)]
            else:
                begin = dice.randrange(max(1, len(prose) - 6000))
                text = prose[begin : begin + dice.randrange(200, 6000)]
            line = json.dumps({"id": number, "text": text, "meta": {"source": "bench", "n": [1, 2, 3]}}, ensure_ascii=number % 10 == 0).encode() + b"\n"
            out.write(line)
            written, number = written + len(line), number + 1


class Bench:
    def __init__(self, program, tokenizer, folder):
        self.program, self.tokenizer, self.folder, self.count = program, tokenizer, folder, 0
        self.environment = dict(os.environ, STILLROOM_RUN_ROOT=str(folder / "runs"))

    def tokenize(self, lines):
        """In a new store: (the run, seconds of the stage, the folder it made)."""
        self.count += 1
        store = self.folder / f"store-{self.count}"
        words = [self.program, "do", "data.tokenize", f"files={lines}", f"tokenizer={self.tokenizer}", "append_eod=true", "--json", "--store", store]
        one = measure.run(words, self.environment, keep_output=True)
        answer = json.loads(one.out)
        if one.code != 0:
            raise SystemExit(f"data.tokenize: {answer['problems']}")
        seconds = next(stage["seconds"] for stage in answer["result"]["stages"] if stage["name"] == "stage")
        return one, seconds, pathlib.Path(answer["result"]["outputs"]["data"]["path"])

    def peer(self, python, lines):
        prefix = self.folder / "peer"
        words = [python, pathlib.Path(__file__).with_name("data_peer.py"), self.tokenizer, lines, prefix, "2"]
        one = measure.run(words, self.environment, keep_output=True)
        if one.code != 0:
            raise SystemExit(f"the peer ends with {one.code}")
        return json.loads(one.out)["seconds"], prefix


def same(ours, prefix):
    return all((ours / f"text_document.{ending}").read_bytes() == prefix.with_suffix(f".{ending}").read_bytes() for ending in ("bin", "idx"))


def written_at(folder, size):
    """Bytes a second that dd writes to this disk and syncs."""
    one = measure.run(["dd", "if=/dev/zero", f"of={folder / 'zeros'}", "bs=8M", f"count={size // (8 << 20)}", "conv=fsync"])
    (folder / "zeros").unlink()
    return size / one.seconds


def main():
    program, prose, tokenizer = sys.argv[1:4]
    size = int(float(sys.argv[4] if len(sys.argv) > 4 else 1) * 1e9)
    peers = int(float(sys.argv[5] if len(sys.argv) > 5 else 64) * 1e6)
    venv = os.environ.get("STILLROOM_BENCH_VENV")
    code = []
    if venv:
        files = sorted(pathlib.Path(venv).glob("lib/python*/site-packages/transformers/models/*/modeling_*.py"))[:300]
        code = [file.read_text(encoding="utf-8") for file in files]
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as scratch:
        folder = pathlib.Path(scratch)
        whole, part = folder / "whole.jsonl", folder / "part.jsonl"
        write_lines(whole, size, pathlib.Path(prose).read_text(encoding="utf-8"), code)
        data = whole.open("rb").read(peers)
        part.write_bytes(data[: data.rindex(b"\n") + 1])
        bench = Bench(program, tokenizer, folder)
        theirs = None
        if venv:
            theirs, prefix = bench.peer(pathlib.Path(venv) / "bin/python", part)
            _, _, ours = bench.tokenize(part)
            if not same(ours, prefix):
                raise SystemExit("the files differ: no time is worth telling")
            theirs *= whole.stat().st_size / part.stat().st_size
        taken, processes, peaks, made = [], [], [], 0
        for _ in range(ROUNDS):
            one, seconds, ours = bench.tokenize(whole)
            taken.append(seconds)
            processes.append(one.processor)
            peaks.append(one.peak)
            made = (ours / "text_document.bin").stat().st_size
        rate = whole.stat().st_size / median(taken)
        table.add("tokenise JSON lines", f"{rate / 1e6:.0f} MB/s, {made / median(taken) / 1e6:.0f} MB/s written; {median(processes):.1f} processor seconds", "", True)
        if theirs:
            ratio = theirs / median(taken)
            table.add("against Megatron's preprocessing, two workers", f"{ratio:.0f}x (least {theirs / max(taken):.0f}x); {median(taken):.1f} s, {theirs:.0f} s (scaled)", "50x", ratio >= 50)
        disk = written_at(folder, made // (8 << 20) * (8 << 20) or 8 << 20)
        table.add("its tokens against dd to the same disk", f"{made / median(taken) / disk:.0%} of {disk / 1e6:.0f} MB/s", "", True)
        table.add("its memory, the largest process", mebibytes(max(peaks)), "300 MB", max(peaks) <= 300_000_000)
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
