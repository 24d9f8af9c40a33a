"""Draws of z ~ q(z|x) with their importance weights, and a look at p(x|z) at each of them."""

import math
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, Normal

from lowerbound.core import Batch, Latents, Model, on
from lowerbound.distributions import (
    Autocorrelated,
    Independent,
    OwnNoiseError,
    Product,
    log_prob,
    placed,
)
from lowerbound.distributions.size import numbers_per_cell
from lowerbound.errors import SettingError, SupportError
from lowerbound.seeding import seeded

#: Numbers that the laws of all draws of some rows hold at a time.
NUMBERS_AT_ONCE = 4_000_000
#: Most rows encoded at a time.
MOST_ROWS = 256
#: The share of draws that come from the prior.
FROM_PRIOR = 0.1
#: Most draws for one row.
MOST_SAMPLES = 1_000_000

#: From p(x|z), batch `(k, b)`, and which of the rows these are, to what is kept, `(k, b, ...)`.
Look = Callable[[Distribution, slice], Tensor]


def check_samples(samples: int) -> None:
    """Raise `SettingError` for an impossible number of draws."""
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise SettingError(f"samples must be a whole number, got {samples!r}")
    if not 1 <= samples <= MOST_SAMPLES:
        raise SettingError(f"samples must be from 1 to {MOST_SAMPLES:,}, got {samples:,}")


def cells_of(law: Distribution, x: Tensor, observed: Tensor | None = None) -> Tensor:
    """Return log p of every single cell of `x`, `(..., *event)`, nats; 0 where not observed.

    Where cells depend on each other, that is log p of each given the others.

    Raises:
        SupportError: The law of single cells is not known.
    """
    if not isinstance(law, Independent | Product | Autocorrelated):
        raise SupportError(
            f"{type(law).__name__} has dependent cells, and no single one can be looked at; use a "
            "likelihood of independent cells"
        )
    return law.cells(x, observed)


@torch.no_grad()
def sizes(model: Model, samples: int) -> tuple[int, int]:
    """Choose how many rows, and how many draws of each, are decoded at a time."""
    with on(model) as device, seeded(0, device):  # the caller's random state stays as it is
        law = model.sample(1).law
    numbers = max(256, math.prod(law.event_shape) * numbers_per_cell(law))
    rows = max(1, min(MOST_ROWS, NUMBERS_AT_ONCE // (numbers * samples)))
    return rows, max(1, min(samples, NUMBERS_AT_ONCE // (numbers * rows)))


@torch.no_grad()
def weigh(
    model: Model,
    batch: Batch,
    samples: int,
    look: Look,
    *,
    draws: int | None = None,
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw z_k and weigh it: w_k = p(x, z_k) / r(z_k), over the observed cells of x.

    A tenth of the draws come from p(z), the others from q(z|x), and r = 0.1 p + 0.9 q: no weight
    can then exceed ten times p(x|z), and the weighted draws are those of p(z|x) as their number
    grows, also for a q that is too narrow, as that of an encoder which never saw gaps is.

    Args:
        model: In evaluation mode.
        batch: `B` examples, on its device.
        samples: Number `K` of draws for each.
        look: Takes what is kept from p(x|z).
        draws: Most draws that are decoded at a time; None for all.
        seed: All rows then meet the same noise, which follows from it: what a row gets depends on
            no other row. None for noise of the random state, independent between rows.

    Returns:
        log w, `(K, B)`, nats: its exponential estimates p(x) unbiasedly; and `look` of all draws,
        `(K, B, ...)`.

    Raises:
        SupportError: Some cells are not observed, and p(x|z) cannot leave them out.

    Source: Hesterberg (1995), "Weighted average importance sampling and defensive mixture
        distributions", Technometrics 37.
    """
    weights, looks, _ = _weighed(model, batch, samples, look, draws, seed)
    return weights, looks


@torch.no_grad()
def resample(
    model: Model,
    batch: Batch,
    samples: int,
    *,
    draws: int | None = None,
    seed: int | None = None,
) -> tuple[Latents, Tensor]:
    """Draw z ~ p(z|x) by sampling importance resampling, of as many draws as there are weights.

    A draw of weight W is taken K W times, rounded up or down at random: systematically, so that a
    mean over z is nearly that under the weights themselves.

    Args:
        model: In evaluation mode.
        batch: `B` examples, on its device.
        samples: Number `K` of draws for each, before and after.
        draws: Most draws that are decoded at a time; None for all.
        seed: As of `weigh`.

    Returns:
        z by group, `(K, B, *shape)`, in random order, and log w of the draws that they were taken
        from, `(K, B)`. Nothing can be drawn for a row whose weights are all 0.

    Source: Rubin (1987), comment (sampling importance resampling); Carpenter, Clifford & Fearnhead
        (1999), section 3, IEE Proceedings F 146 (systematic).
    """

    def nothing(law: Distribution, rows: slice) -> Tensor:
        return torch.empty(*law.batch_shape, 0)

    log_weight, _, z = _weighed(model, batch, samples, nothing, draws, seed)
    total = log_weight.double().softmax(dim=0).nan_to_num(nan=1.0).cumsum(dim=0)
    with seeded(seed, batch.x.device, stream="resample") if seed is not None else nullcontext():
        rows = len(batch) if seed is None else 1
        start = torch.rand(1, rows, dtype=total.dtype, device=total.device)
        order = torch.rand(samples, rows, device=total.device).argsort(dim=0)
    steps = torch.arange(samples, dtype=total.dtype, device=total.device).unsqueeze(1)
    at = ((start + steps) / samples * total[-1]).expand(samples, len(batch))
    chosen = torch.searchsorted(total.T.contiguous(), at.T.contiguous(), right=True).T
    chosen = chosen.clamp(max=samples - 1).gather(0, order.expand(samples, len(batch)))
    place = torch.arange(len(batch), device=total.device)
    return {name: value[chosen, place] for name, value in z.items()}, log_weight


def effective(log_weight: Tensor) -> Tensor:
    """Return (sum_k w_k)^2 / sum_k w_k^2 of log w `(K, ...)`: how many equal draws say as much.

    Source: Kong (1992), as in Owen (2013), Monte Carlo theory, methods and examples, section 9.3.
    """
    return (2 * log_weight.logsumexp(dim=0) - (2 * log_weight).logsumexp(dim=0)).exp()


def _weighed(
    model: Model, batch: Batch, samples: int, look: Look, draws: int | None, seed: int | None
) -> tuple[Tensor, Tensor, Latents]:
    """Log weights, looks, and z by group."""
    draws = samples if draws is None else draws
    if seed is None:
        return _weigh(model, batch, samples, look, draws, slice(None), alike=False)
    try:
        with seeded(seed, batch.x.device, stream="weigh"):
            return _weigh(model, batch, samples, look, draws, slice(None), alike=True)
    except OwnNoiseError:  # q's family hides its noise: every row by itself, under the same seed
        found = []
        for i in range(len(batch)):
            with seeded(seed, batch.x.device, stream="weigh"):
                row = slice(i, i + 1)
                found.append(_weigh(model, batch, samples, look, draws, row, alike=False))
        return _joined(found, dim=1)


def _weigh(
    model: Model,
    batch: Batch,
    samples: int,
    look: Look,
    draws: int,
    rows: slice,
    *,
    alike: bool,
) -> tuple[Tensor, Tensor, Latents]:
    found = []
    batch = batch.rows(rows)
    for first in range(0, samples, draws):
        count = min(draws, samples - first)
        walk = _Walk(len(batch), count, round(count * FROM_PRIOR), alike)
        law = model.descend(walk, batch, batch.condition)
        weights = walk.log_weight + log_prob(law, batch.x, batch.observed)
        found.append((weights, look(law, rows), walk.z))
    return _joined(found, dim=0)


def _joined(
    parts: list[tuple[Tensor, Tensor, Latents]], dim: int
) -> tuple[Tensor, Tensor, Latents]:
    weights, looks, latents = zip(*parts, strict=True)
    z = {name: torch.cat([one[name] for one in latents], dim) for name in latents[0]}
    return torch.cat(weights, dim), torch.cat(looks, dim), z


class _Walk:
    """Chooses z from q, and for the last few draws from p; sums log p(z) - log r(z)."""

    def __init__(self, rows: int, count: int, defence: int, alike: bool) -> None:
        self.rows, self.count, self.defence, self.alike = rows, count, defence, alike
        self.log_p: Tensor | float = 0.0
        self.log_q: Tensor | float = 0.0
        self.z: dict[str, Tensor] = {}

    def __call__(self, name: str, p: Distribution, q: Distribution | None) -> Tensor:
        if q is None:
            raise SupportError(f"the model has no q for group '{name}', and cannot be asked")
        z = self._draw(q, self.count - self.defence, slice(0, self.count - self.defence))
        if self.defence:
            part = slice(self.count - self.defence, self.count)
            z = torch.cat([z, self._draw(p, self.defence, part).to(z.dtype)])
        self.log_p = self.log_p + log_prob(p, z)
        self.log_q = self.log_q + log_prob(q, z)
        self.z[name] = z
        return z

    @property
    def log_weight(self) -> Tensor:
        log_p, log_q = torch.as_tensor(self.log_p), torch.as_tensor(self.log_q)
        if not self.defence:
            return log_p - log_q
        share = self.defence / self.count
        return log_p - torch.logaddexp(log_p + math.log(share), log_q + math.log1p(-share))

    def _draw(self, law: Distribution, count: int, part: slice) -> Tensor:
        """Draw `(count, rows, *event)`; of a law that differs between draws, those of `part`."""
        shape = law.batch_shape
        if self.alike:
            z = _noise_alike(law, self.count if len(shape) == 2 else count)
            z = z.expand(len(z), self.rows, *z.shape[2:])
        elif len(shape) == 2:
            z = law.sample()
        else:
            z = law.sample(torch.Size([count] if shape else [count, self.rows]))
        return z[part] if len(shape) == 2 else z


def _noise_alike(law: Distribution, count: int) -> Tensor:
    """Draw `(count, B, *event)` with the same noise for each of the B rows; B is 1 without any."""
    base = law.base_dist if isinstance(law, Independent) else law
    if isinstance(base, Normal | MultivariateNormal):
        shape, loc = (count, 1, *law.event_shape), base.loc
        return placed(law, torch.randn(shape, dtype=loc.dtype, device=loc.device))
    if not law.batch_shape:  # of no row: a prior
        return law.sample(torch.Size([count, 1]))
    raise OwnNoiseError
