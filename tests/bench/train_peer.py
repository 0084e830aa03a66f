"""A plain training loop over transformers, for train.py, or TRL's GKD trainer: train_peer.py JOB

JOB is a JSON object: teacher (a folder, or null), student, ids (a JSON file of rows of tokens, a step's after a step's), batch, lr, and trl: nothing for
the plain loop, or the folder of a tokenizer, which TRL's trainer wants to hold and here never asks. Each line on stdin asks for the next step; on stdout
come its loss and seconds. After the last it prints the peak memory and, after the plain loop, the seconds of a step's matrix products alone: those of
the layers and of the head, forward and twice for gradients, without attention's own.
"""

import json
import resource
import sys
import tempfile
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


def told(loss, began, processor):
    answer = {"loss": loss.item(), "seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    print(json.dumps(answer), flush=True)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def gkd(job, rows, student, teacher, steps):
    """Its steps on given texts alone (lmbda 0) by the forward divergence (beta 0), every token but a row's first a completion."""
    from datasets import Dataset
    from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
    from trl.trainer.gkd_trainer import GKDConfig, GKDTrainer

    class Watch(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.began, self.processor = time.perf_counter(), time.process_time()

        def on_step_end(self, *_, **__):
            told(trainer.loss, self.began, self.processor)

    class InOrder(GKDTrainer):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

        def training_step(self, *words):
            self.loss = super().training_step(*words)
            return self.loss

    def collate(examples):
        ids = torch.tensor([example["input_ids"] for example in examples])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids, "prompts": ids[:, :1]}

    with tempfile.TemporaryDirectory() as folder:
        args = GKDConfig(folder, per_device_train_batch_size=job["batch"], max_steps=steps, learning_rate=job["lr"], lr_scheduler_type="constant",
                         adam_beta2=0.95, weight_decay=0.1, max_grad_norm=1.0, lmbda=0.0, beta=0.0, temperature=1.0, bf16=False, use_cpu=True,
                         gradient_checkpointing=False, report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True)  # fmt: skip
        trainer = InOrder(student, teacher, args, collate, Dataset.from_dict({"input_ids": rows.tolist()}),
                          processing_class=AutoTokenizer.from_pretrained(job["trl"]), callbacks=[Watch()])  # fmt: skip
        trainer.remove_callback(PrinterCallback)  # stdout is ours
        trainer.train()
    print(json.dumps({"peak": peak_memory()}), flush=True)


def main():
    job = json.loads(sys.argv[1])
    with open(job["ids"]) as file:
        rows = torch.tensor(json.load(file))
    student = model_of(job["student"]).train()
    teacher = model_of(job["teacher"]).eval() if job["teacher"] else None
    if job["trl"]:
        gkd(job, rows, student, teacher, len(sys.stdin.readlines()))
        return
    optimizer = torch.optim.AdamW(student.parameters(), lr=job["lr"], betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step, _ in enumerate(sys.stdin):
        batch = rows[step * job["batch"] : (step + 1) * job["batch"]]
        began, processor = time.perf_counter(), time.process_time()
        loss = loss_of(student, teacher, batch[:, :-1], batch[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        told(loss, began, processor)
    peak = peak_memory()
    tokens = batch[:, :-1].numel()
    parts = [(shapes_of(student), head_of(student), True)]
    if teacher is not None:
        parts.append((shapes_of(teacher), head_of(teacher), False))
    del optimizer, loss
    best = min(sum(product_seconds(layers, head, tokens, learns) for layers, head, learns in parts) for _ in range(3))
    print(json.dumps({"peak": peak, "floor": best}), flush=True)


main()
