#!/usr/bin/env python3
"""Text to ids, beside tokenizers, tiktoken and gigatoken: tokenizer.py PROGRAM TOKENIZERS PROSE [MEGABYTES] [--processor]

PROGRAM is tests/bench/tokenize of a build, TOKENIZERS a folder that holds qwen3 and llama3_1, PROSE files of English joined by commas. The peers need
an environment that STILLROOM_BENCH_VENV names. Code is this Python's library and the system's C++ headers; CJK and mixed scripts are the
translations that programs install (gettext). Ids are compared first; where they differ there is no figure, but a line that says so. Peers that are
slow get the first part of the text, and rates are compared. --processor: rates by processor time, for a machine that is at work on other things.
Ends with 1 when a budget is missed.
"""

import gettext
import json
import os
import pathlib
import random
import sys
import tempfile

import measure
from measure import mebibytes, median

MB = 10**6
SLOW = 3 * MB  # bytes for tokenizers
PAIRS, CLOSE, ROUNDS = 3, 7, 3  # pairs; with the peer that is as fast, where a busy moment tells more


def documents(texts, size=4000):
    """Whole texts, joined until each document has so many characters; about as a web page."""
    out, have = [], 0
    for text in texts:
        out.append(text.replace("\x1e", " "))
        have += len(text)
        if have >= size:
            yield "".join(out)
            out, have = [], 0
    if out:
        yield "".join(out)


def code():
    roots = [pathlib.Path(os.__file__).parent, pathlib.Path("/usr/include/c++"), pathlib.Path("/usr/include/boost")]
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and (path.suffix in (".py", ".h", ".hpp", ".tcc") or (not path.suffix and "c++" in path.parts)):
                try:
                    yield path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue


def translations(languages, wanted):
    out = []
    for folder in sorted(pathlib.Path("/usr/share/locale").glob("*/LC_MESSAGES")):
        if languages and folder.parent.name not in languages:
            continue
        for path in sorted(folder.glob("*.mo")):
            try:
                with open(path, "rb") as file:
                    catalog = gettext.GNUTranslations(file)._catalog
            except (OSError, UnicodeDecodeError, ValueError, IndexError):  # catalogues that are none
                continue
            out += [text + "\n" for key, text in catalog.items() if key and isinstance(text, str) and len(text) >= 8 and wanted(text)]
    random.Random(0).shuffle(out)
    return out


def mostly_cjk(text):
    return sum(ord(c) > 0x2E80 for c in text) * 2 > len(text)


def write(path, texts, size):
    """Documents up to `size` bytes, again from the first where they do not suffice."""
    all_of_it = b"\x1e".join(one.encode() for one in documents(texts))
    if not all_of_it:
        return None
    whole = (all_of_it + b"\x1e") * (1 + size // (len(all_of_it) + 1))
    path.write_bytes(whole[: whole.rindex(b"\x1e", 0, size)] if b"\x1e" in whole[:size] else all_of_it[:size])
    return path


def corpora(folder, prose, size):
    yield "English", write(folder / "english", [line for file in prose for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines(True)], size)
    yield "code", write(folder / "code", code(), size)
    yield "CJK", write(folder / "cjk", translations({"zh_CN", "zh_TW", "ja", "ko"}, mostly_cjk), size)
    yield "mixed scripts", write(folder / "mixed", translations(None, lambda text: True), size)
    hostile = {"letters": "a", "spaces": " ", "newlines": "\n", "emoji": "😀", "one Han character": "中", "digits": "7", "signs": "=", "quotes": "'"}
    for name, unit in hostile.items():
        path = folder / name.replace(" ", "-")
        path.write_bytes((unit * MB).encode()[:MB].decode(errors="ignore").encode())
        yield f"1 MB of {name}", path


class Bench:
    def __init__(self, program, folder, clock):
        self.program, self.folder, self.clock = program, folder, clock
        venv = os.environ.get("STILLROOM_BENCH_VENV")
        self.python = pathlib.Path(venv) / "bin/python" if venv else None

    def rate(self, words, text, name):
        """(bytes a second at the median round after the first, the ids, the run)"""
        ids = self.folder / f"ids-{name}"
        one = measure.run([*words, ids], keep_output=True)
        if one.code != 0:
            return None
        rounds = json.loads(one.out)[self.clock]
        return text.stat().st_size / median(rounds[1:] or rounds), ids.read_bytes(), one

    def ours(self, tokenizer, text, threads, rounds=ROUNDS):
        return self.rate([self.program, tokenizer.parent, text, threads, rounds], text, "ours")

    def peer(self, name, tokenizer, text, threads, rounds=ROUNDS):
        script = pathlib.Path(__file__).with_name("tokenizer_peers.py")
        return self.rate([self.python, script, name, tokenizer, text, threads, rounds], text, name)


def shortened(text, size):
    if text.stat().st_size <= size:
        return text
    short = text.with_name(text.name + "-short")
    whole = text.read_bytes()[:size]
    short.write_bytes(whole[: whole.rindex(b"\x1e")] if b"\x1e" in whole else whole)
    return short


def budget(corpus, peer):
    hostile = corpus.startswith("1 MB")
    if peer == "tokenizers":
        return 60 if corpus in ("English", "code") else 5
    if peer == "gigatoken":
        return None if hostile else 1.3 if corpus in ("CJK", "mixed scripts") else 1
    return None


def race(table, bench, corpus, tokenizer, text, threads):
    where = f"{corpus}, {tokenizer.parent.name}, {threads} thread{'s' if threads > 1 else ''}"
    mine = bench.ours(tokenizer, text, threads)
    if not bench.python:
        table.add(where, f"{mine[0] / MB:.0f} MB/s, {mebibytes(mine[2].peak)}", "", True)
        return
    short = shortened(text, SLOW)
    for name in ("tokenizers", "tiktoken", "gigatoken"):
        hostile = corpus.startswith("1 MB")
        if hostile and name != "tokenizers":
            continue  # tiktoken takes minutes, and the budget is tokenizers'
        slow = name == "tokenizers"
        part = short if slow else text
        ratios, same, rates = [], True, []
        for _ in range(1 if slow else CLOSE if name == "gigatoken" else PAIRS):
            ours = bench.ours(tokenizer, part, threads, 1 if hostile else ROUNDS)
            theirs = bench.peer(name, tokenizer, part, threads, 1 if slow else ROUNDS)
            if theirs is None:
                table.add(f"{where}: {name}", "cannot", "", True)
                break
            same = same and ours[1] == theirs[1]
            # Short texts are over before a word comes twice, so a slow peer's rate stands beside that of the whole text.
            rates.append((mine[0] if slow and not hostile else ours[0], theirs[0]))
        if not rates:
            continue
        ratios = [a / b for a, b in rates]
        least = budget(corpus, name)
        figure = f"{median(ratios):.2f}x (least {min(ratios):.2f}x); {median(a for a, _ in rates) / MB:.0f}, {median(b for _, b in rates) / MB:.1f} MB/s"
        if not same:
            table.add(f"{where}: {name}", "OTHER IDS", f"{least}x" if least else "", name == "tiktoken")
            continue
        table.add(f"{where}: {name}", figure, f"{least}x" if least else "", not least or median(ratios) >= least)
    table.add(f"{where}: memory", mebibytes(mine[2].peak), "", True)


def main():
    words = [word for word in sys.argv[1:] if word != "--processor"]
    program, folder = (pathlib.Path(word).resolve() for word in words[:2])
    size = int(words[3] if len(words) > 3 else 64) * MB
    table = measure.Table()
    with tempfile.TemporaryDirectory(prefix="stillroom-bench-") as name:
        bench = Bench(program, pathlib.Path(name), "processor" if "--processor" in sys.argv else "wall")
        for corpus, text in corpora(pathlib.Path(name), words[2].split(","), size):
            if text is None:
                table.add(corpus, "no such text on this machine", "", True)
                continue
            for which in ("qwen3", "llama3_1"):
                for threads in (1,) if corpus.startswith("1 MB") else (1, 2):
                    race(table, bench, corpus, folder / which / "tokenizer.json", text, threads)
    print(table.text())
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
