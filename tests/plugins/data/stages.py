#!/usr/bin/env python3
"""stages.py PROGRAM REFERENCE   data.mock, open, blend and inspect through the program, as somebody uses them who has just come

Standard library only; writes and reads token files by itself.
"""

import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

MODEL = "use: checkpoint.init, hidden: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32, vocab: 300"
# Of what data.mock, data.blend and data.inspect make of these settings; changed bytes need a raised x-version.
GOLDEN = {
    "mock": "5488348f8be445970e6737a43656e002d494e045b5cf30124bcbaf3083a1e64c",
    "mix": "a40aa088374cdc5d6b7f6d214d9074dd81ff9090d48adbe2519aa324566b70f7",
    "look": "99f7b9a771c5352e07912b120297f5f97077d215e105521ff85637064171a2ad",
}


class Place:
    def __init__(self, program, folder):
        self.program, self.folder, self.failed, self.passed = program, folder, 0, 0
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8", "STILLROOM_STORE": str(folder / "store")}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "STILLROOM_SCHEMA_PATH", "STILLROOM_PLUGIN_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def run(self, *words):
        return subprocess.run([self.program, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def expect(self, name, holds, what=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        if not holds:
            print(f"failed: {name}\n    " + str(what).replace("\n", "\n    "))

    def tell(self, name, ended, code, says, hint=True):
        wrong = [] if ended.returncode == code else [f"exit {ended.returncode}, not {code}"]
        wrong += [f"it does not say '{part}'" for part in says if part not in ended.stderr + ended.stdout]
        if hint and code != 0 and "hint: " not in ended.stderr and '"hint": "' not in ended.stdout:
            wrong.append("no hint says what to do")
        self.expect(name, not wrong, "; ".join(wrong) + f"\n{ended.stdout}{ended.stderr}")

    def do(self, stage, *words, code=0, says=(), hint=True):
        ended = self.run("do", f"data.{stage}", *words)
        self.tell(f"do data.{stage} {' '.join(words)}", ended, code, says, hint)
        return ended

    def stages(self, lines, code=0, says=(), hint=True):
        """Runs a recipe of these lines; the folders of its outputs by stage."""
        (self.folder / "r.yaml").write_text("recipe: r\nstages:\n" + "".join(f"  {name}: {{{text}}}\n" for name, text in lines.items()) + "outputs: {" + ", ".join(f"{name}: {name}" for name in lines) + "}\n")
        ended = self.run("run", "r.yaml", "--json")
        self.tell(f"a recipe of {', '.join(lines)}", ended, code, says, hint)
        if ended.returncode != 0:
            return {}
        return {name: pathlib.Path(output["path"]) for name, output in json.loads(ended.stdout)["result"]["outputs"].items()}


def write_pair(prefix, documents):
    """As Megatron would, of 16-bit tokens."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    lengths = [len(document) for document in documents]
    offsets = [2 * sum(lengths[:i]) for i in range(len(lengths))]
    prefix.with_suffix(".bin").write_bytes(b"".join(struct.pack(f"<{len(document)}H", *document) for document in documents))
    head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, len(lengths), len(lengths) + 1)
    tail = struct.pack(f"<{len(lengths)}i", *lengths) + struct.pack(f"<{len(lengths)}q", *offsets) + struct.pack(f"<{len(lengths) + 1}q", *range(len(lengths) + 1))
    prefix.with_suffix(".idx").write_bytes(head + tail)


def digest(folder):
    hashed = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        hashed.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return hashed.hexdigest()


def works(place, reference):
    made = place.stages(
        {
            "model": MODEL,
            "mock": "use: data.mock, tokenizer: model, documents: 1000, max_length: 700, seed: 11",
            "other": "use: data.mock, tokenizer: model, documents: 20, max_length: 50",
            "mix": "use: data.blend, data: [mock, other], weights: [0.75, 0.25]",
            "all": "use: data.blend, data: [mix, other]",
            "look": "use: data.inspect, data: mix, documents: 1, show_tokens: 9, sequence: 16",
        },
        says=["the tokenizer names no end of text"],
    )
    for name, wanted in GOLDEN.items():
        place.expect(f"{name} is what it always was; else raise its x-version", digest(made[name]) == wanted, digest(made[name]))
    index = hashlib.sha256((made["mock"] / "mock_document.idx").read_bytes()).hexdigest()
    place.expect("mock is what Megatron's reader read", index == json.loads((reference / "data/megatron.json").read_text())["mock"]["index"], index)
    about = json.loads((made["mock"] / "dataset.json").read_text())
    place.expect("mock says what it holds", (about["prefixes"], about["documents"], about["vocabulary"], about["eod"]) == (["mock_document"], [1000], 300, 299), about)
    mix = json.loads((made["mix"] / "dataset.json").read_text())
    place.expect("a blend names its parts", mix["prefixes"] == ["mock_document", "mock_document-2"], mix)
    links = {name: os.readlink(made["mix"] / name) for name in ("mock_document.bin", "mock_document-2.idx")}
    place.expect("and links to them as the store lies", all(link.startswith("../../") for link in links.values()), links)
    words = (made["mix"] / "data_blend.txt").read_text().split()
    place.expect("data_blend.txt says the same", words[0::2] == ["0.75", "0.25"] and words[1::2] == mix["prefixes"], words)
    opened = json.loads((place.stages({"back": f"use: data.open, files: {made['mix']}/data_blend.txt"})["back"] / "dataset.json").read_text())
    place.expect("and is read back", opened["weights"] == [0.75, 0.25] and opened["tokens"] == mix["tokens"], opened)
    place.expect("a blend of a blend multiplies out", len(json.loads((made["all"] / "dataset.json").read_text())["weights"]) == 3)
    look = json.loads((made["look"] / "report.json").read_text())
    place.expect("inspect counts", look["documents"] == 1020 and look["tokens"] == sum(mix["tokens"]) and look["parts"][0]["lengths"]["max"] == 700, look)
    place.expect("and shows where documents end", all(one["bounds"][0] == 0 and one["bounds"][-1] == 17 for one in look["batch"]["rows"]) and len(look["batch"]["rows"]) == 2, look["batch"])
    place.expect("with a page for people", (made["look"] / "report.md").read_text().startswith("# "))


def opens(place):
    data = place.folder / "data"
    write_pair(data / "a_document", [[1, 2, 3], [], [4, 5]])
    write_pair(data / "b_document", [[7] * 10])
    for files, tokens in (("./data/a_document", [5]), ("./data/a_document.idx", [5]), ("./data/a_document.bin", [5]), ("./data", [5, 10]), ("[./data/b_document.idx,./data/a_document]", [10, 5])):
        ended = place.do("open", f"files={files}", "--json")
        found = json.loads((pathlib.Path(json.loads(ended.stdout)["result"]["outputs"]["data"]["path"]) / "dataset.json").read_text())
        place.expect(f"{files} is opened", found["tokens"] == tokens, found)
    (data / "mix.txt").write_text("2 a_document 1 b_document\n")
    place.do("open", "files=./data/mix.txt")
    (data / "mix.txt").write_text("2 a_document b_document 1\n")
    place.do("open", "files=./data/mix.txt", code=3, says=["mix.txt: word 3, 'b_document', is no weight"])
    (data / "mix.txt").write_text("2 a_document 1 c_document\n")
    place.do("open", "files=./data/mix.txt", code=3, says=["c_document.idx: there is no such file"])
    place.do("open", "files=./gone", code=3, says=["there is no file or folder './gone'"], hint=False)
    place.do("open", "files=./r.yaml", code=3, says=["r.yaml: it is no .idx, .bin or .txt file", "data.tokenize"])
    (place.folder / "void").mkdir()
    (place.folder / "void/x").touch()
    place.do("open", "files=./void", code=3, says=["this folder holds no .idx file"])
    (data / "b_document.bin").unlink()
    place.do("open", "files=./data/b_document.idx", code=3, says=["b_document.bin: there is no such file"])

    write_pair(data / "b_document", [[7] * 10])
    shutil.copytree(data, place.folder / "moved")
    first = place.stages({"data": "use: data.open, files: ./data/a_document"})
    shutil.rmtree(data)
    again = place.stages({"data": "use: data.open, files: ./moved/a_document", "look": "use: data.inspect, data: data"})
    place.expect("data that moved is found where it is now", first["data"] == again["data"] and "moved" in os.readlink(again["data"] / "a_document.bin"))
    shutil.rmtree(place.folder / "moved")
    place.do("inspect", f"data={again['data']}", code=3, says=["a_document.bin: it leads nowhere", "/moved/a_document.bin"], hint=False)


def manifests(store):
    """{stage: the digest of its output, as the store has it}"""
    return {one["stage"]: (one["key"], one["outputs"][0]["digest"]) for one in (json.loads(file.read_text()) for file in store.glob("*/manifest.json"))}


def is_the_same_anywhere(place):
    """What refers to files says nothing of where they lie."""
    lines = {
        "one": "use: data.open, files: ./HERE",
        "mix": "use: data.blend, data: [one, one], weights: [3, 1]",
        "all": "use: data.blend, data: [mix, one]",
        "look": "use: data.inspect, data: all, documents: 1",
    }
    seen = []
    for here, store in (("alpha", "store-1"), ("deep/er/second", "elsewhere/store-2")):
        write_pair(place.folder / here / "a_document", [[1, 2, 3], [], [4, 5]])
        write_pair(place.folder / here / "b_document", [[7] * 10])
        place.environment["STILLROOM_STORE"] = str(place.folder / store)
        made = place.stages({name: line.replace("HERE", here) for name, line in lines.items()})
        place.expect("no tokens are copied", all((made[name] / "b_document.bin").is_symlink() for name in ("one", "mix", "all")))
        place.expect("and what nobody may write stays as it was", os.access(place.folder / here / "b_document.bin", os.W_OK))
        told = "".join(file.read_text() for name in lines for file in made[name].glob("*.*") if not file.name.endswith((".bin", ".idx")))
        place.expect("no file names the folder", here not in told and str(place.folder) not in told, told)
        seen.append(manifests(place.folder / store))
    place.expect("two stores have the same keys and digests", seen[0] == seen[1], seen)

    recipe = ("run", "r.yaml", "--json")
    shutil.copytree(place.folder / "elsewhere/store-2", place.folder / "copied", symlinks=True)
    place.environment["STILLROOM_STORE"] = str(place.folder / "copied")
    states = lambda: {stage["name"]: stage["state"] for stage in json.loads(place.run("plan", "r.yaml", "--json").stdout)["result"]["stages"]}
    place.expect("a store that was copied has all of it", set(states().values()) == {"cached"}, states())
    place.expect("and is whole", place.run("store", "verify").returncode == 0, place.run("store", "verify"))
    shutil.copytree(place.folder / "copied", place.folder / "real")
    place.environment["STILLROOM_STORE"] = str(place.folder / "real")
    place.expect("one copied with what its links lead to has too", set(states().values()) == {"cached"}, states())
    place.environment["STILLROOM_STORE"] = str(place.folder / "copied")
    token_file = place.folder / "deep/er/second/b_document.bin"
    token_file.write_bytes(token_file.read_bytes()[:-2] + b"\x08\0")
    shutil.copytree(place.folder / "alpha", place.folder / "third")
    (place.folder / "r.yaml").write_text((place.folder / "r.yaml").read_text().replace("deep/er/second", "third"))
    ended = place.run(*recipe)
    place.expect("a link to what has changed does not count", ended.returncode == 0 and states() == dict.fromkeys(lines, "cached"), ended.stderr)
    one = pathlib.Path(json.loads(place.run(*recipe).stdout)["result"]["outputs"]["one"]["path"])
    place.expect("the data of that name that is the same is taken instead", "third" in os.readlink(one / "b_document.bin"), os.readlink(one / "b_document.bin"))
    place.environment["STILLROOM_STORE"] = str(place.folder / "store")


def complains(place):
    two = {"model": MODEL, "a": "use: data.mock, tokenizer: model, documents: 5", "b": "use: data.mock, tokenizer: model, documents: 5"}
    place.stages(two | {"mix": "use: data.blend, data: [a, b], weights: [1]"}, code=2, says=["1 weight for 2 datasets"])
    place.stages(two | {"mix": "use: data.blend, data: [a, b], weights: [1, 0]"}, code=2, says=["'weights[1]' is 0"], hint=False)
    other = "use: checkpoint.init, hidden: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32, vocab: 40"
    place.stages(two | {"other": other, "b": "use: data.mock, tokenizer: other, documents: 5", "mix": "use: data.blend, data: [a, b]"}, code=3, says=["dataset 2 of the blend has a vocabulary of 40"])
    small = "use: checkpoint.init, hidden: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32, vocab: 1"
    place.stages({"model": small, "a": "use: data.mock, tokenizer: model"}, code=2, says=["a vocabulary of 1 ids is too small"])


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(folder).resolve())
        works(place, pathlib.Path(sys.argv[2]))
        opens(place)
        is_the_same_anywhere(place)
        complains(place)
        print(f"{place.passed} passed, {place.failed} failed")
        sys.exit(place.failed != 0)


main()
