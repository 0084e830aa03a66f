#!/usr/bin/env python3
"""Tiny GGUF models of each architecture, and the digests of the tensors that transformers makes of them.

models.py FOLDER, with gguf 0.19.0, transformers 5.17.0, torch 2.11 and accelerate. NAME.gguf is written by the package gguf;
NAME.json holds, of each Hugging Face name, the SHA-256 of the SHA-256 of its bf16 bytes. transformers does not read Gemma 1,
Granite and a model in several files: there the norms' 1 is taken off, and the rows of q and k are put in order, here.
"""
import hashlib
import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

KINDS = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.F16, Type.BF16]


def byte_alphabet():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + i) for i, byte in enumerate(rest)}}


def byte_level(writer, pre, specials_first):
    base = list(byte_alphabet().values())
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "w"), ("1", "2")]
    base += ["".join(merge) for merge in merges]
    specials = [("<s>", 3), ("</s>", 3), ("<think>", 4)]
    tokens = [(token, 1) for token in base]
    tokens = specials + tokens if specials_first else tokens + specials
    tokens += [(f"[PAD{i}]", 5) for i in range(len(tokens), 272)]
    names = [token for token, _ in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(names.index("<s>"))
    writer.add_eos_token_id(names.index("</s>"))
    writer.add_chat_template("{{ messages }}")
    return len(tokens)


def sentencepiece(writer, prefix):
    tokens = [("<unk>", 2, 0.0), ("<s>", 3, 0.0), ("</s>", 3, 0.0)] + [(f"<0x{byte:02X}>", 6, 0.0) for byte in range(256)]
    pieces = ["▁h", "el", "lo", "▁hel", "▁hello", "ll", "▁w", "▁", "h", "e", "l", "o", "w", "é", "▁he"]
    tokens += [(piece, 1, -float(i)) for i, piece in enumerate(pieces)]
    tokens += [("  ", 4, -20.0), ("<turn>", 4, 0.0)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token for token, _, _ in tokens])
    writer.add_token_scores([score for _, _, score in tokens])
    writer.add_token_types([kind for _, kind, _ in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(prefix)
    return len(tokens)


def llama3_factors(dim, theta, factor, low, high, length):
    wave = 2 * np.pi * theta ** (np.arange(0, dim, 2) / dim)
    smooth = (length / wave - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    return np.where(wave < length / high, 1, np.where(wave > length / low, factor, between)).astype(np.float32)


# NAME: architecture, class, config of the class, what the writer is told besides.
SHAPE = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=64,
             max_position_embeddings=512)
MODELS = {
    "llama": ("llama", "Llama", {"num_hidden_layers": 2}, lambda w: byte_level(w, "smollm", True)),
    "llama3": ("llama", "Llama", {"rope_theta": 500000.0}, lambda w: byte_level(w, "llama-bpe", False)),
    "mistral": ("llama", "Mistral", {}, lambda w: (w.add_sliding_window(64), sentencepiece(w, True))[1]),
    "qwen2": ("qwen2", "Qwen2", {"head_dim": 8, "tie_word_embeddings": True}, lambda w: byte_level(w, "qwen2", False)),
    "qwen3": ("qwen3", "Qwen3", {"tie_word_embeddings": True}, lambda w: byte_level(w, "qwen2", False)),
    "gemma": ("gemma", "Gemma", {"tie_word_embeddings": True}, lambda w: sentencepiece(w, False)),
    "gemma2": ("gemma2", "Gemma2", {"tie_word_embeddings": True}, lambda w: sentencepiece(w, False)),
    "gemma3": ("gemma3", "Gemma3", {"num_hidden_layers": 2, "rope_theta": 1e6, "tie_word_embeddings": True}, lambda w: sentencepiece(w, False)),
    "nemotron": ("nemotron", "Nemotron", {}, lambda w: sentencepiece(w, True)),
    "split": ("llama", "Llama", {"tie_word_embeddings": True}, lambda w: byte_level(w, "smollm", True)),
    "granite": ("granite", "Granite", {"head_dim": 8, "tie_word_embeddings": True}, lambda w: byte_level(w, "refact", True)),
}


def extra_keys(name, writer):
    if name == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(16, 500000.0, 8.0, 1.0, 4.0, 8192))
    if name == "qwen3":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(4.0)
        writer.add_rope_scaling_orig_ctx_len(128)
    if name == "granite":
        writer.add_attention_scale(0.015625)
        writer.add_embedding_scale(12.0)
        writer.add_residual_scale(0.22)
        writer.add_logit_scale(8.0)
    if name in ("gemma2", "gemma3"):
        writer.add_sliding_window(64)
    if name == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
    if name == "gemma3":
        writer.add_sliding_window_pattern(2)
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(8.0)


def write(name, folder):
    torch.manual_seed(len(name))
    architecture, kind, changes, tokenizer = MODELS[name]
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=9 if name == "split" else 0)
    vocab = tokenizer(writer)
    shape = {**SHAPE, **changes, "vocab_size": vocab}
    heads, kv_heads, dim = shape["num_attention_heads"], shape["num_key_value_heads"], shape["head_dim"]
    writer.add_context_length(shape["max_position_embeddings"])
    writer.add_embedding_length(shape["hidden_size"])
    writer.add_block_count(shape["num_hidden_layers"])
    writer.add_feed_forward_length(shape["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    if name == "nemotron":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5 if architecture == "llama" else 1e-6)
    writer.add_rope_freq_base(shape.get("rope_theta", 10000.0))
    writer.add_rope_dimension_count(dim // 2 if name == "nemotron" else dim)
    if name != "qwen2":
        writer.add_key_length(dim)
        writer.add_value_length(dim)
    extra_keys(name, writer)
    model_class = getattr(transformers, f"{kind}ForCausalLM")
    config = model_class.config_class(**shape)
    model = model_class(config)
    names = gguf.get_tensor_name_map(next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == architecture), 2)
    random = np.random.default_rng(7)
    hf_names = {}
    for i, hf_name in enumerate(key for key in model.state_dict() if key != "lm_head.weight" or not config.tie_word_embeddings):
        weight = model.state_dict()[hf_name]
        base, suffix = hf_name.rsplit(".", 1)
        ours = f"{names.get_name(base)}.{suffix}"
        hf_names[ours] = hf_name
        values = random.standard_normal(tuple(weight.shape)).astype(np.float32)
        if values.ndim == 1:
            writer.add_tensor(ours, values)
            continue
        block = KINDS[i % len(KINDS)]
        writer.add_tensor(ours, gguf.quantize(values, block), raw_dtype=block)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    if name in ("gemma", "granite", "split"):
        tensors = {}
        files = sorted(folder.glob("split-*")) if name == "split" else [path]
        for tensor in (tensor for file in files for tensor in gguf.GGUFReader(file).tensors):
            values = gguf.dequantize(tensor.data, tensor.tensor_type)
            if name == "gemma" and "norm" in tensor.name:
                values = values - 1
            count = {"attn_q": heads, "attn_k": kv_heads}.get(tensor.name.split(".")[-2]) if name != "gemma" else None
            if count:  # neighbours there, halves here
                values = values.reshape(count, dim // 2, 2, -1).swapaxes(1, 2).reshape(values.shape)
            tensors[hf_names[tensor.name]] = torch.tensor(values)
    else:
        if name == "mistral":  # the same tensors; transformers looks for an architecture of that name
            model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
        tensors = load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)["tensors"]
    assert set(tensors) == set(hf_names.values()), set(tensors) ^ set(hf_names.values())
    digests = {}
    for hf_name, tensor in sorted(tensors.items()):
        data = tensor.to(torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes()
        digests[hf_name] = hashlib.sha256(hashlib.sha256(data).digest()).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps(digests, indent=0) + "\n")


for each in MODELS:
    write(each, pathlib.Path(sys.argv[1]))
