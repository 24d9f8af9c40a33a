"""Where the time of an update goes, ours and plain PyTorch's: why it is as fast as it is.

The products (matrix products and convolutions, there and back) are the work that a model asks for;
all else is overhead, of which kernels over cells, the optimiser and Python are parts. A training
cannot be faster than its products: what pythae's update takes, from results/speed.json, divided by
our products alone is the most that any engine could gain on it in that precision.

    python benchmarks/where_time_goes.py [--images mnist:FOLDER] [--threads 2]
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import results
import torch
from sides import with_lowerbound, with_torch
from sides.shapes import Case
from speed import CASES, rows_of

NAMES = ("mlp", "defaults", "table", "convolutional-28", "convolutional-64", "iwae-50", "large")
PRODUCTS = {
    "aten::mm", "aten::addmm", "aten::bmm", "aten::mkldnn_convolution",
    "aten::convolution_backward", "aten::_slow_conv2d_forward", "aten::slow_conv_transpose2d",
    "aten::slow_conv_dilated2d",
}  # fmt: skip
OPTIMISER = {
    "aten::_fused_adam_",
    "aten::lerp_",
    "aten::_foreach_lerp_",
    "aten::linalg_vector_norm",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="mnist")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    record: dict[str, Any] = {
        "compares": "milliseconds of one update and its parts: the least of three trainings, and "
        "what torch's profiler found in a fourth",
        "threads": given.threads,
        "seed": 0,
        "cases": {},
    }
    for name in given.only:
        case = replace(CASES[name][0], threads=given.threads, epochs=1, compile="off")
        rows = rows_of(case, given.images)
        train, held_out = (torch.from_numpy(rows[part]) for part in ("train", "held_out"))
        case = replace(case, rows=len(train))
        sides: dict[str, tuple[Callable[..., Any], Case]] = {
            "lowerbound": (with_lowerbound.train, case),
            "lowerbound, float32": (with_lowerbound.train, replace(case, precision="float32")),
            "torch": (with_torch.train, case),
        }
        found = {
            side: parts(train_one, chosen, train, held_out[:2])
            for side, (train_one, chosen) in sides.items()
        }
        record["cases"][name] = found | most(name, found)
        print(name, json.dumps(record["cases"][name], indent=1))
        results.write("where_time_goes", record)


def parts(train: Callable[..., Any], case: Case, x: torch.Tensor, held_out: torch.Tensor) -> Any:
    """One side: milliseconds an update, in all and by what they are spent on."""
    updates = -(-len(x) // case.batch)
    train(case, x[: case.batch], held_out)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        keep = train(case, x, held_out)
        times.append(1e3 * (time.perf_counter() - began) / updates)
    whole = min(times)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        train(case, x, held_out)
    told = {"products": 0.0, "optimiser": 0.0, "other kernels": 0.0}
    calls = 0
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            kind = "products" if event.key in PRODUCTS else "other kernels"
            kind = "optimiser" if event.key in OPTIMISER else kind
            told[kind] += event.self_cpu_time_total / 1e3 / updates
            calls += event.count
    # being watched, an operation takes longer: what is left over is a little more than this
    told["Python and dispatch"] = max(0.0, whole - sum(told.values()))
    return {
        "precision": getattr(keep, "precision", "float32"),
        "ms_an_update": round(whole, 3),
        "parts_ms": {name: round(ms, 3) for name, ms in told.items()},
        "products_share": round(told["products"] / whole, 3),
        "operations_called": round(calls / updates),
    }


def most(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """The most that could be gained on pythae if an update were nothing but its products."""
    path = results.DIRECTORY / "speed.json"
    speed = json.loads(path.read_text())["cases"].get(name, {}) if path.exists() else {}
    theirs = speed.get("sides", {}).get("pythae")
    if theirs is None:
        return {}
    each = 1e3 * min(theirs["seconds"]) / speed["updates"]
    return {
        "pythae_ms_an_update": round(each, 3),
        "most_times_faster_than_pythae": {
            found[side]["precision"]: round(each / found[side]["parts_ms"]["products"], 2)
            for side in ("lowerbound, float32", "lowerbound")
        },
    }


if __name__ == "__main__":
    main()
