"""Twenty AdamW steps of distilling tiny models, by a plain PyTorch loop over transformers' models.

Writes expected.json beside this script: of each case and step the mean KL and CE, their weighted sum, the length of the gradient before it
is clipped and the learning rate; the length of each weight after the last step; all of it in fp64, and `fp32`, how far the same loop in
fp32 comes from that, relatively. Models are those of ../models, the teacher's weights 1.25 times as large. The text is one document of
numbers by the rule of `weight` in ../models/make.py, whose samples come in megatron-core's order.

Made with torch 2.11 and transformers 5.17: python make.py
"""

import json
import math
import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

here = pathlib.Path(__file__).parent
STEPS, BATCH, LENGTH, WARMUP = 20, 4, 16, 4
LR, MIN_LR, DECAY, CLIP, CE_WEIGHT = 1e-3, 1e-4, 0.1, 1.0, 0.5
TOKENS, SEED = 1601, 1234
configs = {case["name"]: json.loads(case["config"]) for case in json.loads((here.parent / "models" / "cases.json").read_text())}
VOCAB = 64
CASES = {"tied": ("llama-tied", "qwen3"), "untied": ("llama", "qwen3")}


def weight(name, shape):
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


def samples():
    """One document, read once: megatron-core shuffles nothing but its samples."""
    ids = (weight("text", (TOKENS,)) * 128 + 128).long() % VOCAB
    order = np.arange((TOKENS - 1) // LENGTH, dtype=np.uint32)
    np.random.RandomState(SEED).shuffle(order)
    rows = torch.stack([ids[n * LENGTH : n * LENGTH + LENGTH + 1] for n in order.tolist()])
    return rows[: STEPS * BATCH].view(STEPS, BATCH, LENGTH + 1)


def made(name, scale, dtype):
    text = configs[name]
    config = CONFIG_MAPPING[text["model_type"]].from_dict(text)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # a tied head is the embedding, and comes once
            value = weight(name, parameter.shape)
            if "norm" in name:
                value = 1 + (value / 4 * 128).round() / 128
            elif "embed_tokens" not in name and "lm_head" not in name:
                value = value / 4
            parameter.copy_(value * scale)
    return model.to(dtype)


def rate(step):
    if step <= WARMUP:
        return LR * step / WARMUP
    share = (step - WARMUP) / (STEPS - WARMUP)
    return MIN_LR + (1 + math.cos(math.pi * share)) / 2 * (LR - MIN_LR)


def train(student_name, teacher_name, dtype):
    student, teacher = made(student_name, 1, dtype), made(teacher_name, 1.25, dtype)
    matrices = [p for p in student.parameters() if p.dim() > 1]
    others = [p for p in student.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.95), eps=1e-8
    )
    steps = []
    for number, rows in enumerate(samples()):
        ids, labels = rows[:, :-1], rows[:, 1:]
        with torch.no_grad():
            log_p = torch.log_softmax(teacher(ids).logits, -1)
        log_q = torch.log_softmax(student(ids).logits, -1)
        kl = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
        ce = -log_q.gather(-1, labels[..., None]).mean()
        total = kl + CE_WEIGHT * ce
        optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = rate(number + 1)
        optimizer.step()
        steps.append(dict(kl=kl.item(), ce=ce.item(), total=total.item(), norm=norm.item(), lr=rate(number + 1)))
    return steps, {name: p.detach().double().norm().item() for name, p in student.named_parameters()}


def gap(one, other):
    return abs(one - other) / abs(other)


def main():
    out = {}
    for name, (student, teacher) in CASES.items():
        steps, lengths = train(student, teacher, torch.float64)
        in_fp32, lengths_fp32 = train(student, teacher, torch.float32)
        worst = max(gap(a[key], b[key]) for a, b in zip(in_fp32, steps) for key in ("kl", "ce", "total", "norm"))
        worst_length = max(gap(lengths_fp32[weight], lengths[weight]) for weight in lengths)
        out[name] = dict(student=student, teacher=teacher, steps=steps, lengths=lengths, fp32=max(worst, worst_length))
        print(name, steps[0], steps[-1], worst, worst_length, sep="\n")
    (here / "expected.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
