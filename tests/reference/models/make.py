"""Tiny random models of every family and variation, and what transformers computes with them.

Writes cases.json (config, ids, what was changed by hand; of a multimodal model also the names under which its decoder is saved, by
those that it has alone, and the names and shapes of the rest), logits.bin (fp32 logits of each case in order, then its bf16 logits) and
gradients.json beside this script. Of the gradient of the mean loss over all next tokens each tensor has two numbers there: its length,
and its product with the numbers that the rule gives to its name and "'". Weights are not stored: both sides make them from their names
by the rule of `weight` below.

Made with torch 2.11 and transformers 5.17: python make.py
"""

import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
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
        if is_other(name):
            continue
        name = name.replace("model.language_model.", "model.")
        value = weight(name, tensor.shape)
        if "norm" in name:
            value = value / 4
            if name.endswith("weight") and not around_zero:
                value = 1 + (value * 128).round() / 128
        elif "embed_tokens" not in name and "lm_head" not in name:
            value = value / 4
        assert torch.equal(value, value.bfloat16().float())
        tensor.copy_(value)


def is_other(name):
    return any(part in name for part in ("vision_tower", "visual", "multi_modal_projector"))


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


VISION = dict(num_hidden_layers=1, hidden_size=32, intermediate_size=32, num_attention_heads=2, image_size=28, patch_size=14,
              depth=1, num_heads=2)
QWEN_VISION = dict(depth=1, hidden_size=32, intermediate_size=32, num_heads=2, out_hidden_size=48)


def tower_of(model_type, text_type, vision, outer={}, **changes):
    """A multimodal config, as transformers writes it, of a decoder as config_of makes one."""
    text = config_of(text_type, **changes).to_dict()
    return AutoConfig.for_model(model_type, text_config=text, vision_config=vision, **outer)


def flat():
    """As the Hub has Qwen2.5-VL: the decoder's keys at the top, RoPE in the words of transformers 4."""
    return dict(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", vocab_size=VOCAB, hidden_size=48,
                intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
                hidden_act="silu", rms_norm_eps=1e-6, rope_theta=1000000.0, max_window_layers=28, use_sliding_window=False,
                sliding_window=32768, tie_word_embeddings=True, torch_dtype="bfloat16", vision_start_token_id=151652,
                vision_token_id=151654, image_token_id=151655, video_token_id=151656, vision_config=QWEN_VISION,
                rope_scaling=dict(type="mrope", mrope_section=[2, 2, 2]))


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
    "gemma3-vision": (tower_of("gemma3", "gemma3_text", dict(VISION, model_type="siglip_vision_model"),
                               outer=dict(mm_tokens_per_image=4, eos_token_id=[1, 106]), tie_word_embeddings=True,
                               layer_types=["sliding_attention", "full_attention"], sliding_window=6, query_pre_attn_scalar=24), (1, 20)),
    "mistral3-vision": (tower_of("mistral3", "mistral", dict(VISION, model_type="pixtral", head_dim=16),
                                 outer=dict(tie_word_embeddings=False), sliding_window=None, rope_parameters=rope("default", 1e6)), (1, 20)),
    "qwen2-vision": (tower_of("qwen2_vl", "qwen2_vl_text", dict(depth=1, embed_dim=32, hidden_size=48, num_heads=2), head_dim=None,
                              rope_parameters=rope("default", 1e6, mrope_section=[2, 2, 2])), (1, 20)),
    "qwen2.5-vision-flat": (flat(), (1, 20)),
    "qwen3-vision": (tower_of("qwen3_vl", "qwen3_vl_text", dict(QWEN_VISION, deepstack_visual_indexes=[0]),
                              rope_parameters=rope("default", 5e6, mrope_section=[4, 2, 2], mrope_interleaved=True)), (1, 20)),
}
# What ModelConfig can say and transformers' config cannot, by layer.
LAYERS = {"layers-of-their-own": {
    1: dict(num_attention_heads=6, num_key_value_heads=3, intermediate_size=32),
    2: "no attention",
    3: "no mlp",
    4: dict(num_attention_heads=2, num_key_value_heads=1, intermediate_size=112),
}}


def read_flat(text):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(text))
        return AutoConfig.from_pretrained(folder)


def saved_names(model):
    """Of the decoder by the names that it has alone, of the rest with their shapes."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        found = {}
        for file in pathlib.Path(folder).glob("*.safetensors"):
            found.update(load_file(file))
    own = {name.replace("model.language_model.", "model."): value for name, value in model.named_parameters() if not is_other(name)}
    names = {}
    for plain, value in own.items():
        (saved,) = [name for name in found if not is_other(name) and ("." + name).endswith("." + plain.removeprefix("model."))]
        assert torch.equal(found[saved], value)
        names[plain] = saved
    rest = {name: list(value.shape) for name, value in found.items() if name not in names.values()}
    assert all(is_other(name) for name in rest)
    return {"saved": names, "others": rest}


def built(name, config):
    config._attn_implementation = "eager"
    kind = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
    model = kind.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
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
        fill(model, around_zero=config.model_type in ("gemma", "gemma2", "gemma3_text", "gemma3", "nemotron"))
    return model


def padding_agrees(model, ids, logits):
    """Transformers itself gives a padded row what it gives the row alone (dynamic RoPE aside, which it bends by the longest row)."""
    short = ids.shape[1] - 5
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    shifted = torch.cat([torch.zeros_like(ids[:1, :5]), ids[:1, :short]], 1)
    out = model(torch.cat([shifted, ids[1:]]), attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    assert (out[0, 5:] - logits[0, :short]).abs().max() < 2e-5


def gradients_of(model, ids):
    logits = model(ids).logits[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    tensors = {}
    for name, tensor in model.named_parameters():
        if tensor.grad is None:  # of a block that was taken out, or of another tower
            continue
        name = name.replace("language_model.", "")
        gradient = tensor.grad.double()
        tensors[name] = [gradient.norm().item(), (gradient * weight(name + "'", gradient.shape)).sum().item()]
    return {"loss": loss.item(), "tensors": tensors}


cases, blob, gradients = [], [], []
for name, (config, (rows, tokens)) in CASES.items():
    given = config if isinstance(config, dict) else None
    config = read_flat(given) if given else config
    model = built(name, config)
    towers = saved_names(model) if hasattr(config, "vision_config") else {}
    ids = torch.from_numpy((weight(name, (rows, tokens)).numpy() * 128 + 128).astype(np.int64)) % VOCAB
    gradients.append(gradients_of(model, ids))
    with torch.no_grad():
        logits = model(ids).logits
        if "dynamic" not in name and not towers:
            padding_agrees(model, ids, logits)
        half = model.to(torch.bfloat16)(ids).logits
    text = given or json.loads(config.to_json_string(use_diff=True))
    text["architectures"] = [type(model).__name__]
    case = {"name": name, "config": json.dumps(text), "ids": ids.tolist(), **towers}
    if name in LAYERS:
        case["layers"] = LAYERS[name]
    cases.append(case)
    blob += [logits.numpy().astype("<f4").tobytes(), half.view(torch.int16).numpy().astype("<i2").tobytes()]
    gap = torch.cosine_similarity(half.float().flatten(), logits.flatten(), 0).item()
    print(f"{name:24} sd {logits.std():.3f}  cosine bf16 {gap:.6f}")

lines = ",\n".join(json.dumps(case) for case in cases)
(here / "cases.json").write_text(f"[\n{lines}\n]\n")
(here / "gradients.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in gradients) + "\n]\n")
(here / "logits.bin").write_bytes(b"".join(blob))
