"""How often a model finds the class of an example."""

import torch

from lowerbound.core import UNTOLD, Model, on
from lowerbound.data import Source
from lowerbound.evaluation.estimate import Estimate

#: Examples at a time.
CHUNK = 500


@torch.no_grad()
def accuracy(model: Model, examples: Source) -> Estimate | None:
    """Estimate the share of examples whose class is the likeliest under q(y|x).

    Args:
        model: Any; None is returned for one without a latent class "y".
        examples: Labelled; examples without a known class are passed over.
    """
    if "y" not in model.latents:
        return None
    right: list[torch.Tensor] = []
    with on(model) as device:
        for start in range(0, len(examples), CHUNK):
            batch = examples.batch(slice(start, start + CHUNK)).to(device)
            if batch.condition is None:
                return None
            codes = batch.condition[:, 0]
            found = model.encode(batch).latents["y"].argmax(dim=-1)
            right.append((found == codes)[codes != UNTOLD].double().cpu())
    hits = torch.cat(right)
    return Estimate.of(hits, "share") if len(hits) else None
