"""How fast this machine multiplies matrices, right now: the rate that a large model can reach."""

import json
import sys
import time

import torch

from sides.shapes import Case


def main() -> None:
    case = Case.read(sys.argv[1])
    torch.set_num_threads(case.threads)
    rates = {name: rate(getattr(torch, name)) for name in ("float32", "bfloat16")}
    print(json.dumps({"gflops": rates}))


def rate(dtype: torch.dtype, size: int = 2048) -> float:
    """The best of three seconds of products, GFLOP/s."""
    best = float("inf")
    a, b = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    began = time.perf_counter()
    while time.perf_counter() - began < 3.0:
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


if __name__ == "__main__":
    main()
