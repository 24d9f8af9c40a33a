"""Does the default model learn as much as the same architecture in a careful hundred-line script?

Both train for the same number of epochs, taking turns, on the same splits, from the same initial
weights and with the same random numbers, so that what differs is the code alone. Compared is the
held-out ELBO of the test split, in nats per example: in float64, where rounding has no time to grow
into another training, and in float32, where it has.

    python benchmarks/twin.py [--quick]
    python benchmarks/twin.py --only '8-bit, torch.float32' --seeds 5 --name twin-float32
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


def compare(data: lb.Data, epochs: int, seed: int) -> dict[str, float | None]:
    """Both from the same start; their test ELBOs and the seconds of training."""
    settings = {"epochs": epochs, "batch_size": 128, "patience": None}
    made = lb.catalogue.assemble("auto", data.schema, settings, examples=len(data.train), seed=seed)
    train, validation, test = (
        part.x.flatten(1) for part in (data.train, data.validation, data.test)
    )
    other = copied(made.model, train, data.schema.levels)

    fit = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    # both are evaluated by the script, under the same noise: the library's draws are others
    ours = twin.evaluate(copied(made.model, train, data.schema.levels), test)
    error = lb.evaluate(fit.model, data, samples=1, seed=0).elbo.standard_error

    torch.manual_seed(seed)
    torch.randint(2**31, ())  # `fit` draws the seed of its validation first
    began = time.perf_counter()
    other = twin.train(other, train, validation, epochs)
    seconds = time.perf_counter() - began
    theirs = twin.evaluate(other, test)
    return {
        "library_elbo": ours,
        "script_elbo": theirs,
        "difference": ours - theirs,
        "standard_error_over_examples": error,
        "library_seconds": fit.seconds,
        "script_seconds": seconds,
    }


def copied(model: lb.VAE, train: torch.Tensor, levels: int) -> twin.VAE:
    """The script's model with the library's weights and units."""
    other = twin.VAE(train, levels)
    other.location.copy_(model.view.mean.flatten())  # to seven digits, where the script has all
    other.unit.copy_(model.view.scale.flatten()[0])
    other.encoder.load_state_dict(model.posterior.network.layers.state_dict())
    other.decoder.load_state_dict(model.likelihood.network.layers.state_dict())
    return other


def main() -> None:
    """Run both cases and write benchmarks/results/twin.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one epoch, one seed, nothing written")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--name", default="twin", help="of the file in results/")
    options = parser.parse_args()
    quick = options.quick
    cases = {
        ("fashion-mnist binarized", torch.float64): (lb.read("fashion-mnist", binarize=True), 1),
        ("fashion-small 8-bit", torch.float64): (lb.read("fashion-small"), 5),
        ("fashion-mnist binarized", torch.float32): (lb.read("fashion-mnist", binarize=True), 2),
        ("fashion-small 8-bit", torch.float32): (lb.read("fashion-small"), 10),
    }
    rows = []
    for (name, precision), (data, epochs) in cases.items():
        if options.only not in f"{name}, {precision}":
            continue
        torch.set_default_dtype(precision)
        for seed in range(1 if quick else options.seeds):
            row = {"case": name, "precision": str(precision).removeprefix("torch.")}
            budget = 1 if quick else epochs
            row |= {"epochs": budget, "seed": seed, **compare(data, budget, seed)}
            rows.append(row)
            print(row, flush=True)
    if not quick:
        summary = {}
        for name, precision in {(row["case"], row["precision"]): None for row in rows}:
            same = [r for r in rows if (r["case"], r["precision"]) == (name, precision)]
            gaps = torch.tensor([row["difference"] for row in same])
            summary[f"{name}, {precision}"] = {
                "mean_difference": float(gaps.mean()),
                "largest_difference": float(gaps.abs().max()),
                "seeds": len(same),
            }
        write(
            options.name,
            {"unit": "nats per example", "summary": summary, "rows": rows},
        )


if __name__ == "__main__":
    main()
