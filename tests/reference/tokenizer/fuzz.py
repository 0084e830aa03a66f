#!/usr/bin/env python3
"""Compares our tokenizer with the library tokenizers (0.23.3) on random strings.

    python fuzz.py TOOL tokenizer.json|NAME.model [--count 100000] [--seed 0] [--single | --points]

TOOL is tests/plugins/lm/tokenizer/tokenizer_tool of a build. Ids, bounds and both decodings must be
equal; the first differences are printed, shrunk, and the exit status is 1. --single: instead, each
id alone, decoded and encoded again. --points: every code point among others.
"""

import argparse
import random
import struct
import subprocess
import sys

from tokenizers import Tokenizer

RANGES = [(0x20, 0x7F), (0x20, 0x7F), (0x61, 0x7B), (0, 0x20), (0x80, 0x250), (0x250, 0x370), (0x370, 0x530), (0x590, 0x800),
          (0x900, 0xE00), (0xE00, 0x1200), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3200), (0x4E00, 0x9FFF), (0xA640, 0xABF0),
          (0xAC00, 0xD7A4), (0xF900, 0xFB50), (0xFE00, 0x10000), (0x10000, 0x10FFF), (0x11000, 0x12000), (0x16000, 0x17000),
          (0x1D400, 0x1D800), (0x1E000, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x20100), (0xE0000, 0xE0200), (0, 0x110000)]
MARKS = [0x300, 0x301, 0x307, 0x323, 0x327, 0x345, 0x5B0, 0x64B, 0x93C, 0x94D, 0x1161, 0x11A8, 0x3099, 0x200D, 0xFE0F, 0x1F3FD]
PIECES = ["'s", "'S", "'ſ", "'ll", "'LL", "'re", "'Ve", "'d", "'t", "'m", "\r\n", "\n\n", "\n", "\r", "  ", "   ", "\t", " ", " ", " ", "▁", "▁▁",
          "\u00a0", "\u3000", "\u180e", "\u0085", "\u2028", "Ġ", "Ċ", "1", "12", "123", "1234", "ⅷ", "٣", "²", "...", "?!", "/", "//", "_", "-", "--",
          "<0x41>", "<|", "|>", "<", ">", "don't", "I'm", "Hello", "world", "HTTPServer", "the", " the", "\0", "\u0301", "ﬁ", "é", "İ", "ẞ", "ǅ"]


def random_text(rng, added, words):
    out = []
    size = rng.choice([1, 2, 3, 5, 8, 13, 30])
    for _ in range(rng.randint(0, size)):
        kind = rng.random()
        if kind < 0.35:
            out.append(rng.choice(PIECES))
        elif kind < 0.45:
            out.append(rng.choice(words))
        elif kind < 0.5 and added:
            text = rng.choice(added)
            out.append(text if rng.random() < 0.8 else text[:rng.randint(0, len(text))])
        elif kind < 0.58:
            out.append(chr(rng.choice(MARKS)))
        elif kind < 0.62:
            out.append(rng.choice([" ", "a", "\n", "中", "😀", "1", "'", "A", "é"]) * rng.randint(2, 60))
        else:
            low, high = rng.choice(RANGES)
            for _ in range(rng.randint(1, 6)):
                c = rng.randrange(low, high)
                if not 0xD800 <= c < 0xE000:
                    out.append(chr(c))
    return "".join(out)


class Ours:
    def __init__(self, tool, path):
        self.pipe = subprocess.Popen([tool, path, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, what, flags, body):
        self.pipe.stdin.write(struct.pack("<cBI", what, flags, len(body)) + body)
        self.pipe.stdin.flush()
        count, = struct.unpack("<I", self.pipe.stdout.read(4))
        if count == 0xFFFFFFFF:
            size, = struct.unpack("<I", self.pipe.stdout.read(4))
            return "refused: " + self.pipe.stdout.read(size).decode()
        if what == b"d":
            return self.pipe.stdout.read(count).decode()
        numbers = struct.unpack(f"<{3 * count}I", self.pipe.stdout.read(12 * count))
        return list(numbers[:count]), list(zip(numbers[count::2], numbers[count + 1::2]))


def byte_bounds(text, offsets):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [(at[a], at[b]) for a, b in offsets]


class SentencePiece:
    """sentencepiece 0.2.3 as far as it can be asked the same: ids and their text."""

    def __init__(self, path):
        import sentencepiece
        self.processor = sentencepiece.SentencePieceProcessor(model_file=path)
        self.words = [self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size())]

    def differ(self, ours, text):
        want = self.processor.encode(text)
        got = ours.ask(b"e", 0, text.encode())
        if isinstance(got, str) or got[0] != want:
            return f"{got} not ids {want}"
        mine = ours.ask(b"d", 0, struct.pack(f"<{len(want)}I", *want))
        return None if mine == self.processor.decode(want) else f"{mine!r} not {self.processor.decode(want)!r}"


def differ(ours, theirs, text, flags):
    """None, or what differs."""
    if isinstance(theirs, SentencePiece):
        return theirs.differ(ours, text)
    theirs.encode_special_tokens = not flags & 2
    want = theirs.encode(text, add_special_tokens=bool(flags & 1))
    got = ours.ask(b"e", flags, text.encode())
    if isinstance(got, str):
        return got
    if got[0] != want.ids:
        return f"ids {got[0]} not {want.ids}"
    if got[1] != byte_bounds(text, want.offsets):
        return f"bounds {got[1]} not {byte_bounds(text, want.offsets)}"
    for skip in (0, 4):
        decoded = theirs.decode(want.ids, skip_special_tokens=bool(skip))
        if (mine := ours.ask(b"d", skip, struct.pack(f"<{len(want.ids)}I", *want.ids))) != decoded:
            return f"decoded {mine!r} not {decoded!r}"
    return None


def shrink(ours, theirs, text, flags):
    smaller = True
    while smaller:
        smaller = False
        for i in range(len(text)):
            shorter = text[:i] + text[i + 1:]
            if differ(ours, theirs, shorter, flags):
                text, smaller = shorter, True
                break
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("tokenizer")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--points", action="store_true")
    arguments = parser.parse_args()
    ours = Ours(arguments.tool, arguments.tokenizer)
    if arguments.tokenizer.endswith(".model"):
        theirs = SentencePiece(arguments.tokenizer)
        words, added = theirs.words, ["<s>", "</s>"]
    else:
        theirs = Tokenizer.from_file(arguments.tokenizer)
        theirs.no_truncation()
        theirs.no_padding()
        added = [token.content for token in theirs.get_added_tokens_decoder().values()]
        vocabulary = theirs.get_vocab()
        words = [theirs.decode([i], skip_special_tokens=False) for i in sorted(vocabulary.values())][:50000]
    bad = 0
    if arguments.single:
        unequal = 0
        for i in sorted(vocabulary.values()):
            text = theirs.decode([i], skip_special_tokens=False)
            mine = ours.ask(b"d", 0, struct.pack("<I", i))
            theirs.encode_special_tokens = False
            back = theirs.encode(text, add_special_tokens=False).ids
            unequal += back != [i]
            got = ours.ask(b"e", 2, text.encode())[0]
            if mine != text or got != back:
                bad += 1
                if bad < 10:
                    print(f"id {i}: {mine!r} {got} not {text!r} {back}")
        print(f"{len(vocabulary)} ids, {unequal} do not come back, {bad} differ")
        return bad > 0
    rng = random.Random(arguments.seed)
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    count = -(-len(points) // 64) if arguments.points else arguments.count
    for number in range(count):
        text = random_text(rng, added, words)
        if arguments.points:
            between = rng.choice(["x", "1", " ", "", "\u0301", "é", "."])
            text = between + between.join(map(chr, points[64 * number:64 * number + 64]))
        flags = rng.choice([0, 1, 2, 3])
        if differ(ours, theirs, text, flags):
            text = shrink(ours, theirs, text, flags)
            print(f"{flags} {text!r}: {differ(ours, theirs, text, flags)}")
            bad += 1
            if bad == 20:
                break
    print(f"{number + 1} texts, {bad} differ")
    return bad > 0


sys.exit(main())
