"""The held-out bound."""

import torch
from torch import nn

from lowerbound.data import Source
from lowerbound.objectives import Objective
from lowerbound.training.history import Terms
from lowerbound.training.place import sum_dtype
from lowerbound.training.team import Team

#: Draws of z in one batch of validation: examples times samples.
VALIDATION_BATCH = 500


@torch.no_grad()
def judged(model: nn.Module, criterion: Objective, examples: Source, team: Team) -> Terms:
    """Judge a model in training by the mean bound of held-out examples.

    Args:
        model: Left in training mode; judged in the other.
        criterion: The objective that judges.
        examples: Held-out examples on the model's device, at least one.
        team: The processes that share the work.

    Returns:
        Means over examples, nats.
    """
    device = next(model.parameters()).device
    sums = torch.zeros(3, dtype=sum_dtype(device), device=device)
    size = max(1, VALIDATION_BATCH // criterion.samples)
    model.eval()
    for start in range(0, len(examples), size):
        count = min(size, len(examples) - start)
        with team.share(count, criterion.samples) as share:
            rows = slice(start + share.rows.start, start + share.rows.stop)
            found = criterion(model, examples.batch(rows))  # type: ignore[arg-type]
        if share.counts:
            sums += torch.stack([found.value, found.distortion, found.rate]).sum(dim=1)
    model.train()
    bound, distortion, rate = (team.group.add(sums)() / len(examples)).tolist()
    return Terms(bound, -(distortion + rate), distortion, rate)
