"""Do single units stand for single factors? A VAE and two that are pressed, on drawn sprites.

Pictures of five known factors (`lowerbound.data.sprites`) are learned with the fully connected
networks of Chen et al. (2018), and the centres of q(z|x) of 10,000 further pictures are measured
against the factors.

    python benchmarks/disentanglement.py [--updates N] [--seeds 0 1] [--images N]

The published protocol makes 300,000 updates of 64 pictures and 50 seeds.
"""

import argparse
import math
import time
from dataclasses import asdict
from typing import Any

import results
import torch

import lowerbound as lb
from lowerbound.data.sprites import sprites
from lowerbound.evaluation.disentanglement import disentangled

#: Of Chen et al. (2018), table 2: 4096-1200-1200, and 10 latent units.
COMMON: dict[str, Any] = {"network": "mlp", "hidden": "1200,1200", "latents": 10}
CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {"refit": "none"}),
    "beta-vae, beta 4": ("beta-vae", {"beta": 4.0}),
    "beta-tc, beta 6": ("beta-tc", {"beta": 6.0}),
}
MEASURED = 10_000


def main() -> None:
    """Train and measure all, and write benchmarks/results/disentanglement.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--images", type=int, default=50_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = lb.read(sprites(given.images)[0])
    images, factors = sprites(MEASURED, seed=1)
    rows = []
    for seed in given.seeds:
        for name, (recipe, own) in CHOICES.items():
            row = study(data, recipe, {**COMMON, **own}, given.updates, seed)
            model = row.pop("model")
            z = lb.encode(model, lb.data.Examples(torch.from_numpy(images))).mean
            found = asdict(disentangled(z.numpy(), factors))
            rows.append({"choice": name, "seed": seed, **row, **found})
            print(rows[-1], flush=True)
            results.write("disentanglement", {"images": given.images, "rows": rows})


def study(
    data: lb.Data, recipe: str, settings: dict[str, Any], updates: int, seed: int
) -> dict[str, Any]:
    """Train one choice, and bound held-out pictures."""
    settings = {**settings, "batch_size": 64, "patience": None, "compile": "off", "keep": "last"}
    epochs = math.ceil(updates / math.ceil(len(data.train) / 64))
    made = lb.catalogue.assemble(
        recipe, data.schema, {**settings, "epochs": epochs}, examples=len(data.train), seed=seed
    )
    began = time.process_time()
    fitted = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    used = time.process_time() - began
    bound = lb.evaluate(fitted.model, data, samples=1).elbo
    return {
        "model": fitted.model,
        "epochs": epochs,
        "updates": fitted.history[-1].updates,
        "cpu_seconds": round(used, 1),
        "elbo": bound.mean,
    }


if __name__ == "__main__":
    main()
