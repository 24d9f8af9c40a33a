"""Large gaps filled: a chain through pictures and series, whose draws agree with what is known."""

import torch
from torch import Tensor

from lowerbound.core import Batch, Model, on
from lowerbound.distributions import fill
from lowerbound.errors import SettingError, SupportError
from lowerbound.seeding import seeded

#: The share of steps that take every proposal, to come near.
FREE = 1 / 3
#: Most steps of a chain.
MOST_STEPS = 10_000


@torch.no_grad()
def complete(
    model: Model, batch: Batch, *, steps: int = 100, seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """Draw what is missing by Metropolis within Gibbs: z ~ p(z|x), then x_mis ~ p(x_mis|z).

    The encoder proposes z from whole examples, as it saw them in training, where `impute` shows it
    examples with gaps. A chain is an exact sampler of p(x_mis|x_obs) as its steps grow, and finds
    the many cells of a picture, of which no draw of `impute` would have a weight.

    Args:
        model: A trained model.
        batch: `B` examples with gaps; each is the start of one chain.
        steps: Of each chain; a third of them take every proposal.
        seed: Of the draws; None for a fresh one.

    Returns:
        The examples completed by a draw, and by E[x_mis|x_obs, z] at its z, each `(B, *event)`,
        float64, on the CPU; known cells hold what they held.

    Raises:
        SettingError: An impossible number of steps.
        SupportError: p(x|z) cannot leave cells out.

    Source: Mattei & Frellsen (2018), "Leveraging the exact likelihood of deep latent variable
        models", algorithm 2, arXiv 1802.04826.
    """
    if isinstance(steps, bool) or not 1 <= steps <= MOST_STEPS:
        raise SettingError(f"steps must be from 1 to {MOST_STEPS:,}, got {steps}")
    if batch.observed is None:
        return batch.x.double().cpu(), batch.x.double().cpu()
    with on(model) as device, seeded(seed, device):
        known = batch.observed.to(device)
        batch = batch.to(device)
        first = model.trace(batch)
        z = {name: one.z for name, one in first.latents.items()}
        law = model.decode({name: part[0] for name, part in z.items()}, batch.condition)
        drawn, mean = fill(law, batch.x, known)
        x = torch.where(known, batch.x, drawn.to(batch.x.dtype))
        for step in range(steps):
            whole = Batch(x, None, batch.condition)
            proposed = model.trace(whole)
            if step < FREE * steps:
                taken = torch.ones(len(x), dtype=torch.bool, device=device)
            else:
                gain = proposed.log_weight - model.trace_at(whole, z).log_weight
                taken = torch.rand_like(gain[0]).log() < gain[0]
            for name, one in proposed.latents.items():
                some = taken.reshape(1, -1, *[1] * (one.z.ndim - 2))
                z[name] = torch.where(some, one.z, z[name])
            law = model.decode({name: part[0] for name, part in z.items()}, batch.condition)
            drawn, mean = fill(law, batch.x, known)
            x = torch.where(known, batch.x, drawn.to(batch.x.dtype))
        mean = torch.where(known, batch.x.double(), mean.double())
    if not bool(mean.isfinite().all()):
        raise SupportError("the chain left the numbers; look for extreme values")
    return x.double().cpu(), mean.cpu()
