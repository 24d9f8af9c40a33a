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
from speed import CASES, at_hand, rows_of

NAMES = ("mlp", "defaults", "table", "convolutional-28", "convolutional-64", "iwae-50", "large")
PRODUCTS = {
    "aten::mm", "aten::addmm", "aten::bmm", "aten::mkldnn_convolution",
    "aten::convolution_backward", "aten::_slow_conv2d_forward", "aten::slow_conv_transpose2d",
    "aten::slow_conv_dilated2d", "aten::_convolution",
}  # fmt: skip
OPTIMISER = {
    "aten::_fused_adam_", "aten::lerp_", "aten::linalg_vector_norm", "aten::_foreach_norm",
    "aten::_foreach_mul_", "aten::_foreach_add_", "aten::_foreach_lerp_",
}  # fmt: skip
SHARES = ("products", "optimiser", "other kernels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="mnist")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.images = at_hand(given.images)
    record: dict[str, Any] = {
        "compares": "milliseconds of one update, the lesser of two times, and the shares of its "
        "parts, which torch's profiler found apart from them",
        "images": given.images,
        "threads": given.threads,
        "seed": 0,
        "cases": {},
    }
    path = results.DIRECTORY / "where_time_goes.json"
    if path.exists() and set(given.only) != set(NAMES):  # the other cases stay as they were
        record["cases"] = json.loads(path.read_text())["cases"]
    torch.manual_seed(0)
    for name in given.only:
        case = replace(CASES[name][0], threads=given.threads, compile="off")
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
        record["cases"][name] = found | most(name, given.threads, found)
        print(name, json.dumps(record["cases"][name], indent=1))
        results.write("where_time_goes", record)


def parts(train: Callable[..., Any], case: Case, x: torch.Tensor, held_out: torch.Tensor) -> Any:
    """One side: milliseconds an update, in all and by what they are spent on.

    What is done once is in a training of one epoch as in one of two: the difference is without.
    """
    one, two = replace(case, epochs=1), replace(case, epochs=2)
    between = -(-len(x) // case.batch)
    keep = train(one, x[: case.batch], held_out)

    def seconds(which: Case) -> float:
        began = time.perf_counter()
        train(which, x, held_out)
        return time.perf_counter() - began

    whole = min(1e3 * (seconds(two) - seconds(one)) / between for _ in range(2))
    few, many = (watched(lambda which=which: seconds(which)) for which in (one, two))
    spent = {kind: many[kind] - few[kind] for kind in many}
    shares = {kind: spent[kind] / spent["seconds"] for kind in SHARES}
    # and watching itself, so that the others' shares are a little too small
    shares["Python and dispatch"] = 1.0 - sum(shares.values())
    return {
        "precision": getattr(keep, "precision", "float32"),
        "ms_an_update": round(whole, 3),
        "shares": {name: round(share, 3) for name, share in shares.items()},
        "ms_of_products": round(whole * shares["products"], 3),
        "calls_of_torch_nested_ones_too": round(spent["calls"] / between),
    }


def watched(run: Callable[[], float]) -> dict[str, float]:
    """Seconds of a run under torch's profiler, those of its operations by kind, and their count."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        seconds = run()
    found = {**dict.fromkeys(SHARES, 0.0), "calls": 0.0, "seconds": seconds}
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            kind = "products" if event.key in PRODUCTS else "other kernels"
            kind = "optimiser" if event.key in OPTIMISER else kind
            found[kind] += event.self_cpu_time_total / 1e6
            found["calls"] += event.count
    return found


def most(name: str, threads: int, found: dict[str, Any]) -> dict[str, Any]:
    """The most that could be gained on pythae if an update were nothing but its products.

    pythae's seconds are of its least turn, and hold its validation of each epoch, some hundredths.
    """
    path = results.DIRECTORY / "speed.json"
    speed = json.loads(path.read_text())["cases"].get(name, {}) if path.exists() else {}
    theirs = speed.get("sides", {}).get("pythae")
    if theirs is None or speed.get("threads") != threads:
        return {}
    each = 1e3 * min(theirs["seconds"]) / speed["updates"]
    return {
        "pythae_ms_an_update": round(each, 3),
        "most_times_faster_than_pythae": {
            found[side]["precision"]: round(each / found[side]["ms_of_products"], 2)
            for side in ("lowerbound, float32", "lowerbound")
        },
    }


if __name__ == "__main__":
    main()
