#!/usr/bin/env python3
"""stages.py PROGRAM   the checkpoint stages through `do`, as somebody uses them who has just come: what works, and what each mistake says.

Standard library only.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TINY = ("hidden=16", "layers=2", "heads=2", "kv_heads=1", "ffn=32", "vocab=64")
GOLDEN = "508dabe3d6ee2686cd78de8188abf918fbb84282af2d552cd89c03f68744618e"  # of the weights that these numbers make


class Place:
    def __init__(self, program, folder):
        self.program, self.folder, self.failed, self.passed = program, folder, 0, 0
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "STILLROOM_STORE": str(folder / "store"),
            "HF_HUB_CACHE": str(folder / "hub"),
            "HF_HUB_OFFLINE": "1",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "STILLROOM_SCHEMA_PATH", "STILLROOM_PLUGIN_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def run(self, *words, **environment):
        return subprocess.run([self.program, *words], cwd=self.folder, env=self.environment | environment, capture_output=True, text=True, timeout=120, check=False)

    def do(self, stage, *words, code=0, says=(), out=(), hint=True, **environment):
        """`says` on stderr, `out` on stdout; `hint`: what fails says what to do, beyond what is wrong."""
        ended = self.run("do", f"checkpoint.{stage}", *words, **environment)
        wrong = [] if ended.returncode == code else [f"exit {ended.returncode}, not {code}"]
        wrong += [f"stderr does not say '{part}'" for part in says if part not in ended.stderr]
        wrong += [f"stdout does not say '{part}'" for part in out if part not in ended.stdout]
        if code != 0 and hint and "hint: " not in ended.stderr:
            wrong.append("no hint says what to do")
        self.expect(f"do checkpoint.{stage} {' '.join(words)}", not wrong, "; ".join(wrong) + f"\n{ended.stdout}{ended.stderr}")
        return ended

    def expect(self, name, holds, what=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        if not holds:
            print(f"failed: {name}\n    " + what.replace("\n", "\n    "))

    def report(self, stage, *words):
        """report.json of what `do --json` made."""
        ended = self.do(stage, *words, "--json")
        return json.loads(pathlib.Path(json.loads(ended.stdout)["result"]["outputs"]["report"]["path"], "report.json").read_text())

    def model(self, name, *words):
        """A model folder that may be changed."""
        made = json.loads(self.do("init", *TINY, *words, "--json").stdout)["result"]["outputs"]["model"]["path"]
        shutil.copytree(made, self.folder / name)
        for file in [self.folder / name, *(self.folder / name).iterdir()]:
            file.chmod(0o755 if file.is_dir() else 0o644)
        return self.folder / name


def works(place):
    model = place.model("model")
    found = place.report("inspect", "model=./model", "list_tensors=true", "runtime=llama.cpp")
    place.expect("inspect has its keys", found["family"] == "llama" and found["layers"] == 2 and found["tensors"] == 21 and len(found["tensor_list"]) == 21, str(found))
    place.expect("parameters are counted", found["parameters"] == {"total": 6736, "embedding": 2048, "active": 6736}, str(found["parameters"]))
    place.expect("shapes are told", (found["hidden_size"], found["heads"], found["kv_heads"], found["head_dim"], found["vocab_size"], found["tied"]) == (16, 2, 1, 8, 64, False))
    place.expect("every runtime has a reason", {one["runtime"] for one in found["loads_in"]} == {"transformers", "vllm", "sglang", "tensorrt-llm", "llama.cpp"})
    place.do("inspect", "model=./model", out=["llama", "6,736", "transformers"])
    place.do("inspect", "model=file:model", out=["6,736"])
    (place.folder / "only").mkdir()
    shutil.copy(model / "config.json", place.folder / "only")
    place.do("inspect", "model=./only", out=["6,736", "no weights in this folder"])
    (place.folder / "plan.yaml").write_text("stages:\n  m: {use: checkpoint.load, source: ./only}\n  e: {use: checkpoint.export, model: m, to: ./planned}\n")
    planned = place.run("plan", "plan.yaml", "--json")
    place.expect("a folder with config.json alone is planned", planned.returncode == 0 and "6736" in planned.stdout.replace(",", ""), planned.stdout + planned.stderr)
    place.do("export", "model=./only", "to=./planned", code=3, says=["only", "holds config.json, but no weights"])
    place.expect("and nothing is exported", not (place.folder / "planned").exists())

    place.do("export", "model=./model", "to=./a folder/üñ", out=["byte for byte", "21 tensors equal"])
    card = (place.folder / "a folder/üñ/README.md").read_text()
    place.expect("the card has front matter and the recipe", card.startswith("---\n") and "library_name: transformers" in card and "checkpoint.load" in card, card)
    place.expect("and no path of this machine", str(place.folder) not in card + (place.folder / "a folder/üñ/stillroom.export.json").read_text())
    place.do("export", "model=./model", "to=./half", "dtype=fp16", "license=mit", "base_model=[org/base]", out=["21 tensors equal to what the cast makes"])
    card = (place.folder / "half/README.md").read_text()
    place.expect("the card says what it was told", 'license: "mit"' in card and 'base_model: "org/base"' in card, card)
    place.do("compare", "model=./model", "other=./half", out=["torch_dtype", "21 tensors in both", "BF16 and F16"])
    cast = place.do("load", "source=./model", "dtype=fp32", "--json")
    path = json.loads(cast.stdout)["result"]["outputs"]["model"]["path"]
    place.expect("a cast model is an artifact", str(place.folder / "store") in path)
    same = place.report("compare", f"model={path}/", "other=./model")
    place.expect("whose numbers are the same", same["equal_values"] == 21 and same["equal_tensors"] == 0, str(same)[:500])
    kept = json.loads(place.do("load", "source=./model", "dtype=bf16", "--json").stdout)["result"]["outputs"]["model"]["path"]
    place.expect("a model that need not change is bound as it lies there", kept == str(model), kept)
    first = place.do("init", *TINY, "seed=5", "--json").stdout
    again = place.do("init", *TINY, "seed=5", "--json").stdout
    place.expect("the same seed is the same model", json.loads(first)["result"]["outputs"] == json.loads(again)["result"]["outputs"])
    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    place.expect("init makes what it always made; else raise its x-version", digest == GOLDEN, digest)
    twin = json.loads(place.do("init", "config=./model", "--json").stdout)["result"]["outputs"]["model"]["path"]
    place.expect("a config makes the model that its numbers make", pathlib.Path(twin, "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes())


def card_and_logits(place):
    """A recipe's export: what was measured and how it was made stand in the card; logits where this build can."""
    (place.folder / "r.yaml").write_text(
        "stages:\n  m: {use: checkpoint.load, source: ./model}\n  look: {use: checkpoint.inspect, model: m}\n"
        "  e: {use: checkpoint.export, model: m, reports: [look], to: ./carded, tags: [tiny]}\n"
    )
    ended = place.run("run", "r.yaml")
    place.expect("the recipe runs", ended.returncode == 0, ended.stdout + ended.stderr)
    card = (place.folder / "carded/README.md").read_text()
    for part in ("| report | parameters.total | 6736 |", "| m | checkpoint.load |  | source: model |", '- "tiny"', "Read back after writing"):
        place.expect(f"the card says '{part}'", part in card, card)
    said = json.loads((place.folder / "carded/stillroom.export.json").read_text())
    place.expect("the list names all files", {one["path"] for one in said["files"]} | {"stillroom.export.json"} == {file.name for file in (place.folder / "carded").iterdir()})
    ended = place.run("do", "checkpoint.export", "model=./model", "to=./logits", "check=logits")
    with_torch = ended.returncode == 0 and "logits of 32 positions in fp32 differ by at most 0 " in ended.stdout
    without = ended.returncode == 4 and "this build is without LibTorch" in ended.stderr and "check=tensors" in ended.stderr
    place.expect("logits are compared, or it is said that they cannot be", with_torch or without, ended.stdout + ended.stderr)
    place.expect("and then nothing is exported", with_torch or not (place.folder / "logits").exists())


def rewritten(file, name_of, more):
    """A safetensors file with tensors renamed, and `more` of 4 bytes each behind them."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, data = json.loads(data[8:8 + size]), data[8 + size:]
    header = {name if name == "__metadata__" else name_of(name): value for name, value in header.items()}
    for name in more:
        header[name] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
        data += bytes(4)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def multimodal(place):
    """A decoder among other towers is read alone, and leaves as a plain folder."""
    plain = place.model("plain", "family=mistral")
    tower = place.model("tower", "family=mistral")
    rewritten(tower / "model.safetensors", lambda name: "language_model." + name, ["vision_tower.a", "multi_modal_projector.b"])
    place.do("load", "source=./tower", code=3, says=["config.json is a decoder's alone", "vision_tower.a"])
    text = json.loads((tower / "config.json").read_text())
    del text["architectures"]
    (tower / "config.json").write_text(json.dumps({
        "architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "text_config": text, "vision_config": {"hidden_size": 8}}, indent=2))
    place.do("inspect", "model=./tower", out=["6,736", "No part of the decoder: 2 tensors, as vision_tower.a"])
    same = place.report("compare", "model=./tower", "other=./plain")
    place.expect("the decoder is the plain model", same["equal_tensors"] == 21, str(same)[:500])
    place.do("export", "model=./tower", "to=./alone", out=["left out 2 tensors of other towers", "21 tensors equal"])
    place.expect("it is written as one", (place.folder / "alone/model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes())
    wrote = json.loads((place.folder / "alone/config.json").read_text())
    place.expect("with a config of one", wrote["architectures"] == ["MistralForCausalLM"] and "vision_config" not in wrote and "text_config" not in wrote, str(wrote))
    place.do("load", "source=./tower", "dtype=fp32")
    place.do("init", "config=./tower")
    (place.folder / "tower.yaml").write_text("stages:\n  m: {use: checkpoint.load, source: ./tower}\n  e: {use: checkpoint.export, model: m, to: ./planned}\n")
    planned = place.run("plan", "tower.yaml", "--json")
    place.expect("it is planned", planned.returncode == 0 and "6736" in planned.stdout.replace(",", ""), planned.stdout + planned.stderr)


def hub(place):
    """A model that other tools left in the Hub's cache, offline."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = place.folder / "hub/models--org--name"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    snapshot = repo / "snapshots" / commit
    (repo / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    files = {file.name: file.read_bytes() for file in (place.folder / "model").iterdir()}
    files["README.md"] = b"---\nlicense: llama3.1\nlanguage:\n- en\n---\n# A model\n"
    files["tokenizer_config.json"] = b"{}"
    for number, (name, data) in enumerate(files.items()):
        (repo / "blobs" / f"{number:040x}").write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{number:040x}")
    found = place.report("inspect", "model=hf:org/name")
    place.expect("a cached model is inspected", found["parameters"]["total"] == 6736, str(found))
    place.expect("all its files count", sorted(found["files"]) == sorted(files), str(found["files"]))
    place.do("export", "model=hf:org/name", "to=./from-hub")
    card = (place.folder / "from-hub/README.md").read_text()
    place.expect("the card names model and licence", 'base_model: "org/name"' in card and 'license: "llama3.1"' in card and 'language: "en"' in card, card)
    place.expect("links become files", not any(file.is_symlink() for file in (place.folder / "from-hub").iterdir()))
    cast = json.loads(place.do("load", f"source=hf:org/name@{commit}", "dtype=fp32", "--json").stdout)["result"]["outputs"]["model"]["path"]
    place.expect("a cast model keeps card and tokenizer", {"README.md", "tokenizer_config.json"} <= {file.name for file in pathlib.Path(cast).iterdir()})
    again = json.loads(place.do("load", f"source=hf:org/name@{commit}", "dtype=fp32", "--json").stdout)["result"]["stages"][0]
    place.expect("and is made once", again["state"] == "cached", str(again))
    (snapshot / "model.safetensors").unlink()
    place.do("load", f"source=hf:org/name@{commit}", "--force", "stage", code=5, says=["org/name", "offline"])


def mistakes(place):
    folder = place.folder
    model = folder / "model"
    place.do("inspect", "model=./modle", code=3, says=["modle", "did you mean './model'?"])
    place.do("inspect", "model=model", code=2, says=["model"])
    place.do("inspect", code=2, says=["model"])
    place.do("load", "source=hf:org/name", code=5, says=["org/name", "offline"])
    place.do("inspect", "model=./model/config.json", code=3, says=["config.json", "neither a model folder nor a GGUF file"])
    place.do("inspect", "model=./model/model.safetensors", code=3, says=["name the folder"])
    (folder / "empty").mkdir()
    (folder / "empty/notes.txt").write_text("hello")
    place.do("inspect", "model=./empty", code=3, says=["empty", "there is no config.json"])
    shutil.copytree(model, folder / "up/model")
    place.do("inspect", "model=./up", code=3, says=["there is no config.json", "did you mean ./up/model?"])
    (folder / "m.gguf").write_bytes(b"not a model")
    place.do("load", "source=./m.gguf", code=3, says=["m.gguf", "first bytes are not 'GGUF'"], hint=False)
    place.do("load", "source=./model", "dtype=int4", code=2, says=["dtype", "bf16"], hint=False)

    swapped = folder / "swapped"
    shutil.copytree(model, swapped)
    config = json.loads((swapped / "config.json").read_text())
    config["num_key_value_heads"] = 2
    (swapped / "config.json").write_text(json.dumps(config))
    place.do("inspect", "model=./swapped", code=3, says=["k_proj", "[8, 16]", "[16, 16]", "num_key_value_heads"], hint=False)

    place.do("export", "model=./model", code=2, says=["to"])
    place.do("export", "model=./model", "to=./full", "check=logits,please", code=2, says=["check"])
    (folder / "full").mkdir()
    (folder / "full/mine").write_text("mine")
    place.do("export", "model=./model", "to=./full", code=2, says=["is not empty", "--overwrite"])
    if os.geteuid() != 0:  # root may write anywhere
        (folder / "closed").mkdir(mode=0o555)
        place.do("export", "model=./model", "to=./closed/out", code=4, says=["closed", "may not write"])
    (folder / "a file").write_text("mine")
    place.do("export", "model=./model", "to=./a file/out", code=4, says=["a file is no folder"])

    place.do("init", "hidden=16", "layers=2", "heads=3", "kv_heads=2", "ffn=32", "vocab=64", code=2, says=["3 heads are no multiple of 2 KV heads"], hint=False)
    place.do("init", "hidden=16", "layers=2", "heads=2", "ffn=32", code=2, says=["vocab"])
    place.do("init", "hidden=16", code=2, says=["layers"], hint=False)
    place.do("init", "config=./model", "vocab=99", code=2, says=["config"])

    bad = folder / "bad"
    shutil.copytree(model, bad)
    data = bytearray((bad / "model.safetensors").read_bytes())
    data[-2:] = b"\xc0\x7f"
    (bad / "model.safetensors").write_bytes(data)
    place.do("export", "model=./bad", "to=./bad-out", code=6, says=["1 NaN", "allow_nonfinite=true"])
    place.expect("no NaN is exported unasked", not (folder / "bad-out").exists())
    place.do("export", "model=./bad", "to=./bad-out", "allow_nonfinite=true", says=["1 NaN"])
    place.do("inspect", "model=./bad", "statistics=true", out=["NaN: 1, infinite: 0"])


def main():
    with tempfile.TemporaryDirectory(prefix="stillroom-checkpoint-") as folder:
        place = Place(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder).resolve())
        works(place)
        card_and_logits(place)
        multimodal(place)
        hub(place)
        mistakes(place)
    print(f"{place.passed} passed, {place.failed} failed")
    return int(place.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
