#!/usr/bin/env python3
"""A small train.distill on the device beside the same on the CPU, on one rank and on two: same_training.py PROGRAM

What is trained must come out the same within what another order of fp32's sums makes of it.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "plugins/train"))
from stages import Bench, gap, tensors  # noqa: E402

CLOSE = 2e-3  # of each tensor's length, after twelve steps at a large rate


def compare(bench):
    here = tensors(bench.out(bench.distil("device=cpu"), "model"))
    worst = 0.0
    for words in ((), ("ranks=2", "parallel.data=2"), ("ranks=2", "parallel.tensor=2"), ("ranks=2", "parallel.pipeline=2")):
        answer = bench.distil("device=cuda", *words)
        apart = gap(tensors(bench.out(answer, "model")), here)
        report = bench.report(answer)
        print(f"{' '.join(words) or 'one rank'}: apart by {apart:.1e}, {report['peak_memory_bytes'] / 1e6:.1f} MB of the device")
        assert report["device"].startswith("cuda"), report
        worst = max(worst, apart)
    assert worst <= CLOSE, f"apart by {worst:.1e}, {CLOSE:.0e} allowed"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="train-") as place:
        try:
            compare(Bench(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(place)))
        finally:
            subprocess.run(["chmod", "-R", "u+w", place], check=False)
