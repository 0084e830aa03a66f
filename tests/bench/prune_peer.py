"""What Model-Optimizer does to score a model's parts and candidates, re-created in PyTorch over transformers, for prune.py:
prune_peer.py importance MODEL IDX ROWS LENGTH, prune_peer.py candidates MODEL SCORES SHAPES DATA

Prints one JSON object: what came out, for the comparison, and the seconds of the passes alone.
"""

import csv
import json
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def rows_of(index, first, rows, length):
    header = pathlib.Path(index).read_bytes()[:18]
    dtype = {4: np.int32, 8: np.uint16}[header[17]]
    ids = np.fromfile(pathlib.Path(index).with_suffix(".bin"), dtype)[first * length : (first + rows) * length]
    return torch.from_numpy(ids.astype(np.int64)).view(rows, length)


def model_of(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def floor(model, ids, batch):
    """The matrix products of the layers alone, with the same rows a pass."""
    tokens, total = batch * ids.shape[1], 0.0
    weights = [module.weight for name, module in model.model.layers.named_modules() if isinstance(module, torch.nn.Linear)]
    inputs = {width: torch.randn(tokens, width) for width in {weight.shape[1] for weight in weights}}
    for _ in range(0, ids.shape[0], batch):
        began = time.perf_counter()
        for weight in weights:
            inputs[weight.shape[1]] @ weight.t()
        total += time.perf_counter() - began
    return total


def importance(folder, index, rows, length, batch=1):
    ids = rows_of(index, 0, int(rows), int(length))
    model, squares, angles = model_of(folder), {}, {}

    def add(key, x):  # as its estimator does: [S, B, C] in fp32, a sum on the host's side of each hook
        means = x.float().abs().mean(1)
        squares[key] = squares.get(key, 0) + means.pow(2).sum(0)

    for i, layer in enumerate(model.model.layers):
        layer.input_layernorm.register_forward_hook(lambda m, a, out, i=i: add(("attention", i), out))
        layer.post_attention_layernorm.register_forward_hook(lambda m, a, out, i=i: add(("mlp", i), out))
        layer.mlp.down_proj.register_forward_pre_hook(lambda m, a, i=i: add(("ffn", i), a[0]))
        layer.self_attn.o_proj.register_forward_pre_hook(lambda m, a, i=i: add(("heads", i), a[0]))

        def angle(module, args, kwargs, out, i=i):
            before, after = args[0] if args else kwargs["hidden_states"], out[0] if isinstance(out, tuple) else out
            cosine = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
            angles[i] = angles.get(i, 0) + (1 - cosine.mean(1)).sum().item()

        layer.register_forward_hook(angle, with_kwargs=True)
    with torch.inference_mode():
        model.model(ids[:1])
        squares.clear(), angles.clear()
        began = time.perf_counter()
        for first in range(0, ids.shape[0], batch):
            model.model(ids[first : first + batch])
        seconds = time.perf_counter() - began
        products = floor(model, ids, 8)
    layers = range(len(model.model.layers))
    hidden = sum(squares[kind, i].sqrt() for kind in ("attention", "mlp") for i in layers)
    return {"hidden": hidden.tolist(), "layers": [angles[i] for i in layers], "seconds": seconds, "floor": products}


def prompts_of(folder, data):
    """As lm-eval words them, with examples before each; and the four letters."""
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def questions(split):
        with open(pathlib.Path(data["mmlu"]) / split / f"{data['subject']}_{split}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def item(one):
        return one["question"].strip() + "".join(f"\n{letter}. {one[f'choice{i}']}" for i, letter in enumerate("ABCD")) + "\nAnswer:"

    begin = f"The following are multiple choice questions (with answers) about {data['subject'].replace('_', ' ')}.\n\n"
    begin += "".join(f"{item(one)} {'ABCD'[int(one['answer'])]}\n\n" for one in questions("dev")[: data["shots"]])
    letters = [tokenizer.encode(f" {letter}", add_special_tokens=False)[-1] for letter in "ABCD"]
    return [torch.tensor(tokenizer.encode(begin + item(one))) for one in questions("test")], letters


def candidate(model, shape, known):
    config = model.config
    groups, dim = config.num_key_value_heads, config.head_dim
    each, group = shape["num_attention_heads"] // groups, config.num_attention_heads // groups
    model.model.layers = torch.nn.ModuleList(model.model.layers[i] for i in shape["layers"])
    for place, (old, layer) in enumerate(zip(shape["layers"], model.model.layers)):
        layer.self_attn.layer_idx = place
        ffn = known[f"ffn.{old}"].argsort(descending=True, stable=True)[: shape["ffn_hidden_size"]].sort().values
        heads = known[f"heads.{old}"].view(groups, group).argsort(dim=1, descending=True, stable=True)[:, :each].sort(1).values
        rows = ((heads + torch.arange(groups)[:, None] * group).flatten()[:, None] * dim + torch.arange(dim)).flatten()
        layer.self_attn.num_key_value_groups = each
        for linear, axis, kept in ((layer.mlp.gate_proj, 0, ffn), (layer.mlp.up_proj, 0, ffn), (layer.mlp.down_proj, 1, ffn),
                                   (layer.self_attn.q_proj, 0, rows), (layer.self_attn.o_proj, 1, rows)):  # fmt: skip
            slices(linear, axis, kept)
    return model


def candidates(folder, scores, shapes, data):
    known, data = load_file(pathlib.Path(scores) / "scores.safetensors"), json.loads(data)
    if "mmlu" in data:
        texts, letters = prompts_of(folder, data)
    else:
        texts, letters = rows_of(data["index"], data["first"], data["rows"], data["length"]), None
    found, seconds, floors = [], 0.0, 0.0
    for shape in json.loads(shapes):
        model = candidate(model_of(folder), shape, known)
        with torch.inference_mode():
            began, losses, answers = time.perf_counter(), [], []
            for text in texts:
                logits = model(text[None]).logits[0].float()
                if letters is None:
                    losses.append(torch.nn.functional.cross_entropy(logits[:-1], text[1:]).item())
                else:
                    answers.append(logits[-1, letters].tolist())
            seconds += time.perf_counter() - began
            floors += products(model, texts, letters is None)
        best = [sorted(one, reverse=True) for one in answers]
        found.append(sum(losses) / len(losses) if losses else {
            "letters": "".join("ABCD"[one.index(max(one))] for one in answers), "gaps": [one[0] - one[1] for one in best]})  # fmt: skip
    return {"found": found, "seconds": seconds, "floor": floors}


def slices(linear, axis, kept):
    """Sorted once; then each use of the weight makes its leading slice contiguous, as its dynamic modules do. Leading rows are that already."""
    rest = torch.ones(linear.weight.shape[axis], dtype=torch.bool)
    rest[kept] = False
    weight = linear.weight.data.index_select(axis, torch.cat([kept, rest.nonzero().flatten()]))
    if len(kept) < weight.shape[axis]:
        linear.cut = weight.narrow(axis, 0, len(kept)).contiguous().requires_grad_(False)  # for the floor alone
        linear.forward = lambda x: torch.nn.functional.linear(x, weight.narrow(axis, 0, len(kept)).contiguous())


def products(model, texts, all_logits):
    """Seconds of a candidate's matrix products alone, all texts at once."""
    linears = [module for module in model.model.layers.modules() if isinstance(module, torch.nn.Linear)] + [model.lm_head] * all_logits
    weights = [getattr(linear, "cut", linear.weight) for linear in linears]
    tokens, total = sum(map(len, texts)), 0.0
    inputs = {width: torch.randn(tokens, width) for width in {weight.shape[1] for weight in weights}}
    for weight in weights:
        began = time.perf_counter()
        inputs[weight.shape[1]] @ weight.t()
        total += time.perf_counter() - began
    return total


if __name__ == "__main__":
    print(json.dumps({"importance": importance, "candidates": candidates}[sys.argv[1]](*sys.argv[2:])))
