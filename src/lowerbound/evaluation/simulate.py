"""Data of the model's own making: z from the prior, x from the likelihood."""

import torch
from torch import Tensor, nn

from lowerbound.errors import SettingError
from lowerbound.seeding import seeded

#: Latents decoded at a time.
ROWS_AT_ONCE = 500


@torch.no_grad()
def simulate(model: nn.Module, count: int, *, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Draw z ~ p(z) and x ~ p(x|z).

    Args:
        model: With a `prior` and a `likelihood`.
        count: How many, at least 1.
        seed: Of the draws; None for a fresh one.

    Returns:
        z `(count, D)` and x `(count, *event)`, on the CPU.

    Raises:
        SettingError: The model has no prior or no likelihood.
    """
    prior, likelihood = (getattr(model, name, None) for name in ("prior", "likelihood"))
    if prior is None or likelihood is None:
        raise SettingError(
            f"{type(model).__name__} has no prior and likelihood to simulate data from"
        )
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    try:
        with seeded(seed, device, stream="simulation"):
            z = prior().sample(torch.Size([count]))
            x = torch.cat([likelihood(some).sample().cpu() for some in z.split(ROWS_AT_ONCE)])
    finally:
        model.train(was_training)
    return z.cpu(), x
