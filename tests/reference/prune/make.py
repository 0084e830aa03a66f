"""Importance and pruning of tiny random models by the formulas, in plain PyTorch over transformers: python make.py

Writes cases.json beside this script: for each family its config, the rows, the importances that hooks on the Hugging Face modules
saw (fp64 sums of fp32 activations), and for a shape to cut to the SHA-256 of every tensor that index_select makes of the survivors
and what transformers computes with them (logits.bin, fp32). Weights are made from their names by the rule of ../models/make.py.
Run with torch 2.11 and transformers 5.17.
"""

import hashlib
import json
import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

here = pathlib.Path(__file__).parent
source = (here.parent / "models" / "make.py").read_text()
models = {"__file__": str(here / "make.py"), "__name__": "models"}
exec(compile(source[: source.index("CASES = {")], "models/make.py", "exec"), models)  # its helpers, not its cases
weight, config_of = models["weight"], models["config_of"]

ROWS, LENGTH = 5, 16
SMALL = dict(num_hidden_layers=3, max_position_embeddings=64)
FAMILIES = {
    "llama": config_of("llama", **SMALL),
    "llama-tied-bias": config_of("llama", tie_word_embeddings=True, attention_bias=True, mlp_bias=True, **SMALL),
    "mistral": config_of("mistral", sliding_window=7, **SMALL),
    "qwen2": config_of("qwen2", head_dim=None, tie_word_embeddings=True, use_sliding_window=True, sliding_window=5,
                       max_window_layers=1, **SMALL),
    "qwen3": config_of("qwen3", tie_word_embeddings=True, **SMALL),
    "gemma": config_of("gemma", tie_word_embeddings=True, num_key_value_heads=1, head_dim=32, **SMALL),
    "gemma2": config_of("gemma2", tie_word_embeddings=True, sliding_window=9, query_pre_attn_scalar=24,
                        attn_logit_softcapping=5.0, final_logit_softcapping=3.0, **SMALL),
    "gemma3": config_of("gemma3_text", tie_word_embeddings=True, sliding_window=6, query_pre_attn_scalar=24,
                        **(SMALL | dict(num_hidden_layers=4))),
    "nemotron": config_of("nemotron", partial_rotary_factor=0.5, norm_eps=1e-5, **SMALL),
}
# Each axis in every family; of Llama and Gemma 2 and 3 the heads divide the width.
SHAPE = dict(hidden_size=32, ffn_hidden_size=48, num_layers=2)


class Sums:
    """sum over rows of (mean over the tokens of |x|) squared, by hook."""

    def __init__(self):
        self.squares = {}

    def add(self, key, x):
        means = x.detach().float().abs().mean(1).double()
        self.squares[key] = self.squares.get(key, 0) + means.square().sum(0)

    def root(self, key):
        return self.squares[key].sqrt()


def measure(model, ids):
    sums, angles, hooks = Sums(), {}, []
    four = hasattr(model.model.layers[0], "pre_feedforward_layernorm")
    for i, layer in enumerate(model.model.layers):
        sites = [layer.input_layernorm, layer.pre_feedforward_layernorm if four else layer.post_attention_layernorm]
        for kind, norm in zip(("attention", "mlp"), sites):
            hooks.append(norm.register_forward_hook(lambda m, a, out, k=(kind, i): sums.add(k, out)))
        hooks.append(layer.mlp.down_proj.register_forward_pre_hook(lambda m, a, k=("ffn", i): sums.add(k, a[0])))
        hooks.append(layer.self_attn.o_proj.register_forward_pre_hook(lambda m, a, k=("heads", i): sums.add(k, a[0])))

        def angle(module, args, kwargs, out, i=i):
            before = args[0] if args else kwargs["hidden_states"]
            after = out[0] if isinstance(out, tuple) else out
            cosine = torch.nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
            angles[i] = angles.get(i, 0) + (1 - cosine.double().mean(1)).sum()

        hooks.append(layer.register_forward_hook(angle, with_kwargs=True))
    model(ids)
    for hook in hooks:
        hook.remove()
    layers = range(len(model.model.layers))
    heads = model.config.num_attention_heads
    return {
        "hidden": sum(sums.root((kind, i)) for kind in ("attention", "mlp") for i in layers).tolist(),
        "ffn": [sums.root(("ffn", i)).tolist() for i in layers],
        "heads": [sums.squares[("heads", i)].view(heads, -1).sum(1).sqrt().tolist() for i in layers],
        "layers": [float(angles[i]) for i in layers],
    }


def first(scores, count):
    return sorted(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count])


def pruned(model, scores, groups, heads):
    """The survivors by index_select, as a state dict of the smaller model."""
    config = model.config
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    hidden = first(scores["hidden"], SHAPE["hidden_size"])
    layers = first(scores["layers"], SHAPE["num_layers"])
    each, group = heads // groups, config.num_attention_heads // groups
    out = {}
    for name, tensor in model.state_dict().items():
        parts, index = name.split("."), {}
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        new = name
        if "layers" in parts:
            old = int(parts[2])
            if old not in layers:
                continue
            new = ".".join(parts[:2] + [str(layers.index(old))] + parts[3:])
            ffn = first(scores["ffn"][old], SHAPE["ffn_hidden_size"])
            kept = [g * group + h for g in range(groups) for h in first(scores["heads"][old][g * group : (g + 1) * group], each)]
            rows = [head * dim + k for head in kept for k in range(dim)]
            block = parts[4] if parts[3] in ("self_attn", "mlp") else parts[3]
            rows_of = {"q_proj": rows, "gate_proj": ffn, "up_proj": ffn, "o_proj": hidden, "down_proj": hidden}
            columns_of = {"o_proj": rows, "down_proj": ffn}
            if "layernorm" in block:
                index[0] = hidden
            elif block in ("q_norm", "k_norm"):
                pass
            else:
                if block in rows_of:
                    index[0] = rows_of[block]
                if tensor.dim() == 2:
                    index[1] = columns_of.get(block, hidden)
        else:
            index[tensor.dim() - 1] = hidden  # embedding, head, the last norm
        for axis, chosen in index.items():
            tensor = tensor.index_select(axis, torch.tensor(chosen))
        out[new] = tensor.contiguous()
    return out, hidden, layers


def smaller_config(config, layers, heads):
    settings = config.to_dict()
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    settings.update(hidden_size=SHAPE["hidden_size"], intermediate_size=SHAPE["ffn_hidden_size"], num_hidden_layers=len(layers),
                    num_attention_heads=heads, head_dim=dim)
    if settings.get("layer_types"):
        settings["layer_types"] = [settings["layer_types"][i] for i in layers]
    if settings.get("max_window_layers") is not None:
        settings["max_window_layers"] = sum(i < settings["max_window_layers"] for i in layers)
    return CONFIG_MAPPING[settings.pop("model_type")](**settings)


def main():
    torch.manual_seed(0)
    cases, logits = [], b""
    for name, config in FAMILIES.items():
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
        with torch.no_grad():
            models["fill"](model, name.startswith("gemma") or name == "nemotron")
            ids = torch.from_numpy(np.random.default_rng(len(name)).integers(0, config.vocab_size, (ROWS, LENGTH)))
            scores = measure(model, ids)
            groups = config.num_key_value_heads
            heads = config.num_attention_heads // 2 if config.num_attention_heads // 2 % groups == 0 else config.num_attention_heads
            tensors, hidden, layers = pruned(model, scores, groups, heads)
            small = AutoModelForCausalLM.from_config(
                smaller_config(config, layers, heads), attn_implementation="eager", dtype=torch.float32).eval()
            missing = small.load_state_dict(tensors, strict=False)
            assert not missing.unexpected_keys and set(missing.missing_keys) <= {"lm_head.weight"}, missing
            small.tie_weights()
            out = small(ids[:2]).logits.float().numpy()
        settings = {k: v for k, v in config.to_diff_dict().items() if k not in ("transformers_version", "_attn_implementation")}
        settings["model_type"], settings["architectures"] = config.model_type, [type(model).__name__]
        cases.append({
            "name": name, "config": settings | {"torch_dtype": "float32"},
            "around_zero": name.startswith("gemma") or name == "nemotron",
            "tensors": {n: list(t.shape) for n, t in model.state_dict().items() if not (n == "lm_head.weight" and config.tie_word_embeddings)},
            "ids": ids.tolist(), "scores": scores,
            "shape": SHAPE | {"num_attention_heads": heads},
            "kept": {"hidden": hidden, "layers": layers},
            "pruned": {n: hashlib.sha256(t.numpy().tobytes()).hexdigest()[:16] for n, t in tensors.items()},
        })  # fmt: skip
        logits += out.astype("<f4").tobytes()
    round9 = lambda x: [round9(y) for y in x] if isinstance(x, list) else float(f"{x:.9g}")
    for case in cases:
        case["scores"] = {k: round9(v) for k, v in case["scores"].items()}
    (here / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    (here / "logits.bin").write_bytes(logits)


if __name__ == "__main__":
    main()
