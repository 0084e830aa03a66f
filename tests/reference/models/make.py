"""Tiny random models of every family and variation, and what transformers computes with them.

Writes cases.json (config, ids, what was changed by hand) and logits.bin (fp32 logits of each case in order, then its bf16 logits)
beside this script. Weights are not stored: both sides make them from their names by the rule of `weight` below.

Made with torch 2.11 and transformers 5.17: python make.py
"""

import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

VOCAB = 64
here = pathlib.Path(__file__).parent


def weight(name, shape):
    """FNV-1a of the name, plus the element's index, through splitmix64; its upper byte - 128, over 128, times the scale.

    Matrices and biases are n/128/4, embeddings and heads n/128, norms 1 + n/512 (Gemma and LayerNorm1P, whose weights lie
    around 0: n/512). Each is a bf16 number.
    """
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        x = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed)
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    n = (x >> np.uint64(56)).astype(np.float32) - 128
    return torch.from_numpy(n.reshape(shape)) / 128


def fill(model, around_zero):
    for name, tensor in model.named_parameters():  # a tied head is the embedding, and comes once
        value = weight(name, tensor.shape)
        if "norm" in name:
            value = value / 4
            if name.endswith("weight") and not around_zero:
                value = 1 + (value * 128).round() / 128
        elif "embed_tokens" not in name and "lm_head" not in name:
            value = value / 4
        assert torch.equal(value, value.bfloat16().float())
        tensor.copy_(value)


def config_of(model_type, **changes):
    settings = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, head_dim=16, max_position_embeddings=128, tie_word_embeddings=False,
                    pad_token_id=None, bos_token_id=None, eos_token_id=None)
    settings.update(changes)
    if settings["head_dim"] is None:  # the class knows none: hidden over heads
        del settings["head_dim"]
    return CONFIG_MAPPING[model_type](**settings)


def rope(rope_type, theta=10000.0, **rest):
    return dict(rope_type=rope_type, rope_theta=theta, **rest)


def without_attention(layer):
    layer.self_attn.forward = lambda hidden_states, **_: (torch.zeros_like(hidden_states), None)


def without_mlp(layer):
    layer.mlp.forward = torch.zeros_like


CASES = {
    "llama": (config_of("llama"), (2, 20)),
    "llama-tied": (config_of("llama", tie_word_embeddings=True), (1, 20)),
    "llama-bias": (config_of("llama", attention_bias=True, mlp_bias=True, num_key_value_heads=4, head_dim=12), (1, 20)),
    "llama-one-kv-head": (config_of("llama", num_key_value_heads=1, rms_norm_eps=1e-3), (1, 20)),
    "llama-linear": (config_of("llama", rope_parameters=rope("linear", factor=4.0)), (1, 20)),
    "llama-dynamic": (config_of("llama", max_position_embeddings=16, rope_parameters=rope("dynamic", factor=2.0)), (1, 48)),
    "llama-dynamic-short": (
        config_of("llama", max_position_embeddings=64, rope_parameters=rope("dynamic", factor=2.0)), (1, 48)),
    "llama3": (config_of("llama", rope_parameters=rope(
        "llama3", 5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)), (1, 100)),
    "llama-yarn": (config_of("llama", rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=32)), (1, 100)),
    "llama-yarn-scales": (config_of("llama", rope_parameters=rope(
        "yarn", factor=8.0, original_max_position_embeddings=16, beta_fast=16.0, beta_slow=2.0, truncate=False,
        mscale=1.0, mscale_all_dim=0.5)), (1, 48)),
    "mistral": (config_of("mistral", sliding_window=None), (1, 20)),
    "mistral-window": (config_of("mistral", sliding_window=7), (2, 40)),
    "qwen2": (config_of("qwen2", head_dim=None, num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True), (2, 20)),
    "qwen2-window": (config_of("qwen2", num_hidden_layers=3, head_dim=None, use_sliding_window=True, sliding_window=5, max_window_layers=1), (1, 30)),
    "qwen3": (config_of("qwen3", tie_word_embeddings=True), (2, 20)),
    "qwen3-yarn": (config_of("qwen3", head_dim=32, rope_parameters=rope(
        "yarn", 1e6, factor=4.0, original_max_position_embeddings=32)), (1, 100)),
    "gemma": (config_of("gemma", tie_word_embeddings=True, num_key_value_heads=1, head_dim=32), (2, 20)),
    "gemma2": (config_of("gemma2", tie_word_embeddings=True, num_hidden_layers=3, sliding_window=9, query_pre_attn_scalar=24,
                         attn_logit_softcapping=5.0, final_logit_softcapping=3.0), (2, 30)),
    "gemma3": (config_of("gemma3_text", tie_word_embeddings=True, num_hidden_layers=7, sliding_window=6,
                         query_pre_attn_scalar=24, rope_parameters={
                             "sliding_attention": rope("default", 10000.0),
                             "full_attention": rope("linear", 1e6, factor=8.0)}), (2, 30)),
    "nemotron": (config_of("nemotron", partial_rotary_factor=0.5, norm_eps=1e-5), (2, 20)),
    "granite": (config_of("granite", head_dim=None, embedding_multiplier=6.0, attention_multiplier=0.0625, residual_multiplier=0.22,
                          logits_scaling=6.0, tie_word_embeddings=True), (2, 20)),
    "granite-bias": (config_of("granite", head_dim=16, attention_bias=True, mlp_bias=True, attention_multiplier=0.1), (1, 20)),
    "layers-of-their-own": (config_of("llama", num_hidden_layers=5), (2, 20)),
}
# What ModelConfig can say and transformers' config cannot, by layer.
LAYERS = {"layers-of-their-own": {
    1: dict(num_attention_heads=6, num_key_value_heads=3, intermediate_size=32),
    2: "no attention",
    3: "no mlp",
    4: dict(num_attention_heads=2, num_key_value_heads=1, intermediate_size=112),
}}


def built(name, config):
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    for index, change in LAYERS.get(name, {}).items():
        layer = model.model.layers[index]
        if change == "no attention":
            without_attention(layer)
        elif change == "no mlp":
            without_mlp(layer)
        else:
            other = type(config)(**{**config.to_dict(), **change})
            other._attn_implementation = "eager"
            replacement = type(layer)(other, index)
            layer.self_attn, layer.mlp = replacement.self_attn.eval(), replacement.mlp.eval()
    with torch.no_grad():
        fill(model, around_zero=config.model_type in ("gemma", "gemma2", "gemma3_text", "nemotron"))
    return model


def padding_agrees(model, ids, logits):
    """Transformers itself gives a padded row what it gives the row alone (dynamic RoPE aside, which it bends by the longest row)."""
    short = ids.shape[1] - 5
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    shifted = torch.cat([torch.zeros_like(ids[:1, :5]), ids[:1, :short]], 1)
    out = model(torch.cat([shifted, ids[1:]]), attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    assert (out[0, 5:] - logits[0, :short]).abs().max() < 2e-5


cases, blob = [], []
for number, (name, (config, (rows, tokens))) in enumerate(CASES.items()):
    model = built(name, config)
    ids = torch.from_numpy((weight(name, (rows, tokens)).numpy() * 128 + 128).astype(np.int64)) % VOCAB
    with torch.no_grad():
        logits = model(ids).logits
        if "dynamic" not in name:
            padding_agrees(model, ids, logits)
        half = model.to(torch.bfloat16)(ids).logits
    text = json.loads(config.to_json_string(use_diff=True))
    text["architectures"] = [type(model).__name__]
    case = {"name": name, "config": json.dumps(text), "ids": ids.tolist()}
    if name in LAYERS:
        case["layers"] = LAYERS[name]
    cases.append(case)
    blob += [logits.numpy().astype("<f4").tobytes(), half.view(torch.int16).numpy().astype("<i2").tobytes()]
    gap = torch.cosine_similarity(half.float().flatten(), logits.flatten(), 0).item()
    print(f"{name:24} sd {logits.std():.3f}  cosine bf16 {gap:.6f}")

lines = ",\n".join(json.dumps(case) for case in cases)
(here / "cases.json").write_text(f"[\n{lines}\n]\n")
(here / "logits.bin").write_bytes(b"".join(blob))
