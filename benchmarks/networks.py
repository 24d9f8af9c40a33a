"""Which networks, and which law of pixels, should images get by default?

All rows of a set train for the same minutes and are judged by their held-out bound. Small images
(fashion-small) take turns with the clock on the wall. Larger ones, colour 64x64 and grey faces, are
trained on one core with the processor's clock, so that other work beside it does not count: the
fully connected pair and the residual one, and for colours several laws. A Gaussian is a density, so
its data are levels plus uniform noise in [0, 1): its bound is one on log p of the levels, too.

    python benchmarks/networks.py [--minutes M] [--only small]
    python benchmarks/networks.py --only larger --minutes 0.6 --faces ORL_faces --food FOLDER

The folders are those of photographs.py.
"""

import argparse
import math
import shlex
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch
from results import kept, write

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.training import trainer

#: Settings compared, by set; "auto" is what a person gets.
LARGER: dict[str, list[dict[str, Any]]] = {
    "faces": [
        {},
        {"latents": 32},
        {"shift": 0.0},
        {"network": "mlp"},
        {"mirror": False},
        {"likelihood": "logistic-mixture", "likelihood.logistics": 2},
        {"likelihood": "gaussian", "likelihood.scale": "per-dimension"},
    ],
    "food": [
        {},
        {"latents": 32},
        {"shift": 0.0},
        {"network": "mlp"},
        {"likelihood": "discretized-logistic"},
        {"mirror": False},
        {"likelihood": "logistic-mixture", "likelihood.logistics": 3},
        {"likelihood": "gaussian", "likelihood.scale": "per-dimension"},
    ],
}


def main() -> None:
    """Train all rows and write benchmarks/results/networks.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0, help="training time of each run")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=("small", *LARGER), default=["small"])
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--food", type=Path)
    parser.add_argument("--skip", type=int, default=0, help="rows of a set that stand already")
    parser.add_argument("--rows", type=int, default=99, help="how many to add to them")
    options = parser.parse_args()
    small, larger = kept("networks", "small"), kept("networks", "larger")
    if "small" in options.only:
        small = {
            "command": shlex.join(["python", "benchmarks/networks.py", *sys.argv[1:]]),
            "data": "fashion-small",
            "unit": "nats per example",
            "rows": rows_of_small(options),
        }
    torch.set_num_threads(1)
    trainer.time = types.SimpleNamespace(perf_counter=time.process_time)  # pyright: ignore[reportAttributeAccessIssue]
    for name in [one for one in options.only if one in LARGER]:
        size = (64, 64) if name == "food" else None
        data = lb.read(getattr(options, name), image_size=size)
        rows = larger.get(name, {}).get("rows", [])[: options.skip]
        for settings in LARGER[name][options.skip :][: options.rows]:
            rows.append(row_of(data, settings, options.minutes))
            print(name, rows[-1], flush=True)
            larger = kept("networks", "larger")  # another set may have been written meanwhile
            larger[name] = {
                "command": shlex.join(["python", "benchmarks/networks.py", *sys.argv[1:]]),
                "pictures": data.schema.describe(),
                "training_examples": len(data.train),
                "minutes_of_a_core": options.minutes,
                "unit": "bits a cell, held-out",
                "rows": rows,
            }
            write("networks", {"small": small, "larger": larger})
    if "small" in options.only:
        write("networks", {"small": small, "larger": larger})


def row_of(data: Data, settings: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Train with some settings in place of those that are chosen."""
    own = {**settings, "minutes": minutes}
    if settings.get("likelihood") == "gaussian":
        data = dequantised(data)
    made = lb.catalogue.assemble("vae", data.schema, own, examples=len(data.train), seed=0)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    elbo = lb.evaluate(fit.model, data, samples=1).elbo
    bits = -1 / math.prod(data.schema.shape) / math.log(2)
    speed = torch.tensor([epoch.examples_per_second for epoch in fit.history]).median()
    return {
        "changed": settings,
        "epochs": len(fit.history),
        "best_epoch": None if fit.best is None else fit.best.epoch,
        "examples_per_second": round(float(speed), 1),
        "bits": elbo.mean * bits,
        "standard_error": -(elbo.standard_error or 0.0) * bits,
        "bits_of_training": None if fit.best is None else fit.best.train.bound * bits,
    }


def dequantised(data: Data) -> Data:
    """Add uniform noise in [0, 1) to levels, which makes them reals."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for one in (data.train, data.validation, data.test):
        levels = one.few(len(one)).x
        parts.append(Examples(levels + torch.rand(levels.shape, generator=generator)))
    spread, mean = torch.std_mean(parts[0].x)
    field = Field("image", "real", data.schema.shape, mean=(float(mean),), scale=(float(spread),))
    return Data(Schema((field,), data.schema.shape), *parts, source="levels and noise")


def rows_of_small(options: Any) -> list[dict[str, Any]]:
    """Run both networks on small images in turn."""
    data, rows = lb.read("fashion-small"), []
    for seed in range(options.seeds):
        for network in ("mlp", "residual"):
            settings = {"network": network, "minutes": options.minutes}
            made = lb.catalogue.assemble(
                "vae", data.schema, settings, examples=len(data.train), seed=seed
            )
            fit = lb.fit(made.model, made.objective, data, made.training, seed=seed)
            elbo = lb.evaluate(fit.model, data, samples=1).elbo
            speed = torch.tensor([epoch.examples_per_second for epoch in fit.history]).median()
            rows.append(
                {
                    "network": network,
                    "seed": seed,
                    "minutes": options.minutes,
                    "epochs": len(fit.history),
                    "examples_per_second": float(speed),
                    "elbo": elbo.mean,
                    "standard_error_over_examples": elbo.standard_error,
                }
            )
            print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
