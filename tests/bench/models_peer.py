"""What transformers does to import, open and measure a model, for models.py: models_peer.py JOB ARGUMENTS...

Prints one JSON object: what came out, for the comparison, and the seconds of the work itself.
"""

import json
import pathlib
import sys
import time


def ids_of(text_file, tokenizer_folder, characters):
    from tokenizers import Tokenizer

    text = pathlib.Path(text_file).read_text(encoding="utf-8")[: int(characters)]
    tokenizer = Tokenizer.from_file(str(pathlib.Path(tokenizer_folder) / "tokenizer.json"))
    return tokenizer.encode(text, add_special_tokens=False).ids


def model_of(folder):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def import_gguf(file):
    """Into memory: transformers 5 refuses to save what it read from a GGUF file."""
    import hashlib

    import torch
    from transformers import AutoModelForCausalLM

    file = pathlib.Path(file)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    digest = hashlib.sha256()
    for _, tensor in sorted(model.named_parameters()):
        digest.update(tensor.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return {"digest": digest.hexdigest()}


def first_logit(folder, *ids):
    import torch

    with torch.inference_mode():
        logits = model_of(folder)(torch.tensor([[int(one) for one in ids]])).logits[0, -1]
    top = torch.topk(logits, 5)
    return {"ids": top.indices.tolist(), "logits": top.values.tolist()}


def perplexity(folder, text, characters, rows, length):
    import torch

    rows, length = int(rows), int(length)
    model = model_of(folder)
    ids = torch.tensor(ids_of(text, folder, characters)[: rows * length]).view(rows, length)
    total = 0.0
    with torch.inference_mode():
        model(ids[:4])
        began = time.perf_counter()
        for part in ids.split(4):
            logits = model(part).logits[:, :-1].float()
            total += torch.nn.functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="sum").item()
        seconds = time.perf_counter() - began
    return {"nll": total / (rows * (length - 1)), "seconds": seconds, "products": products(model.config, rows, length)}


def products(config, rows, length):
    """The matrix products of that pass and nothing else: no implementation is faster."""
    import torch

    hidden, ffn, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    head = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), (hidden, ffn), (hidden, ffn), (ffn, hidden)]
    tokens = 4 * length
    with torch.inference_mode():
        matrices = [(torch.randn(tokens, a), torch.randn(b, a)) for a, b in shapes]
        q = torch.randn(4 * config.num_attention_heads, length, head)
        top = torch.randn(config.vocab_size, hidden)
        state = torch.randn(tokens, hidden)

        def once():
            for _ in range(layers):
                for left, right in matrices:
                    torch.nn.functional.linear(left, right)
                torch.bmm(torch.bmm(q, q.transpose(1, 2)), q)
            torch.nn.functional.linear(state, top)

        once()
        began = time.perf_counter()
        for _ in range(rows // 4):
            once()
        seconds = time.perf_counter() - began
    flops = 2 * tokens * (layers * (sum(a * b for a, b in shapes) + 2 * config.num_attention_heads * head * length) + config.vocab_size * hidden)
    return {"seconds": seconds, "flops": flops * (rows // 4)}


JOBS = {"import": import_gguf, "first": first_logit, "perplexity": perplexity}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](*sys.argv[2:])))
