"""What each prior, posterior and bound buys on one small set, at equal epochs.

The 8x8 digits under one network; the test part's ELBO and importance-weighted bound of 100 draws.
It says nothing on other data: it is there so that every part has been trained, side by side.

    python benchmarks/parts.py [--epochs E]
"""

import argparse
import time
from typing import Any

from results import write

import lowerbound as lb
from lowerbound.catalogue.refit import apply, refit
from lowerbound.evaluation import evidence

BITS = {"prior": "bernoulli", "posterior": "bernoulli", "latents": 32}
#: By name: a recipe, its settings, and whether a prior is refitted.
MODELS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "N(0, I), diagonal": ("vae", {}, False),
    "the same, refitted": ("vae", {}, True),
    "prior gaussian, full": ("vae", {"prior": "gaussian", "covariance": "full"}, False),
    "prior mixture": ("vae", {"prior": "mixture"}, False),
    "prior vamp": ("vae", {"prior": "vamp", "components": 100}, False),
    "prior exemplar": ("vae", {"prior": "exemplar"}, False),
    "prior flow": ("vae", {"prior": "flow"}, False),
    "prior autoregressive": ("vae", {"prior": "autoregressive", "prior.width": 64}, False),
    "posterior full": ("vae", {"posterior": "full"}, False),
    "posterior flow": ("vae", {"posterior": "flow", "posterior.width": 64}, False),
    "bound of 5 draws": ("iwae", {}, False),
    "laplace": ("vae", {"prior": "laplace", "posterior": "laplace"}, False),
    "gamma": ("vae", {"prior": "gamma", "posterior": "gamma"}, False),
    "dirichlet": ("vae", {"prior": "dirichlet", "posterior": "dirichlet"}, False),
    "directions": ("vae", {"prior": "sphere", "posterior": "power-spherical"}, False),
    "bits, rloo": ("discrete", BITS, False),
    "bits, disarm": ("discrete", {**BITS, "estimator": "disarm"}, False),
    "fsq": ("fsq", {"latents": 16}, False),
    "fsq, refitted": ("fsq", {"latents": 16}, True),
    "vq": ("vq", {"latents": 32}, False),
    "vq, refitted": ("vq", {"latents": 32}, True),
}


def main() -> None:
    """Train each, judge it, and write benchmarks/results/parts.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    epochs = parser.parse_args().epochs
    data = lb.read("digits")
    rows, trained = [], {}
    for name, (recipe, settings, again) in MODELS.items():
        given = {"latents": 8, "hidden": (256,), "epochs": epochs, "patience": None, **settings}
        began = time.perf_counter()
        if again:  # the model before, under another prior
            model = trained["model"]
            found = refit(model, data, "auto")
            model = model if found is None else apply(model, found)
        else:
            made = lb.catalogue.assemble(recipe, data.schema, given, seed=0)
            model = lb.fit(made.model, made.objective, data, made.training, seed=0).model
            trained["model"] = model
        seconds = time.perf_counter() - began
        stated = evidence(model, data.test, 100)
        rows.append(
            {
                "name": name,
                "seconds": round(seconds, 1),
                "elbo": float(stated.elbo.mean()),
                "log_likelihood": float(stated.log_likelihood.mean()),
            }
        )
        print(rows[-1], flush=True)
    write("parts", {"data": "digits", "unit": "nats per example", "epochs": epochs, "rows": rows})


if __name__ == "__main__":
    main()
