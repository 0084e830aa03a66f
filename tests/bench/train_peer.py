"""A plain training loop over transformers, for train.py: train_peer.py JOB

JOB is a JSON object: teacher (a folder, or null), student, ids (a JSON file of rows of tokens, a step's after a step's), batch, lr. Each line on
stdin asks for the next step of the loop; on stdout come its loss and seconds. After the last it prints the peak memory, and the seconds of a step's
matrix products alone: those of the layers and of the head, forward and twice for gradients, without attention's own.
"""

import json
import resource
import sys
import time

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import AutoModelForCausalLM

CHUNK = 256  # rows of logits at a time in the products alone


def model_of(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def loss_of(student, teacher, inputs, labels):
    logits = student(inputs, use_cache=False).logits.flatten(0, 1)
    if teacher is None:
        return cross_entropy(logits, labels.flatten())
    with torch.no_grad():
        taught = teacher(inputs, use_cache=False).logits.flatten(0, 1)
    divergence = kl_div(log_softmax(logits, -1), log_softmax(taught, -1), log_target=True, reduction="sum")
    return divergence / logits.shape[0]


def shapes_of(model):
    return [tuple(module.weight.shape) for module in model.model.layers.modules() if isinstance(module, torch.nn.Linear)]


def product_seconds(layers, head, tokens, learns):
    """Of random numbers, as zeros would flatter."""
    total = 0.0
    for out, width in [*layers, head]:
        rows = min(tokens, CHUNK) if (out, width) == head else tokens
        weight, x, y = torch.randn(out, width), torch.randn(rows, width), torch.randn(rows, out)
        into = torch.randn(out, width)
        began = time.perf_counter()
        for _ in range(0, tokens, rows):
            torch.mm(x, weight.t(), out=y)
            if learns:
                torch.mm(y, weight)
                into.addmm_(y.t(), x)
        total += time.perf_counter() - began
    return total


def head_of(model):
    return tuple(model.get_output_embeddings().weight.shape)


def main():
    job = json.loads(sys.argv[1])
    with open(job["ids"]) as file:
        rows = torch.tensor(json.load(file))
    student = model_of(job["student"]).train()
    teacher = model_of(job["teacher"]).eval() if job["teacher"] else None
    optimizer = torch.optim.AdamW(student.parameters(), lr=job["lr"], betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step, _ in enumerate(sys.stdin):
        batch = rows[step * job["batch"] : (step + 1) * job["batch"]]
        began, processor = time.perf_counter(), time.process_time()
        loss = loss_of(student, teacher, batch[:, :-1], batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        answer = {"loss": loss.item(), "seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
        print(json.dumps(answer), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tokens = batch[:, :-1].numel()
    parts = [(shapes_of(student), head_of(student), True)]
    if teacher is not None:
        parts.append((shapes_of(teacher), head_of(teacher), False))
    del optimizer, loss
    best = min(sum(product_seconds(layers, head, tokens, learns) for layers, head, learns in parts) for _ in range(3))
    print(json.dumps({"peak": peak, "floor": best}), flush=True)


main()
