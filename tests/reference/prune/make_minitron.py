"""What Model-Optimizer itself made of a tiny model, as small as a test needs it: python make_minitron.py RECORDED

RECORDED is the folder of a recorded run of Model-Optimizer 0.47.0 (mcore_minitron, megatron-core 0.16.1, fp32 on a CPU): the model
before and after, its scores, its orders. Here stay the model before, the rows, the scores, the orders of hidden channels and layers,
and of each pruned tensor the SHA-256 once the order of its survivors, which is by importance there, is undone. Run with numpy 2 and
safetensors 0.6.
"""

import hashlib
import json
import pathlib
import shutil
import sys

import numpy as np
from safetensors.numpy import load_file

recorded, here = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent / "minitron"
scores, before, after = (load_file(recorded / f"{name}.safetensors") for name in ("scores", "original", "pruned"))
inputs, result = json.loads((recorded / "inputs.json").read_text()), json.loads((recorded / "result.json").read_text())
shape, groups, dim = inputs["export_config"], inputs["shape"]["groups"], inputs["shape"]["head_dim"]


def hparam(layer, name):
    return scores[f"order.decoder.layers.{layer}.{name}"]


def heads_of(layer):
    """Of each group the first so many, in the recorded order."""
    order, each = hparam(layer, "self_attention.num_attention_heads").tolist(), shape["num_attention_heads"] // groups
    per_group = inputs["shape"]["heads"] // groups
    return [head for group in range(groups) for head in [h for h in order if h // per_group == group][:each]]


def rows_of(name, layer):
    """Indices of the old rows and columns, as the recorded tensor has them."""
    hidden = scores["order.hidden_size"][: shape["hidden_size"]]
    heads = lambda: np.concatenate([np.arange(h * dim, (h + 1) * dim) for h in heads_of(layer)])
    ffn = lambda: hparam(layer, "mlp.ffn_hidden_size")[: shape["ffn_hidden_size"]]
    if "q_proj" in name:
        return heads(), hidden
    if "o_proj" in name:
        return hidden, heads()
    if "k_proj" in name or "v_proj" in name:
        return None, hidden
    if "gate_proj" in name or "up_proj" in name:
        return ffn(), hidden
    if "down_proj" in name:
        return hidden, ffn()
    if "embed_tokens" in name:
        return None, hidden
    return (None, None) if "q_norm" in name or "k_norm" in name else (hidden, None)


def undone(tensor, indices):
    for axis, kept in enumerate(indices):
        if kept is not None:
            tensor = np.take(tensor, np.argsort(kept, kind="stable"), axis=axis)
    return np.ascontiguousarray(tensor)


kept = [layer - 1 for layer in result["kept_layers"]]
digests = {}
for name, tensor in after.items():
    parts = name.split(".")
    old = name
    layer = None
    if "layers" in parts:
        layer = kept[int(parts[2])]
        old = ".".join(parts[:2] + [str(layer)] + parts[3:])
    indices = rows_of(name, layer)
    ascending = undone(tensor, indices)
    expected = before[old]
    for axis, some in enumerate(indices):
        if some is not None:
            expected = np.take(expected, np.sort(some), axis=axis)
    assert np.array_equal(ascending, expected), name  # what they kept is what the order says
    digests[name] = hashlib.sha256(ascending.tobytes()).hexdigest()

here.mkdir(exist_ok=True)
shutil.copy(recorded / "config.json", here)
shutil.copy(recorded / "original.safetensors", here / "model.safetensors")
expected = {
    "ids": inputs["ids"], "batches": inputs["batches"], "shape": shape, "divisors": inputs["divisors"],
    "hidden": scores["score.hidden"].tolist(),
    "ffn": [scores[f"score.ffn.{i}"].tolist() for i in range(inputs["shape"]["layers"])],
    "heads": [scores[f"score.heads.{i}"].tolist() for i in range(inputs["shape"]["layers"])],
    "layers": scores["layer_scores"].tolist(), "kept_layers": kept,
    "order": scores["order.hidden_size"].tolist(), "tensors": digests,
}  # fmt: skip
(here / "expected.json").write_text(json.dumps(expected) + "\n")
