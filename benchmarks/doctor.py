"""Which diagnoses `lowerbound doctor` makes of runs made ill on purpose, and of healthy ones.

The runs are those of tests/doctor/conftest.py, each trained anew under every seed.

    python benchmarks/doctor.py --seeds 0 1 2
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from results import write

HERE = Path(__file__).parents[1] / "tests" / "doctor"
#: What each ill run must be found to have.
ILL = {
    "collapsed": "posterior collapse",
    "too many units": "unused units",
    "rate for nothing": "worse than no model",
    "scale fixed": "scale out of proportion",
    "copied column": "vanishing scale",
    "constant column": "vanishing scale",
    "overfit": "overfitting",
    "one epoch": "under-training",
    "few epochs": "under-training",
    "spiky": "loss spikes",
    "whole numbers": "counted data under a density",
    "classes as numbers": "counted data under a density",
    "grey levels as floats": "counted data under a density",
    "leaking": "leak between splits",
    "seen wrongly": "heavy-tailed weights",
    "beyond the prior": "rate too high",
}
#: One run may have two illnesses.
SAME = {"seen wrongly": "rate for nothing", "beyond the prior": "rate for nothing"}
HEALTHY = ("digits", "binary", "gaussian", "table", "weighted")


def runs() -> Any:
    """The module that defines and trains the runs."""
    spec = importlib.util.spec_from_file_location("doctor_runs", HERE / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    module = runs()
    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in module.RUNS:
            for seed in seeds:
                path, data = module.trained(Path(folder), name, seed)
                began = time.perf_counter()
                found = module.examine(path, data if name in module.CHANGED else None)
                row = {
                    "run": name,
                    "healthy": name in HEALTHY,
                    "seed": seed,
                    "found": {f.name: f.severity for f in found.findings},
                    "seconds": round(time.perf_counter() - began, 2),
                }
                table.append(row)
                print(name, seed, row["found"], flush=True)
    ill = [
        {"run": name, "diagnosis": wanted, "found": _found(table, SAME.get(name, name), wanted)}
        for name, wanted in ILL.items()
    ]
    healthy = [row for row in table if row["healthy"]]
    summary = {
        "seeds": seeds,
        "ill_found": sum(row["found"] for row in ill),
        "ill": len(ill) * len(seeds),
        "healthy_with_findings": sum(bool(row["found"]) for row in healthy),
        "healthy": len(healthy),
    }
    print(summary)
    write("doctor", {**summary, "diagnoses": ill, "runs": table})


def _found(table: list[dict[str, Any]], run: str, wanted: str) -> int:
    return sum(row["run"] == run and wanted in row["found"] for row in table)


if __name__ == "__main__":
    main()
