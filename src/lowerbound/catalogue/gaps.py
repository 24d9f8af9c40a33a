"""The law of the gaps of a table, fitted to a trained model."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.core import Model, flatten, on, units_of
from lowerbound.data import Data, Examples
from lowerbound.models import Gaps
from lowerbound.seeding import seeded

#: More sets of gaps than this are not told apart; then each column has gaps by itself.
MOST_SETS = 64
#: Most examples, and fewest draws of z for these together.
MOST, LEAST_DRAWS = 20_000, 5_000
#: Passes through the examples, those without progress that end it, and examples an update.
EPOCHS, PATIENCE, BATCH = 40, 5, 256


@dataclass(frozen=True)
class FittedGaps:
    """A law of gaps, and what z tells of them.

    Attributes:
        law: p(m|z).
        gain: Mean of log p(m|z) - log p(m) over validation examples, nats an example.
        error: Its standard error over examples.
    """

    law: Gaps
    gain: float
    error: float

    @property
    def words(self) -> str:
        """One sentence for a person."""
        kind = "sets of gaps" if self.law.joint else "columns with gaps"
        return (
            f"law of gaps fitted: {len(self.law.sets)} {kind}, of which z tells "
            f"{self.gain:+.3f} ± {self.error:.3f} nats"
        )


def fit_gaps(model: Model, data: Data, *, seed: int = 0) -> FittedGaps | None:
    """Fit p(m|z), which cells of a row are gaps, to encodings of the training part.

    The model stays as it is, and with it log p of the cells that are known: rows that it generates
    can have gaps as the data does. The shares of the training part are where the fit begins; it
    ends with the weights that the validation part likes best.

    Args:
        model: Trained.
        data: That of its training.
        seed: Of the draws and of the fit.

    Returns:
        None for data without gaps, and for other data than tables.

    Differs: from a model of data that are not missing at random, such as Ipsen et al. (2021),
        arXiv 2006.12871, whose p(m|x) changes log p(x).
    """
    if not data.schema.is_table or not data.schema.missing:
        return None
    with seeded(seed, stream="gaps"):
        z, known = _encoded(model, data.train.few(MOST), seed)
        if bool(known.all()):
            return None
        found, counts = torch.unique(~known, dim=0, return_counts=True)
        joint = len(found) <= MOST_SETS
        sets, shares = found, counts.double() / len(known)
        if not joint:
            sets = torch.eye(known.shape[1], dtype=torch.bool)[(~known).any(dim=0)]
            shares = (~known).double().mean(dim=0)[(~known).any(dim=0)]
        law = Gaps(units_of(model.latents), sets, joint=joint)
        law.start(shares)
        some = data.validation.few(MOST) if len(data.validation) else None
        if some is None:
            return FittedGaps(law, 0.0, 0.0)
        judged = _encoded(model, some, seed)
        return _climbed(law, (z, known), judged)


def _climbed(law: Gaps, train: tuple[Tensor, Tensor], judged: tuple[Tensor, Tensor]) -> FittedGaps:
    optimizer = torch.optim.AdamW(law.parameters(), lr=3e-3, weight_decay=0.02)
    best, since = copy.deepcopy(law), 0
    with torch.no_grad():
        first = law.log_prob(*judged)
    gains = torch.zeros(int(first.isfinite().sum())).double()  # others are gaps of no set
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train[0])).split(BATCH):
            loss = -law.log_prob(train[0][rows], train[1][rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            now = (law.log_prob(*judged) - first)[first.isfinite()]
        since += 1
        if len(now) and now.mean() > gains.mean():
            best, gains, since = copy.deepcopy(law), now, 0
        if since == PATIENCE:
            break
    error = float(gains.std() / math.sqrt(len(gains))) if len(gains) > 1 else 0.0
    return FittedGaps(best, float(gains.mean()) if len(gains) else 0.0, error)


@torch.no_grad()
def _encoded(model: Model, examples: Examples, seed: int) -> tuple[Tensor, Tensor]:
    """Draw z ~ q(z|x), `(N, units)`, of few examples several times; and which cells are known."""
    draws = max(1, math.ceil(LEAST_DRAWS / max(1, len(examples))))
    drawn, known = [], []
    with on(model) as device, seeded(seed, device, stream="encodings"):
        for start in range(0, len(examples), 500):
            batch = examples.batch(slice(start, start + 500)).to(device)
            latents = model.trace(batch, draws).latents
            z = flatten({name: latent.z for name, latent in latents.items()}, model.latents)
            there = batch.observed
            there = torch.ones_like(batch.x, dtype=torch.bool) if there is None else there
            drawn.append(z.flatten(end_dim=1).float().cpu())
            known.append(there.repeat(draws, 1).cpu())
    return torch.cat(drawn), torch.cat(known)
