#!/usr/bin/env python3
"""The loss over a head beside torch and beside its own matrix products: head.py PROGRAM [ROWS T-WIDTH S-WIDTH WORDS]

PROGRAM is tests/bench/head_bench of the build. STILLROOM_BENCH_VENV names an environment with torch, whose peer is the plain way:
both sides' logits whole, kl_div of two log_softmax, autograd. A round of ours and one of theirs in turn; compared only when
losses and gradients agree. Processor seconds stand beside wall seconds: on a shared machine they say more.
"""

import json
import os
import pathlib
import subprocess
import sys

from measure import mebibytes, median

SHAPE = ["2048", "512", "256", "151936"]
ROUNDS = 5
PEER = """
import json, resource, sys, time
import numpy as np, torch
rows, t_width, s_width, words = map(int, sys.argv[1:])
def made(seed, rows, columns, size):
    x = (np.arange(rows * columns, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed * 40503)).astype(np.uint32)
    x ^= x >> np.uint32(15); x *= np.uint32(2246822519); x ^= x >> np.uint32(13)
    out = ((x >> np.uint32(16)).astype(np.float32) / np.float32(32768) - 1) * np.float32(size)
    return torch.from_numpy(out.reshape(rows, columns))
t_hidden, t_head = made(1, rows, t_width, 1), made(2, words, t_width, 0.2)
s_hidden, s_head = made(3, rows, s_width, 1).requires_grad_(), made(4, words, s_width, 0.2).requires_grad_()
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for line in sys.stdin:
    s_hidden.grad = s_head.grad = None
    wall, processor = time.perf_counter(), time.process_time()
    with torch.no_grad():
        log_p = torch.log_softmax(t_hidden @ t_head.T, -1)
    log_q = torch.log_softmax(s_hidden @ s_head.T, -1)
    loss = torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="sum")
    loss.backward()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    del log_p, log_q
    print(json.dumps({"kl": loss.item(), "hidden": s_hidden.grad.norm().item(), "weight": s_head.grad.norm().item(), "seconds": wall,
        "processor": processor, "extra": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) * 1024}), flush=True)
"""


def close(ours, theirs):
    return all(abs(ours[key] - theirs[key]) <= 1e-4 * abs(theirs[key]) for key in ("kl", "hidden", "weight"))


def main():
    program, shape = pathlib.Path(sys.argv[1]), sys.argv[2:] or SHAPE
    venv = os.environ.get("STILLROOM_BENCH_VENV")
    python = [pathlib.Path(venv) / "bin/python", "-c", PEER, *shape] if venv else None
    peer = python and subprocess.Popen(python, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def theirs():
        peer.stdin.write("again\n")
        peer.stdin.flush()
        return json.loads(peer.stdout.readline())

    if peer:
        theirs()
    rounds, others = [], []
    for _ in range(ROUNDS):
        out = subprocess.run([program, *shape, "1"], check=True, capture_output=True, text=True).stdout
        rounds.append(json.loads(out))
        if peer:
            others.append(theirs())
            if not close(rounds[-1], others[-1]):
                raise SystemExit(f"not the same: {rounds[-1]} and {others[-1]}")
    if peer:
        peer.stdin.close()
        peer.wait()
    missed = False

    def row(what, figure, met):
        nonlocal missed
        missed |= not met
        print(f"| {what:<48} | {figure:<40} |{'' if met else ' missed'} |")

    def ratio(above, below):
        return median(a / b for a, b in zip(above, below))

    for clock, floor in (("seconds", "floor"), ("processor", "floor_processor")):
        ours = [one[clock] for one in rounds]
        share = ratio([one[floor] for one in rounds], ours)
        row(f"head and loss against their products, {clock}", f"{share:.0%}; {median(ours):.2f} s", share >= 0.85)
        if others:
            gain = ratio([one[clock] for one in others], ours)
            row(f"head and loss against torch, {clock}", f"{gain:.1f}x; {median(one[clock] for one in others):.2f} s", gain >= 2)
    extra = max(one["extra"] for one in rounds)
    row("head and loss: memory beside the gradients", f"{mebibytes(extra)}", extra <= 64 << 20)
    if others:
        print(f"torch takes {mebibytes(max(one['extra'] for one in others))} for the same")
    sys.exit(missed)


main()
