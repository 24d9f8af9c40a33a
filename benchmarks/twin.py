"""Does the default model learn as much as the same architecture in a careful hundred-line script?

Both train for the same number of epochs from several seeds, taking turns, on the same splits; what
is compared is the held-out ELBO of the test split, in nats per example.

    python benchmarks/twin.py [--quick]
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from results import write

import lowerbound as lb

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import vae_in_100_lines as twin


def library(data: lb.Data, epochs: int, seed: int) -> tuple[lb.evaluation.Estimate, float]:
    """Fit the default recipe; the test ELBO and the seconds of training."""
    settings = {"epochs": epochs, "batch_size": 128, "patience": None}
    made = lb.catalogue.assemble("auto", data.schema, settings, examples=len(data.train), seed=seed)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    return lb.evaluate(fit.model, data, samples=1, seed=0).elbo, fit.seconds


def script(data: lb.Data, epochs: int, seed: int) -> tuple[float, float]:
    """The same with the script."""
    torch.manual_seed(seed)
    train, validation, test = (
        part.x.flatten(1) for part in (data.train, data.validation, data.test)
    )
    model = twin.VAE(train.shape[1], data.schema.levels)
    began = time.perf_counter()
    model = twin.train(model, train, validation, epochs)
    seconds = time.perf_counter() - began
    torch.manual_seed(0)
    return twin.evaluate(model, test), seconds


def main() -> None:
    """Run both cases and write benchmarks/results/twin.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--quick", action="store_true", help="two epochs, one seed, nothing written"
    )
    quick = parser.parse_args().quick
    cases = {
        "fashion-mnist binarized": (lb.read("fashion-mnist", binarize=True), 10),
        "fashion-small 8-bit": (lb.read("fashion-small"), 30),
    }
    rows = []
    for name, (data, epochs) in cases.items():
        for seed in range(1 if quick else 3):
            budget = 2 if quick else epochs
            ours, our_seconds = library(data, budget, seed)
            theirs, their_seconds = script(data, budget, seed)
            row = {
                "case": name,
                "epochs": budget,
                "seed": seed,
                "library_elbo": ours.mean,
                "script_elbo": theirs,
                "difference": ours.mean - theirs,
                "standard_error_over_examples": ours.standard_error,
                "library_seconds": our_seconds,
                "script_seconds": their_seconds,
            }
            rows.append(row)
            print(row, flush=True)
    if not quick:
        summary = {}
        for name in cases:
            gaps = torch.tensor([r["difference"] for r in rows if r["case"] == name])
            summary[name] = {
                "mean_difference": float(gaps.mean()),
                "spread_over_seeds": float(gaps.std()),
            }
        write("twin", {"unit": "nats per example", "summary": summary, "rows": rows})


if __name__ == "__main__":
    main()
