#!/usr/bin/env python3
"""make.py > configs.json   what transformers reads out of config.json files, for the readers in plugins/lm/config and the table of
plugins/lm/weights. Run with transformers 5.17.0, torch 2.11.0.

Of the tensors, which are alike in all layers, those of layer 0 and of none stand here. Each case is a text in the spelling of transformers 4, as people wrote it, and the text that transformers 5 saves for it; both must
read alike. `refused` are shapes for which building a config fails or not."""

import base64
import json
import pathlib
import tempfile

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

transformers.logging.set_verbosity_error()
CLASSES = {
    "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "gemma": "GemmaForCausalLM", "gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM",
    "nemotron": "NemotronForCausalLM", "granite": "GraniteForCausalLM", "gemma3": "Gemma3ForConditionalGeneration"}

LINEAR = {"type": "linear", "factor": 4.0}
DYNAMIC = {"type": "dynamic", "factor": 3.0}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 1024, "rope_type": "llama3"}
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}


def base(family, **more):
    config = {
        "architectures": [CLASSES[family]], "model_type": family, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 160, "max_position_embeddings": 2048,
        "torch_dtype": "bfloat16", "transformers_version": "4.46.0", "use_cache": True}
    config["norm_eps" if family == "nemotron" else "rms_norm_eps"] = 1e-05
    if not family.startswith("gemma3"):
        config["rope_theta"] = 10000.0
    config.update(more)
    return {key: value for key, value in config.items() if value != "absent"}


def cases():
    for family in CLASSES:
        if family == "gemma3":
            continue
        yield f"{family} plain", base(family)
        yield f"{family} tied", base(family, tie_word_embeddings=True)
        yield f"{family} untied", base(family, tie_word_embeddings=False)
        yield f"{family} explicit head_dim", base(family, head_dim=24)
        yield f"{family} one KV head", base(family, num_key_value_heads=1)
        yield f"{family} as many KV heads as heads", base(family, num_key_value_heads=4)
        yield f"{family} silent", base(family, **{"rms_norm_eps": "absent", "norm_eps": "absent", "max_position_embeddings": "absent",
                                                  "rope_theta": "absent", "torch_dtype": "absent"})
        scaled = {"linear": LINEAR, "dynamic": DYNAMIC, "llama3": LLAMA3, "yarn": YARN,
                  "yarn with an attention factor": {**YARN, "attention_factor": 1.25},
                  "yarn with m-scales": {**YARN, "mscale": 0.7, "mscale_all_dim": 1.1},
                  "yarn with one m-scale": {**YARN, "mscale": 0.7}}
        for name, scaling in scaled.items():
            if family == "gemma3_text":  # transformers 5 loses a scaling there that only `type` names
                scaling = {"rope_type" if key == "type" else key: value for key, value in scaling.items()}
            if family in ("llama", "qwen3", "gemma3_text") or name in ("linear", "yarn"):
                yield f"{family} {name}", base(family, rope_scaling=scaling)
    for family in ("llama", "qwen3", "gemma", "gemma2", "gemma3_text", "nemotron", "granite"):
        yield f"{family} attention bias", base(family, attention_bias=True)
    yield "granite multipliers", base("granite", embedding_multiplier=12.0, attention_multiplier=0.015625, residual_multiplier=0.22,
                                      logits_scaling=8.0, tie_word_embeddings=True)
    yield "granite whole multipliers", base("granite", embedding_multiplier=12, logits_scaling=16, attention_multiplier=1)
    for family in ("llama", "nemotron"):
        yield f"{family} mlp bias", base(family, mlp_bias=True)
        yield f"{family} no KV heads key", base(family, num_key_value_heads="absent" if family == "llama" else 4)
    yield "llama theta in the map", base("llama", rope_theta="absent", rope_scaling={**LLAMA3, "rope_theta": 500000.0})
    yield "llama yarn not truncated", base("llama", rope_scaling={**YARN, "truncate": False})
    yield "llama yarn with betas", base("llama", rope_scaling={**YARN, "beta_fast": 24, "beta_slow": 2})
    yield "llama yarn without a factor", base("llama", rope_scaling={**YARN, "factor": None})
    yield "llama yarn, original length at the top", base("llama", original_max_position_embeddings=256, rope_scaling=YARN)
    yield "llama yarn, original length nowhere", base("llama", rope_scaling={"type": "yarn", "factor": 4.0})
    yield "llama whole theta", base("llama", rope_theta=500000, rope_scaling=None)
    for act in ("gelu", "gelu_new", "swish", "relu2"):
        yield f"llama {act}", base("llama", hidden_act=act)
    yield "gemma gelu", base("gemma", hidden_act="gelu")
    yield "gemma2 silu", base("gemma2", hidden_activation="silu")
    yield "mistral window", base("mistral", sliding_window=64)
    yield "mistral no window", base("mistral", sliding_window=None)
    for family in ("qwen2", "qwen3"):
        window = {"use_sliding_window": True, "sliding_window": 64}
        yield f"{family} upper window", base(family, max_window_layers=1, **window)
        yield f"{family} window off", base(family, sliding_window=64, use_sliding_window=False, max_window_layers=1)
        yield f"{family} window above all", base(family, **window)
        yield f"{family} listed windows", base(family, layer_types=["sliding_attention", "full_attention", "sliding_attention"], **window)
    yield "qwen3 no KV heads", base("qwen3", num_key_value_heads=None)
    yield "gemma2 six layers", base("gemma2", num_hidden_layers=6, sliding_window=32, query_pre_attn_scalar=144)
    yield "gemma2 no caps", base("gemma2", attn_logit_softcapping=None, final_logit_softcapping=None)
    yield "gemma2 other caps", base("gemma2", attn_logit_softcapping=20.0, final_logit_softcapping=12.5)
    yield "gemma2 listed windows", base("gemma2", layer_types=["full_attention", "full_attention", "sliding_attention"])
    yield "gemma3_text seven layers", base("gemma3_text", num_hidden_layers=7, sliding_window=32, query_pre_attn_scalar=168)
    yield "gemma3_text pattern", base("gemma3_text", num_hidden_layers=4, sliding_window_pattern=2)
    yield "gemma3_text bases", base("gemma3_text", num_hidden_layers=6, rope_theta=500000, rope_local_base_freq=20000,
                                    rope_scaling={"rope_type": "linear", "factor": 8.0})
    yield "gemma3_text final cap", base("gemma3_text", final_logit_softcapping=15.0)
    yield "nemotron quarter", base("nemotron", partial_rotary_factor=0.25, head_dim=32)
    text = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "model_type": "gemma3_text", "sliding_window": 1024,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
              "patch_size": 14, "model_type": "siglip_vision_model"}
    outer = {"architectures": [CLASSES["gemma3"]], "model_type": "gemma3", "torch_dtype": "bfloat16", "vision_config": vision}
    yield "gemma3 nested", {**outer, "text_config": text}
    yield "gemma3 nested untied", {**outer, "tie_word_embeddings": False, "text_config": {**text, "vocab_size": 100, "head_dim": 8}}


NOISE = {"initializer_range", "use_cache", "attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id", "pretraining_tp",
         "transformers_version", "vision_config"}


def lean(config):
    return {key: lean(value) if isinstance(value, dict) else value for key, value in config.items() if key not in NOISE}


def f32(values):
    return base64.b64encode(values.to(torch.float32).numpy().tobytes()).decode()


def load(text):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(text)
        return AutoConfig.from_pretrained(folder)


def ropes(model, text_config):
    holder = model.model.language_model if hasattr(model.model, "language_model") else model.model
    rotary = type(holder.rotary_emb)(config=text_config)
    if hasattr(rotary, "inv_freq"):
        out = {"inv_freq": f32(rotary.inv_freq), "attention_factor": float(rotary.attention_scaling)}
        if rotary.rope_type == "dynamic":
            from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
            out["inv_freq_5000"] = f32(ROPE_INIT_FUNCTIONS["dynamic"](text_config, None, seq_len=5000)[0])
        return {"full": out}
    return {name: {"inv_freq": f32(getattr(rotary, f"{kind}_inv_freq")),
                   "attention_factor": float(getattr(rotary, f"{kind}_attention_scaling"))}
            for name, kind in (("full", "full_attention"), ("windowed", "sliding_attention"))
            if hasattr(rotary, f"{kind}_inv_freq")}


def facts(config):
    nested = config.model_type == "gemma3"
    text_config = config.text_config if nested else config
    with torch.device("meta"):
        model = (AutoModelForImageTextToText if nested else AutoModelForCausalLM).from_config(config)
    decoder = model.model.language_model if nested else model.model
    attention = decoder.layers[0].self_attn
    types = getattr(text_config, "layer_types", None) or ["full_attention"] * len(decoder.layers)
    if config.model_type == "mistral" and config.sliding_window is not None:
        types = ["sliding_attention"] * len(decoder.layers)
    tensors, count, seen = {}, 0, set()
    for name, parameter in model.named_parameters(remove_duplicate=True):
        if nested:
            if "vision_tower" in name or "projector" in name:
                continue
            name = name.replace("language_model.", "")
        count += parameter.numel()
        if id(parameter) not in seen:
            tensors[name] = list(parameter.shape)
        seen.add(id(parameter))
    norm = decoder.norm
    layers = [{name.replace(f".layers.{i}.", ".layers.0."): shape for name, shape in tensors.items() if f".layers.{i}." in name}
              for i in range(len(decoder.layers))]
    if any(layer != layers[0] for layer in layers):
        raise SystemExit("layers of unequal shapes")
    few = {name: shape for name, shape in tensors.items() if ".layers." not in name or ".layers.0." in name}
    return {
        "windows": [text_config.sliding_window if kind == "sliding_attention" else None for kind in types],
        "heads": text_config.num_attention_heads, "kv_heads": text_config.num_key_value_heads, "head_dim": attention.head_dim,
        "scale": float(getattr(attention, "scaling", attention.head_dim ** -0.5)),
        "eps": getattr(norm, "variance_epsilon", getattr(norm, "eps", None)), "activation": type(decoder.layers[0].mlp.act_fn).__name__,
        "attention_cap": getattr(text_config, "attn_logit_softcapping", None), "final_cap": getattr(text_config, "final_logit_softcapping", None),
        "tied": config.tie_word_embeddings, "positions": text_config.max_position_embeddings,
        "dtype": str(config.dtype).removeprefix("torch.") if config.dtype else "",
        "parameters": count, "rope": ropes(model, text_config), "tensors": few}


def refused():
    for family in CLASSES:
        if family == "gemma3":
            continue
        for hidden, heads in ((64, 4), (96, 8), (64, 24), (60, 8), (128, 6)):
            config = base(family, hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=2, head_dim=16)
            try:
                load(json.dumps(config))
                yield family, hidden, heads, False
            except Exception:
                yield family, hidden, heads, True


def main():
    out = []
    for name, raw in cases():
        old = json.dumps(raw, indent=2, sort_keys=True) + "\n"
        config = load(old)
        new = config.to_json_string()
        known = facts(config)
        if facts(load(new)) != known:
            raise SystemExit(f"{name}: transformers reads its own file differently")
        out.append({"name": name, "old": lean(raw), "new": lean(json.loads(new)), **known})
    lines = ",\n".join(json.dumps(case, sort_keys=True, separators=(",", ":")) for case in out)
    shapes = json.dumps(list(refused()), separators=(",", ":"))
    print(f'{{"cases":[\n{lines}\n],\n"refused":{shapes}}}')


main()
