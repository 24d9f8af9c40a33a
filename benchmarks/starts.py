"""What do the first weights buy, and the units in which an encoder sees levels?

The default model is trained for the default number of updates from four starts: from layers as
torch draws them, with levels between -1 and 1; with levels seen from the mean of the training
examples, in units of their spread; then with the decoder's last biases at that mean, too; then with
hidden layers that start even (`lowerbound.networks.mlp.start_even`), which is the default of sets
of 3,000 examples and more, as the third is that of smaller ones. Compared is the held-out ELBO of
the test split, under the same splits, batches and seeds.

    python benchmarks/starts.py [--images mnist:FOLDER] [--seeds 3]
"""

import argparse
from typing import Any

import results
import torch
from torch import nn

import lowerbound as lb
from lowerbound.catalogue import Choice
from lowerbound.catalogue.flat import start_at_mean
from lowerbound.catalogue.laws import laws_for
from lowerbound.networks.mlp import start_even
from lowerbound.seeding import seeded

STARTS = (
    "as torch draws, levels from -1 to 1",
    "levels from their mean, in their spread",
    "and the decoder starts at the mean",
    "and hidden layers start even",
)


def main() -> None:
    """Train all of them, taking turns, and write benchmarks/results/starts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="mnist")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    sets = {
        "digits": lb.read("digits"),
        "fashion-small": lb.read("fashion-small"),
        "fashion-small, binarised": lb.read("fashion-small", binarize=True),
        "mnist, drawn from grey levels": lb.read(given.images, binarize="dynamic", limit=10_000),
    }
    record: dict[str, Any] = {
        "compares": "held-out ELBO after the default number of updates, nats per example, means "
        "over seeds; the error is that over the test examples, of the last start",
        "seeds": list(range(given.seeds)),
        "sets": {},
    }
    for name, data in sets.items():
        rows = [study(data, seed) for seed in range(given.seeds)]
        means = {start: sum(row[start][0] for row in rows) / len(rows) for start in STARTS}
        record["sets"][name] = {
            "training_examples": len(data.train),
            "elbo": {start: round(value, 2) for start, value in means.items()},
            "gain": round(means[STARTS[-1]] - means[STARTS[0]], 2),
            "standard_error_over_examples": round(rows[0][STARTS[-1]][1], 2),
            "elbo_of_each_seed": {s: [round(row[s][0], 2) for row in rows] for s in STARTS},
        }
        print(name, record["sets"][name])
        results.write("starts", record)


def study(data: lb.Data, seed: int) -> dict[str, tuple[float, float]]:
    """The ELBO from each start, and its standard error."""
    found = {}
    for steps, start in enumerate(STARTS):
        made = lb.catalogue.assemble("auto", data.schema, examples=len(data.train), seed=seed)
        begin(made.model, data.schema, steps, seed)
        lb.fit(made.model, made.objective, data, made.training, seed=seed)
        elbo = lb.evaluate(made.model, data, samples=1, seed=0).elbo
        found[start] = (elbo.mean, elbo.standard_error)
    return found


@torch.no_grad()
def begin(model: lb.VAE, schema: lb.Schema, steps: int, seed: int) -> None:
    """Draw all weights anew, with the first so many of the three steps."""
    middle = ((schema.levels or 2) - 1) / 2
    with seeded(seed):
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        if steps < 1:
            model.view.mean.fill_(middle)
            model.view.scale.fill_(middle)
        encoder, decoder = model.posterior.network, model.likelihood.network
        if steps >= 3:
            for network in (encoder, decoder):
                start_even(network.linear[:-1])
        encoder.start_small()
        if steps >= 2:
            start_at_mean(decoder, laws_for(schema, Choice("auto")), schema, by_channel=False)


if __name__ == "__main__":
    main()
