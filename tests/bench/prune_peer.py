"""What Model-Optimizer does to score a model's parts and candidates, re-created in PyTorch over transformers, for prune.py:
prune_peer.py importance MODEL IDX ROWS LENGTH, prune_peer.py candidates MODEL IDX SCORES SHAPES FIRST ROWS LENGTH

Prints one JSON object: what came out, for the comparison, and the seconds of the passes alone.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


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


def candidates(folder, index, scores, shapes, first, rows, length):
    ids = rows_of(index, int(first), int(rows), int(length))
    known = load_file(pathlib.Path(scores) / "scores.safetensors")
    losses, seconds = [], 0.0
    for shape in json.loads(shapes):
        model = model_of(folder)
        config = model.config
        groups, dim = config.num_key_value_heads, config.head_dim
        each, group = shape["num_attention_heads"] // groups, config.num_attention_heads // groups
        model.model.layers = torch.nn.ModuleList(model.model.layers[i] for i in shape["layers"])
        for place, (old, layer) in enumerate(zip(shape["layers"], model.model.layers)):
            layer.self_attn.layer_idx = place
            ffn = known[f"ffn.{old}"].argsort(descending=True, stable=True)[: shape["ffn_hidden_size"]].sort().values
            heads = known[f"heads.{old}"].view(groups, group).argsort(1, descending=True, stable=True)[:, :each].sort(1).values
            rows_ = ((heads + torch.arange(groups)[:, None] * group).flatten()[:, None] * dim + torch.arange(dim)).flatten()
            layer.self_attn.num_key_value_groups = each
            for linear, axis, kept in ((layer.mlp.gate_proj, 0, ffn), (layer.mlp.up_proj, 0, ffn), (layer.mlp.down_proj, 1, ffn),
                                       (layer.self_attn.q_proj, 0, rows_), (layer.self_attn.o_proj, 1, rows_)):  # fmt: skip
                slices(linear, axis, kept)
        with torch.inference_mode():
            began, total = time.perf_counter(), 0.0
            for row in ids:
                logits = model(row[None]).logits[0].float()
                total += torch.nn.functional.cross_entropy(logits[:-1], row[1:]).item()
            seconds += time.perf_counter() - began
        losses.append(total / len(ids))
    return {"losses": losses, "seconds": seconds}


def slices(linear, axis, kept):
    """Each use of the weight copies what stays of it, as its dynamic modules do."""
    weight = linear.weight.data
    linear.forward = lambda x: torch.nn.functional.linear(x, weight.index_select(axis, kept).contiguous())


if __name__ == "__main__":
    print(json.dumps({"importance": importance, "candidates": candidates}[sys.argv[1]](*sys.argv[2:])))
