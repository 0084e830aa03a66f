"""Losses over a head, and every gradient of them, by PyTorch in fp64.

Writes cases.json (what is asked, the sums over rows that count, as numbers) and slopes.bin (fp32: of each case in order the
gradient of the weighted sum over the student's hidden states, then over its head). Hidden states and heads are not stored:
both sides make them from their names by the rule of `weight` in ../models/make.py, times a power of two.

Made with torch 2.11: python make.py
"""

import json
import pathlib

import numpy as np
import torch

here = pathlib.Path(__file__).parent

TOKENS = 21
torch.set_default_dtype(torch.float64)


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
    n = (x >> np.uint64(56)).astype(np.float64) - 128
    return torch.from_numpy(n.reshape(shape)) / 128


def logits(hidden, head, cap):
    out = hidden @ head.T
    return out if cap is None else cap * torch.tanh(out / cap)


def small(t, z, kl):
    """Log-probabilities of both sides over what is compared: all words, or the top ones and what becomes of the rest."""
    log_p, log_q = torch.log_softmax(t, -1), torch.log_softmax(z, -1)
    if kl.get("top_k") is None:
        return log_p, log_q
    values, ids = torch.topk(log_p, kl["top_k"])
    if kl.get("top_p") is not None:
        before = torch.cumsum(values.exp(), 0) - values.exp()
        keep = (before < kl["top_p"]) | (torch.arange(len(ids)) < kl.get("top_p_min_k", 1))
        ids = ids[keep]
    if kl.get("tail", "bucket") == "renormalise":
        return torch.log_softmax(t[ids], -1), torch.log_softmax(z[ids], -1)
    rest = [torch.log1p(-x[ids].exp().sum())[None] for x in (log_p, log_q)]
    return torch.cat([log_p[ids], rest[0]]), torch.cat([log_q[ids], rest[1]])


def divergence(t, z, kl):
    tau = kl.get("temperature", 1)
    log_p, log_q = small(t / tau, z / tau, kl)
    p, q = log_p.exp(), log_q.exp()
    direction = kl.get("direction", "forward")
    if direction == "forward":
        loss = (p * (log_p - log_q)).sum()
    elif direction == "reverse":
        loss = (q * (log_q - log_p)).sum()
    else:
        beta = kl.get("beta", 0.5)
        log_m = torch.log(beta * p + (1 - beta) * q)
        loss = beta * (p * (log_p - log_m)).sum() + (1 - beta) * (q * (log_q - log_m)).sum()
    return loss * tau**2 if kl.get("scale_t2") else loss


def run(case):
    s_width, t_width = case["widths"]
    s_words, t_words = case["vocab"]
    words = min(s_words, t_words) if "kl" in case else s_words
    s_head = weight("student head", (s_words, s_width)).requires_grad_()
    s_hidden = 2 * weight("student hidden", (TOKENS, s_width))
    t_head, t_hidden = weight("teacher head", (t_words, t_width)), 2 * weight("teacher hidden", (TOKENS, t_width))
    labels = ((weight("labels", (TOKENS,)) + 1) * 128 * 7).long() % words
    labels[case.get("masked", [])] = -1
    if case.get("tied"):
        ids = ((weight("ids", (TOKENS,)) + 1) * 128 * 5).long() % words
        s_hidden = 2 * s_head[ids]
        s_hidden.retain_grad()
    else:
        s_hidden.requires_grad_()
    z, t = logits(s_hidden, s_head, case.get("cap")), logits(t_hidden, t_head, case.get("teacher_cap"))
    z, t = z[:, :words], t[:, :words]
    kl, ce, agreeing = torch.tensor(0.0), torch.tensor(0.0), 0
    for i in range(TOKENS):
        if labels[i] < 0:
            continue
        ce = ce - torch.log_softmax(z[i], -1)[labels[i]]
        if "kl" in case:
            kl = kl + divergence(t[i], z[i], case["kl"])
            agreeing += int(t[i].argmax() == z[i].argmax())
        else:
            agreeing += int(labels[i] == z[i].argmax())
    total = case.get("ce", 0) * ce + (case["kl"].get("weight", 1) * kl if "kl" in case else 0)
    total.backward()
    case["tokens"] = TOKENS
    case["labels"] = labels.tolist()
    case["sums"] = {"kl": kl.item(), "ce": ce.item(), "agreeing": agreeing}
    return [s_hidden.grad, s_head.grad]


def cases():
    widths, vocab = [12, 20], [101, 101]
    masked = [0, 3, 4, 20]

    def case(name, **what):
        return {"name": name, "widths": widths, "vocab": vocab, "masked": masked, **what}

    yield case("cross entropy", ce=1)
    yield case("cross entropy of a longer head", ce=0.5, vocab=[137, 137], cap=3)
    for direction in ("forward", "reverse", "jsd"):
        yield case(direction, kl={"direction": direction})
        yield case(f"{direction} at 2 with cross entropy", ce=0.3, kl={
            "direction": direction, "temperature": 2, "scale_t2": True, "weight": 0.7})
        for tail in ("bucket", "renormalise"):
            yield case(f"{direction} of the top 7, {tail}", ce=0.1, kl={"direction": direction, "top_k": 7, "tail": tail})
    yield case("jsd of a small share", kl={"direction": "jsd", "beta": 0.1})
    yield case("top 7 at half the temperature", ce=1, kl={"top_k": 7, "temperature": 0.5})
    yield case("a nucleus", kl={"top_k": 30, "top_p": 0.4, "top_p_min_k": 3, "tail": "bucket"})
    yield case("the teacher's head is longer", kl={}, vocab=[101, 112], ce=1)
    yield case("the student's head is longer", kl={}, vocab=[112, 101], ce=1)
    yield case("capped", kl={"temperature": 1.5}, cap=2, teacher_cap=3, ce=1)
    yield case("reverse, capped", kl={"direction": "reverse"}, cap=2)
    yield case("no row is left out", kl={}, masked=[])
    yield case("one row counts", kl={}, masked=[i for i in range(TOKENS) if i != 5], ce=1)
    yield case("only logged", kl={"weight": 0}, ce=0.25)
    yield case("tied", kl={}, ce=1, tied=True)


def main():
    done, slopes = [], []
    for case in cases():
        slopes += run(case)
        done.append(case)
    (here / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in done) + "\n]\n")
    (here / "slopes.bin").write_bytes(b"".join(x.to(torch.float32).numpy().tobytes() for x in slopes))


main()
