"""Which network pair should small images get by default: fully connected or convolutional?

Both train on fashion-small for the same wall-clock time, taking turns; what is compared is the
held-out ELBO of the test split, and how many examples a second each sees.

    python benchmarks/networks.py [--minutes M]
"""

import argparse

import torch
from results import write

import lowerbound as lb


def main() -> None:
    """Run both networks in turn and write benchmarks/results/networks.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1.0, help="training time of each run")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    data = lb.read("fashion-small")
    rows = []
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
    write("networks", {"data": "fashion-small", "unit": "nats per example", "rows": rows})


if __name__ == "__main__":
    main()
