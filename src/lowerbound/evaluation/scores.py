"""The bound of each row by itself, under noise that follows from its contents."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from lowerbound.core import Batch, Model, on
from lowerbound.data import Examples, Source
from lowerbound.errors import DataError
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import positive_samples
from lowerbound.seeding import seeded

#: Rows that are read at a time.
AT_ONCE = 1000
#: Rows that a note names.
NAMED = 10


@dataclass(frozen=True)
class Scores:
    """Bounds of `N` rows; tensors on the CPU, float64.

    Attributes:
        elbo: Evidence lower bound, `(N,)`, nats.
        log_likelihood: Importance-weighted bound on log p(x), `(N,)`, nats. Both are -inf for a row
            whose bound is below every number, and nan where the model says nothing.
        samples: Draws for each row.
    """

    elbo: Tensor
    log_likelihood: Tensor
    samples: int

    @property
    def unbounded(self) -> Tensor:
        """Numbers of the rows, from 0, whose bound is not finite, `(M,)`."""
        return (~self.log_likelihood.isfinite()).nonzero().flatten()

    @property
    def note(self) -> str:
        """A sentence that names the rows without a finite bound; empty if all have one."""
        rows = self.unbounded.tolist()
        if not rows:
            return ""
        more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
        return (
            f"{len(rows):,} of {len(self.elbo):,} rows have no finite bound, number "
            f"{', '.join(map(str, rows[:NAMED]))}{more} (from 0): they lie too far from the "
            "training data; look for extreme values"
        )


@torch.no_grad()
def score(
    model: Model,
    examples: Source,
    samples: int = 100,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Bound log p(x) of each row, so that no row depends on the others.

    A row always gets the same score, to the bit, whichever rows come along; a row whose bound is
    not finite costs no other its score. Words that training never saw count with a chance of their
    own: see `Examples`.

    Args:
        examples: `N` rows, at least 1.
        samples: Draws `K` of z for each.
        seed: With the contents of a row, it decides the noise.
        progress: Called with (rows done, rows in all).

    Returns:
        ELBO and importance-weighted bound of each row.

    Raises:
        SettingError: `samples` is out of range.
        DataError: There are no rows.
    """
    positive_samples(samples)
    if len(examples) == 0:
        raise DataError("there are no examples to score")
    draws = chunk_sizes(model, examples, samples)[1]
    found = []
    with on(model) as device:
        # one by one: in a batch the noise and the last bits would depend on the others
        for done, row in enumerate(_rows(examples), start=1):
            with seeded(noise_seed(row, seed), device, stream="evidence"):
                found.append(_bounds(model, row.to(device), samples, draws))
            if progress is not None and (done % 10 == 0 or done == len(examples)):
                progress(done, len(examples))
    elbo, bound = torch.cat(found, dim=1)
    bound = torch.where(bound == math.inf, math.nan, bound)
    if isinstance(examples, Examples) and examples.unseen is not None:
        unseen = examples.unseen.sum(dim=1)
        elbo, bound = elbo + unseen, bound + unseen
    return Scores(torch.where(bound.isfinite(), elbo, bound), bound, samples)


def _bounds(model: Model, row: Batch, samples: int, draws: int) -> Tensor:
    """Return ELBO and weighted bound of one row, so many draws at a time, `(2, 1)`."""
    elbo, weights = torch.zeros(1, dtype=torch.float64), []
    for first in range(0, samples, draws):
        count = min(draws, samples - first)
        trace = model.trace(row, count)
        elbo += count * ELBO(count).reduce(trace).value.cpu()
        weights.append(trace.log_weight.cpu())
    bound = torch.cat(weights).logsumexp(dim=0) - math.log(samples)
    return torch.stack([elbo / samples, bound])


def _rows(examples: Source) -> Iterator[Batch]:
    for start in range(0, len(examples), AT_ONCE):
        batch = examples.batch(slice(start, min(start + AT_ONCE, len(examples))))
        for i in range(len(batch)):
            yield batch.rows(slice(i, i + 1))


def noise_seed(row: Batch, seed: int) -> int:
    """Derive the seed of one row's noise from its contents; an unobserved cell has none."""
    x = row.x.cpu()
    if row.observed is not None:
        x = torch.where(row.observed.cpu(), x, torch.zeros((), dtype=x.dtype))
    if x.is_floating_point():
        x = x + 0.0  # -0.0 equals 0.0, so it must hash like it
    digest = blake2b(x.numpy().tobytes(), digest_size=8, salt=seed.to_bytes(8, "little"))
    if row.observed is not None and not bool(row.observed.all()):
        digest.update(row.observed.cpu().numpy().tobytes())
    return int.from_bytes(digest.digest(), "little") >> 1
