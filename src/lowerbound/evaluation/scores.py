"""The bound of each row by itself, under noise that follows from its contents."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Batch, Model, device_of, dtype_of, on
from lowerbound.data import Examples, Source
from lowerbound.distributions import OwnNoiseError, placed
from lowerbound.distributions.size import numbers_per_cell
from lowerbound.errors import DataError
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.evaluation.law import law_of
from lowerbound.objectives import ELBO
from lowerbound.objectives.objective import positive_samples
from lowerbound.seeding import seeded

#: Rows that are read at a time.
AT_ONCE = 1024
#: Vectors and rows of a table that are computed side by side, always as many, so that the last
#: bits of one do not depend on how many others there are; and numbers of their laws at a time,
#: few enough to stay near the processor: 131 rows of Adult by 16 draws.
TOGETHER, NUMBERS_AT_ONCE = 256, 1_000_000
#: Numbers, 30 MB in float32, of a tensor that is made and dropped: from then on glibc keeps what it
#: is given back up to this size, where the kernel would have to clear it again for every step.
KEPT = 7_500_000
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
    torch.empty(KEPT, dtype=torch.float32)
    with on(model) as device:
        rows = _together(model, examples, samples)
        for done, batch in _batches(examples, rows):
            each = None if rows == 1 else _side_by_side(model, batch, samples, seed, rows)
            if each is None:
                rows = 1
                each = torch.cat([
                    _alone(model, batch.rows(slice(i, i + 1)), samples, draws, seed, device)
                    for i in range(len(batch))
                ], dim=1)  # fmt: skip
            found.append(each)
            if progress is not None and (done % 10 == 0 or done == len(examples)):
                progress(done, len(examples))
    elbo, bound = torch.cat(found, dim=1)
    bound = torch.where(bound == math.inf, math.nan, bound)
    if isinstance(examples, Examples) and examples.unseen is not None:
        unseen = examples.unseen.sum(dim=1)
        elbo, bound = elbo + unseen, bound + unseen
    return Scores(torch.where(bound.isfinite(), elbo, bound), bound, samples)


def _together(model: Model, examples: Source, samples: int) -> int:
    """Choose how many rows are computed side by side, whatever their number."""
    # elsewhere a row's place among the others may change its last bits
    plain = device_of(model).type == "cpu" and dtype_of(model) == torch.float32
    if len(examples.shape) != 1 or not plain:
        return 1
    numbers = max(256, examples.shape[0] * numbers_per_cell(law_of(model, examples)))
    return max(1, min(TOGETHER, NUMBERS_AT_ONCE // (numbers * samples)))


def _batches(examples: Source, rows: int) -> Iterator[tuple[int, Batch]]:
    """Give some rows after others, each with how many there were by then."""
    for start in range(0, len(examples), AT_ONCE):
        batch = examples.batch(slice(start, min(start + AT_ONCE, len(examples))))
        for first in range(0, len(batch), rows):
            some = batch.rows(slice(first, first + rows))
            yield start + first + len(some), some


def _side_by_side(model: Model, batch: Batch, samples: int, seed: int, rows: int) -> Tensor | None:
    """Return ELBO and weighted bound of some rows, `(2, B)`; None where q hides its noise.

    As many rows as ever are computed: the batch, again and again.
    """
    again = torch.arange(rows) % len(batch)
    spaces, generator = model.latents, torch.Generator()
    noises = {name: torch.empty(len(batch), samples, *s.shape) for name, s in spaces.items()}
    for place, one in enumerate(noise_seeds(batch, seed)):
        generator.manual_seed(one)
        for noise in noises.values():
            noise[place].normal_(generator=generator)
    noise = {name: each[again].transpose(0, 1) for name, each in noises.items()}

    def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
        return placed(q, noise[name]), q

    try:
        trace = model.trace_by(pick, batch.rows(again))
    except OwnNoiseError:
        return None
    elbo = ELBO(samples).reduce(trace).value
    bound = trace.log_weight.logsumexp(dim=0) - math.log(samples)
    return torch.stack([elbo, bound])[:, : len(batch)].cpu()


def _alone(
    model: Model, row: Batch, samples: int, draws: int, seed: int, device: torch.device
) -> Tensor:
    """Return ELBO and weighted bound of one row, so many draws at a time, `(2, 1)`."""
    elbo, weights = torch.zeros(1, dtype=torch.float64), []
    with seeded(noise_seeds(row, seed)[0], device, stream="evidence"):
        row = row.to(device)
        for first in range(0, samples, draws):
            count = min(draws, samples - first)
            trace = model.trace(row, count)
            elbo += count * ELBO(count).reduce(trace).value.cpu()
            weights.append(trace.log_weight.cpu())
    bound = torch.cat(weights).logsumexp(dim=0) - math.log(samples)
    return torch.stack([elbo / samples, bound])


def noise_seeds(rows: Batch, seed: int) -> list[int]:
    """Derive the seed of each row's noise from its contents; an unobserved cell has none."""
    x, known = rows.x.cpu(), rows.observed
    if known is not None:
        known = known.cpu()
        x = torch.where(known, x, torch.zeros((), dtype=x.dtype))
    if x.is_floating_point():
        x = x + 0.0  # -0.0 equals 0.0, so it must hash like it
    salt = seed.to_bytes(8, "little")
    cells = x.flatten(start_dim=1).contiguous().numpy()
    digests = [blake2b(row, digest_size=8, salt=salt) for row in cells]
    if known is not None:
        masks = known.flatten(start_dim=1).contiguous().numpy()
        for place in np.flatnonzero(~masks.all(axis=1)):
            digests[place].update(masks[place])
    return [int.from_bytes(digest.digest(), "little") >> 1 for digest in digests]
