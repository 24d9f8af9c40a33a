"""`lowerbound.encode` and `generate` on untrained networks of `shapes`: CASE DATA WEIGHTS."""

import sys

import torch

import lowerbound as lb
from sides.shapes import Case, load, timed
from sides.with_lowerbound import build


def main() -> None:
    case, (x, _) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    model = build(case).eval()
    timed(
        encode=lambda: lb.encode(model, x),
        generate=lambda: lb.generate(model, len(x), draw=False, seed=0),
    )


if __name__ == "__main__":
    main()
