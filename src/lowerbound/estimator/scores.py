"""The score of each example by itself, under noise that follows from its contents."""

from hashlib import blake2b

import torch
from torch import Tensor

from lowerbound.core import Model
from lowerbound.data import Examples
from lowerbound.evaluation import evidence


def scores(model: Model, x: Tensor, samples: int, seed: int) -> Tensor:
    """Importance-weighted lower bound on log p(x) of each example.

    Args:
        model: A trained model.
        x: `N` examples as stored, `(N, *event)`.
        samples: Draws of z for each.
        seed: With the contents of an example, it decides the noise.

    Returns:
        `(N,)`, nats, float64: the same row always gets the same score, to the bit.
    """
    found = []
    # one by one: in a batch the noise and the last bits would depend on the others
    for i, own_seed in enumerate(noise_seeds(x, seed)):
        found.append(evidence(model, Examples(x[i : i + 1]), samples, seed=own_seed).log_likelihood)
    return torch.cat(found)


def noise_seeds(x: Tensor, seed: int) -> list[int]:
    """A seed for each of `N` examples, `(N, *event)`, that follows from `seed` and its contents."""
    rows = x.numpy().reshape(len(x), -1)
    if rows.dtype.kind == "f":
        rows = rows + 0.0  # -0.0 equals 0.0, so it must hash like it
    seeds = []
    for row in rows:
        digest = blake2b(row.data, digest_size=8, salt=seed.to_bytes(8, "little"))
        seeds.append(int.from_bytes(digest.digest(), "little") >> 1)
    return seeds
