"""`lowerbound.fit` under given settings, for `time_to_quality.py`: CASE DATA WEIGHTS SETTINGS."""

import json
import sys
import time
from dataclasses import replace

import torch

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.data import Data, Examples
from sides.shapes import Case, load
from sides.with_lowerbound import build, leave, schema_of


def main() -> None:
    case, (examples, held_out) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    model = build(case)
    parts = Examples(examples), Examples(held_out), Examples(held_out)
    data = Data(schema_of(case), *parts, source=case.name)
    own = assemble("vae", data.schema, examples=len(examples)).training
    settings = replace(own, patience=None, **json.loads(sys.argv[4]))
    began = time.perf_counter()
    lb.fit(model, lb.ELBO(), data, settings, seed=0)
    seconds = time.perf_counter() - began
    leave(model, case, sys.argv[3])
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
