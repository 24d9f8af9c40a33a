"""Flows fitted to the encodings of a trained model."""

import copy
import math
from collections.abc import Generator
from typing import Any, TypeVar

import torch
from torch import Tensor

from lowerbound.core import Conditional
from lowerbound.distributions import log_prob
from lowerbound.priors import FlowPrior
from lowerbound.priors.flow import UnitMaps
from lowerbound.seeding import seeded

#: Fitted priors, with their settings and how many there are at most; each is told its gain.
Candidates = Generator[tuple[Conditional, dict[str, Any], int], float | None, None]

#: A prior, and the same trained.
Prior = TypeVar("Prior", bound=Conditional)

#: Layers that are tried, and how they map a unit, as long as there are so few units.
TRIED: tuple[tuple[int, UnitMaps, int], ...] = ((6, "affine", 1_000_000), (4, "spline", 8))
#: Updates of a fit, of how many encodings, and how often validation looks.
UPDATES, BATCH, LOOKS = 500, 500, 10
#: Largest learning rate; it rises over the first tenth, and falls to 0 as a cosine.
RATE = 2e-3


def fitted_flows(z: Tensor, judged: Tensor, seed: int) -> Candidates:
    """Fit flows to encodings, one after the other.

    Args:
        z: Encodings of the training part, `(N, D)`.
        judged: Of the validation part; they choose when a fit ends.
        seed: Of first weights and of the order of encodings.
    """
    shapes = [shape for shape in TRIED if z.shape[1] <= shape[2]]
    for layers, units, _ in shapes:
        with seeded(seed, stream="flow"):
            made = fitted_flow(z, judged, layers, units)
        yield made, {"layers": layers, "units": units, "width": 128}, len(shapes)


def fitted_flow(z: Tensor, judged: Tensor, layers: int, units: UnitMaps) -> FlowPrior:
    """Fit a flow by maximum likelihood, starting at the Gaussian of the encodings.

    Returns:
        The flow as it was when validation liked it best; never worse there than that Gaussian.
    """
    made = FlowPrior(z.shape[1], layers, units)
    spread = z.std(dim=0).clamp(min=1e-12)
    # encodings may lie in fewer dimensions than there are units
    made.put(z.mean(dim=0), torch.cov(z.mT).reshape(len(spread), -1) + torch.diag(1e-4 * spread**2))
    return made if not layers else climbed(made, z, judged)


def climbed(made: Prior, z: Tensor, judged: Tensor) -> Prior:
    """Train a prior on encodings by maximum likelihood; return it as validation liked it best."""
    points, seen = z.float(), judged.float()
    optimizer = torch.optim.Adam(made.parameters(), lr=RATE)
    warm = UPDATES / 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1.0, n / warm) * (1 + math.cos(math.pi * n / UPDATES)) / 2
    )
    best, kept = -math.inf, made
    for update in range(UPDATES + 1):
        if update % (UPDATES // LOOKS) == 0:
            with torch.no_grad():
                value = float(log_prob(made(), seen).mean())
            if value > best:
                best, kept = value, copy.deepcopy(made)
        some = torch.randint(len(points), (min(BATCH, len(points)),))
        loss = -log_prob(made(), points[some]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return kept
