"""Autoregressive priors fitted to the codes of a trained model."""

from typing import Any

import torch
from torch import Tensor

from lowerbound.catalogue.refit_flow import Candidates, climbed
from lowerbound.priors import CodesPrior
from lowerbound.seeding import seeded

#: Widths of the masked network that are tried.
WIDTHS = (64, 256)


def fitted_codes(z: Tensor, judged: Tensor, seed: int, points: Tensor) -> Candidates:
    """Fit laws of codes, each given those before it, by masked networks of more and more width.

    Each begins with the share that every code has by itself, a count of one added.

    Args:
        z: Codes of the training part, `(N, D)`.
        judged: Of the validation part; they choose when a fit ends.
        seed: Of first weights and of the order of examples.
        points: The codes that there are, `(C, d)`, or of each level, `(L, C, d)`.
    """
    *levels, codes, size = points.shape
    last = -torch.inf
    for width in WIDTHS:
        settings: dict[str, Any] = {"width": width, "codes": codes, "size": size}
        settings |= {"levels": levels[0]} if levels else {}
        with seeded(seed, stream="codes"):
            made = CodesPrior(z.shape[1], **settings)
            made.own.copy_(points)
            digits = made().read(z.to(made.own.dtype))
            counts = torch.stack([row.bincount(minlength=codes) for row in digits.unbind(dim=-1)])
            with torch.no_grad():
                made.bias.copy_((counts + 1).log())
            made = climbed(made, z, judged)
        gain = yield made, settings, len(WIDTHS)
        if gain is None or gain <= last:
            return
        last = gain
