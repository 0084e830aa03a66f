"""Rows M and O2: model folders and GGUF files that are not what they say, by way of the checkpoint stages; exports that hold what they should."""

import json
import os
import pathlib
import shutil
import struct

from harness import check, row

SIZES = ("hidden=16", "layers=2", "heads=2", "kv_heads=1", "ffn=32", "vocab=64", "dtype=fp32")
NORM = "model.norm.weight"


def outputs(result):
    return json.loads(result.expect(0).out)["result"]["outputs"]


def new_model(place, name="model", *settings):
    """A folder of our own with a model that nothing is wrong with."""
    made = outputs(place.run("do", "checkpoint.init", *SIZES, *settings, "--json"))["model"]["path"]
    folder = place.work / name
    shutil.copytree(made, folder)
    for file in [folder, *folder.iterdir()]:
        file.chmod(0o755 if file.is_dir() else 0o644)
    return folder


def read_tensors(file):
    """A reader of safetensors that owes ours nothing: name -> (dtype, shape, bytes)."""
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    found, at = {}, 0
    for name, tensor in sorted(((n, t) for n, t in header.items() if n != "__metadata__"), key=lambda one: one[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        assert begin == at, f"a hole before {name}"
        count = 1
        for each in tensor["shape"]:
            count *= each
        assert end - begin == count * {"F32": 4, "BF16": 2, "F16": 2, "I64": 8}[tensor["dtype"]], f"{name} has another size"
        found[name] = (tensor["dtype"], tensor["shape"], data[8 + size + begin : 8 + size + end])
        at = end
    assert 8 + size + at == len(data), "bytes behind the last tensor"
    return found, header.get("__metadata__")


def read_folder(folder):
    found = {}
    index = folder / "model.safetensors.index.json"
    shards = ["model.safetensors"]
    if index.exists():
        said = json.loads(index.read_text())
        shards = sorted(set(said["weight_map"].values()))
    for shard in shards:
        tensors, metadata = read_tensors(folder / shard)
        assert metadata == {"format": "pt"}, f"{shard} has no format"
        if index.exists():
            assert all(said["weight_map"][name] == shard for name in tensors), f"{shard} holds what the index has elsewhere"
        assert not found.keys() & tensors.keys(), "a tensor in two shards"
        found.update(tensors)
    if index.exists():
        total = sum(len(data) for _, _, data in found.values())
        assert said["metadata"]["total_size"] == total, "total_size is another"
        assert said["weight_map"].keys() == found.keys(), "the index names other tensors"
    stale = {file.name for file in folder.glob("*.safetensors")} - set(shards)
    assert not stale, f"stale shards: {stale}"
    return found


def file_text(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def rewritten(folder, change):
    """Changes header (a dict) and data of the model's one file; `change` returns both."""
    file = folder / "model.safetensors"
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    file.write_bytes(file_text(*change(json.loads(data[8 : 8 + size]), data[8 + size :])))


def refused(place, folder, *says, code=3, name=None):
    """By inspect, by export and before anything runs, by plan; nothing is left."""
    name = str(folder.name if name is None else name)
    shown = place.run("do", "checkpoint.inspect", f"model=./{name}").expect(code).says(*says)
    out = place.work / "out"
    place.run("do", "checkpoint.export", f"model=./{name}", "to=./out").expect(code).says(*says)
    check(not out.exists(), "C8: something was exported")
    recipe = place.recipe({"m": f"use: checkpoint.load, source: ./{name}"}, name="plan.yaml")
    place.run("plan", recipe).expect(code)
    check("hint" in shown.err or code == 3, f"no way out is named: {shown}")
    return shown


def each_refused(bench, cases):
    """`cases`: what is done to a fresh model, and what the message must say."""
    messages = []
    with bench.place() as place:
        sound = new_model(place)
        for spoil, *says in cases:
            folder = place.work / "case"
            shutil.copytree(sound, folder)
            spoil(folder)
            with bench.trying():
                messages.append(next(line for line in refused(place, folder, *says).err.splitlines() if "error: " in line))
            shutil.rmtree(folder)
        bench.settle()
        place.check_whole()
    return messages


@row("M1")
def cut_shards(bench):
    def cut(keep):
        return lambda folder: os.truncate(folder / "model.safetensors", keep(os.path.getsize(folder / "model.safetensors")))

    with bench.place() as place:
        data = sum(len(data) for _, _, data in read_folder(new_model(place)).values())
    each_refused(
        bench,
        [
            (cut(lambda whole: whole - 1), "model.safetensors", f"{data} bytes", f"{data - 1} are there"),
            (cut(lambda whole: 7), "model.safetensors", "at least 8 bytes", "7"),
            (cut(lambda whole: 0), "model.safetensors"),
        ],
    )


@row("M2")
def header_lengths(bench):
    def length(of):
        def spoil(folder):
            file = folder / "model.safetensors"
            data = file.read_bytes()
            file.write_bytes(struct.pack("<Q", of(len(data))) + data[8:])

        return spoil

    each_refused(
        bench,
        [
            (length(lambda size: 1 << 63), "model.safetensors", "header"),
            (length(lambda size: 100_000_001), "model.safetensors", "header"),
            (length(lambda size: size - 8 + 1), "model.safetensors", "header"),
        ],
    )


def moved(name, begin, end):
    """Adds to where a tensor begins and ends."""

    def change(header, data):
        header[name]["data_offsets"] = [header[name]["data_offsets"][0] + begin, header[name]["data_offsets"][1] + end]
        return header, data

    return lambda folder: rewritten(folder, change)


@row("M3")
def offsets_that_lie(bench):
    messages = each_refused(
        bench,
        [
            (moved(NORM, -4, -4), "model.safetensors"),
            (moved(NORM, 4, 4), "model.safetensors"),
            (lambda folder: rewritten(folder, lambda header, data: (swap_ends(header), data)), "model.safetensors"),
            (lambda folder: rewritten(folder, lambda header, data: (header, data + b"tail")), "model.safetensors"),
        ],
    )
    check(len(set(messages)) == len(messages), f"messages are alike: {messages}")


def swap_ends(header):
    header[NORM]["data_offsets"].reverse()
    return header


@row("M4")
def shapes_that_lie(bench):
    def shape(text):
        def change(header, data):
            header[NORM]["shape"] = "HERE"
            return json.dumps(header).replace('"HERE"', text).encode(), data

        return lambda folder: rewritten(folder, change)

    each_refused(
        bench,
        [
            (shape("[4294967296, 4294967296, 4294967296]"), NORM),
            (shape("[-16]"), NORM),
            (shape("[16.5]"), NORM),
            (shape("[" + ",".join(["1"] * 100_000) + "]"), "model.safetensors"),
        ],
    )


@row("M7")
def a_flipped_byte(bench):
    """In an export, in a source and in the store: verify names the file."""

    def flip(file):
        times = file.stat()
        file.chmod(0o644)
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    with bench.place() as place:
        folder = new_model(place)
        place.run("do", "checkpoint.export", "model=./model", "to=./out").expect(0)
        run = json.loads(place.run("do", "checkpoint.inspect", "model=./model", "--json").expect(0).out)["result"]["run"]
        for path in ("./out", run, place.store / place.keys()[0]):
            place.run("verify", path).expect(0)
        flip(place.work / "out/model.safetensors")
        place.run("verify", "./out").expect(9).says("out")
        flip(folder / "model.safetensors")
        place.run("verify", run).expect(9).says("model.safetensors")
        made = next(key for key in place.keys() if place.manifest(key)["use"] == "checkpoint.init")
        flip(place.store / made / "model/model.safetensors")
        place.run("verify", place.store / made).expect(9).says("model.safetensors")


@row("M8")
def an_index_that_lies(bench):
    def index(change):
        def spoil(folder):
            file = folder / "model.safetensors.index.json"
            said = json.loads(file.read_text())
            change(said["weight_map"], folder)
            file.write_text(json.dumps(said))

        return spoil

    def name(shard):
        return index(lambda names, folder: names.update({NORM: shard}))

    def twice(names, folder):
        other = next(shard for shard in sorted(set(names.values())) if shard != names[NORM])
        tensors, _ = read_tensors(folder / names[NORM])
        shape = tensors[NORM][1]
        data = (folder / other).read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        end = len(data) - 8 - size
        header[NORM] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + 4 * shape[0]]}
        (folder / other).write_bytes(file_text(header, data[8 + size :] + tensors[NORM][2]))

    with bench.place() as place:
        new_model(place)
        place.run("do", "checkpoint.export", "model=./model", "to=./sharded", "max_shard_size=8kB").expect(0)
        shards = sorted(file.name for file in (place.work / "sharded").glob("*.safetensors"))
        check(len(shards) > 1, "the export has no shards")
        for spoil, code, *says in [
            (name("../../etc/shadow"), 10, "../../etc/shadow"),
            (name("/abs.safetensors"), 10, "/abs.safetensors"),
            (name("x.bin"), 3, "x.bin"),
            (lambda folder: (folder / shards[1]).unlink(), 3, shards[1], "missing"),
            (index(twice), 3, NORM),
        ]:
            folder = place.work / "case"
            shutil.copytree(place.work / "sharded", folder)
            spoil(folder)
            with bench.trying():
                refused(place, folder, *says, code=code)
            shutil.rmtree(folder)
        bench.settle()


@row("M10")
def tensors_that_do_not_fit(bench):
    def dtype(name):
        def change(header, data):
            header[NORM]["dtype"] = name
            if name == "I64":
                header[NORM]["shape"] = [8]
            return header, data

        return lambda folder: rewritten(folder, change)

    def shape(folder):
        config = json.loads((folder / "config.json").read_text())
        config["intermediate_size"] = 48
        (folder / "config.json").write_text(json.dumps(config))

    def dropped(header, data):
        begin, end = header.pop(NORM)["data_offsets"]
        for tensor in header.values():
            if "data_offsets" in tensor and tensor["data_offsets"][0] >= end:
                tensor["data_offsets"] = [at - (end - begin) for at in tensor["data_offsets"]]
        return header, data[:begin] + data[end:]

    def renamed(header, data):
        return {("model.norm.wieght" if name == NORM else name): tensor for name, tensor in header.items()}, data

    each_refused(
        bench,
        [
            (dtype("I64"), NORM),
            (dtype("F8_UNHEARD"), "F8_UNHEARD"),
            (shape, "model.layers.0.mlp.", "[32, 16]", "[48, 16]", "intermediate_size"),
            (lambda folder: rewritten(folder, dropped), NORM, "missing"),
            (lambda folder: rewritten(folder, renamed), NORM, "missing"),
        ],
    )


@row("M11")
def configs_that_lie(bench):
    def key(name, value=None):
        def spoil(folder):
            config = json.loads((folder / "config.json").read_text())
            config.pop(name) if value is None else config.update({name: value})
            (folder / "config.json").write_text(json.dumps(config))

        return spoil

    def text(what):
        return lambda folder: (folder / "config.json").write_text(what)

    each_refused(
        bench,
        [
            (key("hidden_size"), "config.json", "hidden_size"),
            (key("num_attention_heads", 0), "config.json", "num_attention_heads"),
            (key("hidden_size", "16"), "config.json", "hidden_size"),
            (key("num_hidden_layers", 10**9), "config.json", "num_hidden_layers"),
            (key("architectures", ["Foo"]), "config.json", "Foo", "LlamaForCausalLM"),
            (key("quantization_config", {"quant_method": "gptq", "bits": 4}), "config.json", "quantized (gptq)"),
            (text("{"), "config.json"),
            (text("[" * 100_000), "config.json"),
            (text(""), "config.json"),
        ],
    )


@row("M12")
def code_is_never_obeyed(bench):
    with bench.place() as place:
        folder = new_model(place)
        config = json.loads((folder / "config.json").read_text())
        config |= {"auto_map": {"AutoModel": "evil.Model"}, "_attn_implementation_internal": "org/kernel", "custom_code": True}
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.T", null]}, "bos_token": "<s>"}')
        (folder / "evil.py").write_text("open('ran', 'w')\n")
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        shown = place.run("do", "checkpoint.export", "model=./model", "to=./out").expect(0)
        for hook in ("config.json: auto_map", "config.json: _attn_implementation_internal", "config.json: custom_code", "tokenizer_config.json: auto_map"):
            shown.says(hook)
        out = place.work / "out"
        written = {file.name for file in out.iterdir()}
        check(not written & {"evil.py", "pytorch_model.bin"}, f"code was copied: {written}")
        for name in ("config.json", "tokenizer_config.json"):
            check("evil" not in (out / name).read_text(), f"{name} still names code")
        check(json.loads((out / "tokenizer_config.json").read_text()) == {"bos_token": "<s>"}, "more than the hook went")
        check(not list(place.folder.rglob("ran")), "code was run")
        report = outputs(place.run("do", "checkpoint.inspect", "model=./model", "--json"))["report"]["path"]
        found = json.loads(pathlib.Path(report, "report.json").read_text())
        check(sorted(found["never_opened"]) == ["evil.py", "pytorch_model.bin"], f"inspect does not tell: {found['never_opened']}")


@row("M13")
def a_pickle_is_never_opened(bench):
    with bench.place() as place:
        folder = new_model(place)
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        refused(place, folder, "pytorch_model.bin", "never opened", "save_pretrained", code=10)
        place.run("do", "checkpoint.load", "source=./model/pytorch_model.bin").expect(10).says("pytorch_model.bin", "never opened")


@row("M16")
def shards_that_are_no_files(bench):
    def instead(make):
        def spoil(folder):
            (folder / "model.safetensors").unlink()
            make(folder / "model.safetensors")

        return spoil

    each_refused(
        bench,
        [
            (instead(os.mkfifo), "model.safetensors"),
            (instead(lambda file: file.symlink_to("nowhere")), "model.safetensors"),
            (instead(lambda file: file.symlink_to(file.name)), "model.safetensors"),
            (instead(os.mkdir),),
        ],
    )


def gguf(version=3, keys=0, tensors=0, rest=b"", magic=b"GGUF", order="<"):
    return magic + struct.pack(f"{order}IQQ", version, tensors, keys) + rest


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_key(name, kind, value):
    return gguf_text(name) + struct.pack("<I", kind) + value


@row("M17")
def gguf_headers_that_lie(bench):
    architecture = gguf_key("general.architecture", 8, gguf_text("llama"))
    tensor = gguf_text("t") + struct.pack("<I", 1) + struct.pack("<Q", 32)
    cases = {
        "magic": gguf(magic=b"GGUX"),
        "version 0": gguf(version=0),
        "version 1": gguf(version=1),
        "version 99": gguf(version=99),
        "big-endian": gguf(order=">"),
        "2^60 keys": gguf(keys=1 << 60),
        "2^60 tensors": gguf(tensors=1 << 60),
        "a text of 2^63": gguf(keys=1, rest=struct.pack("<Q", 1 << 63)),
        "a nested array": gguf(keys=1, rest=gguf_key("a", 9, struct.pack("<IQ", 9, 1))),
        "bool 7": gguf(keys=1, rest=gguf_key("a", 7, b"\x07")),
        "alignment 0": gguf(keys=1, rest=gguf_key("general.alignment", 4, struct.pack("<I", 0))),
        "alignment 3": gguf(keys=1, rest=gguf_key("general.alignment", 4, struct.pack("<I", 3))),
        "a key twice": gguf(keys=2, rest=architecture * 2),
        "a tensor twice": gguf(keys=1, tensors=2, rest=architecture + (tensor + struct.pack("<IQ", 0, 0)) * 2),
        "5 dimensions": gguf(keys=1, tensors=1, rest=architecture + gguf_text("t") + struct.pack("<I5QIQ", 5, 1, 1, 1, 1, 1, 0, 0)),
        "dimension 0": gguf(keys=1, tensors=1, rest=architecture + gguf_text("t") + struct.pack("<IQIQ", 1, 0, 0, 0)),
        "dimension -1": gguf(keys=1, tensors=1, rest=architecture + gguf_text("t") + struct.pack("<IqIQ", 1, -1, 0, 0)),
        "type 999": gguf(keys=1, tensors=1, rest=architecture + tensor + struct.pack("<IQ", 999, 0)),
        "half a block": gguf(keys=1, tensors=1, rest=architecture + gguf_text("t") + struct.pack("<IQIQ", 1, 33, 2, 0)),
        "an offset beyond": gguf(keys=1, tensors=1, rest=architecture + tensor + struct.pack("<IQ", 0, 1 << 40)),
        "nothing": b"GGUF",
    }
    with bench.place() as place:
        for name, data in cases.items():
            (place.work / "m.gguf").write_bytes(data)
            with bench.trying():
                place.run("do", "checkpoint.load", "source=./m.gguf").expect(3).says("m.gguf")
                check(not place.keys(), f"{name}: something was kept")
        bench.settle()


@row("O2")
def an_export_reads_as_its_source(bench):
    """By another reader and by ours; sharded, then in one file over it; nothing stale, nothing of others gone."""
    with bench.place() as place:
        folder = new_model(place)
        source = read_folder(folder)
        place.run("do", "checkpoint.export", "model=./model", "to=./same").expect(0)
        for name in ("model.safetensors", "config.json"):
            check((place.work / "same" / name).read_bytes() == (folder / name).read_bytes(), f"{name} is not byte for byte the same")
        place.run("do", "checkpoint.export", "model=./model", "to=./out", "max_shard_size=8kB").expect(0)
        out = place.work / "out"
        check(read_folder(out) == source, "the sharded export holds other tensors")
        check(len(list(out.glob("*.safetensors"))) > 1, "it is not sharded")
        (out / "mine.txt").write_text("mine")
        again = ("do", "checkpoint.export", "model=./model", "to=./out", "dtype=bf16")
        place.run(*again).expect(2).says("out is not empty", "--overwrite")
        place.run(*again, "--overwrite").expect(0)
        written = read_folder(out)
        check({file.name for file in out.glob("*.safetensors")} == {"model.safetensors"}, "shards of the older export are left")
        check((out / "mine.txt").read_text() == "mine", "somebody's file is gone")
        check(not (out / "model.safetensors.index.json").exists(), "the index of the older export is left")
        check(all(dtype == "BF16" for dtype, _, _ in written.values()), "not all was cast")
        for name, (_, shape, data) in source.items():
            rounded = b"".join(nearest_bf16(data[at : at + 4]) for at in range(0, len(data), 4))
            check(written[name] == ("BF16", shape, rounded), f"{name} is not its source, rounded")
        check(json.loads((out / "config.json").read_text())["torch_dtype"] == "bfloat16", "config.json says another dtype")
        compared = outputs(place.run("do", "checkpoint.compare", "model=./model", "other=./same", "--json"))["report"]["path"]
        check(json.loads(pathlib.Path(compared, "report.json").read_text())["equal"] is True, "our own comparison finds a difference")


def nearest_bf16(data):
    (bits,) = struct.unpack("<I", data)
    return struct.pack("<H", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)


@row("O1")
def an_export_spares_what_is_there(bench):
    with bench.place() as place:
        folder = new_model(place)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        (place.work / "file").write_text("mine")
        (place.work / "full").mkdir()
        (place.work / "full/mine").write_text("mine")
        (place.work / "empty").mkdir()
        export = ("do", "checkpoint.export", "model=./model")
        place.run(*export, "to=./file").expect(2).says("file is there already")
        place.run(*export, "to=./full").expect(2).says("full is not empty", "--overwrite")
        for inside in ("./model", "./model/sub"):
            place.run(*export, f"to={inside}", "--overwrite").expect(2).says("is read by this stage")
        check({file.name: file.read_bytes() for file in folder.iterdir()} == before, "the source was changed")
        check((place.work / "file").read_text() == "mine" and (place.work / "full/mine").read_text() == "mine", "what was there is gone")
        place.run(*export, "to=./empty").expect(0)
        place.run(*export, "to=./empty").expect(0).says("0 stages run")
        check(read_folder(place.work / "empty") == read_folder(folder), "an empty folder was not filled")
