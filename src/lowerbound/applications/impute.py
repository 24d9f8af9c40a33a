"""Gaps filled: draws of the cells that are missing given those that were observed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lowerbound.applications.weighing import check_samples, effective, resample, sizes
from lowerbound.core import Batch, Latents, Model, device_of, on
from lowerbound.data import KINDS, Schema, Source
from lowerbound.distributions import fill
from lowerbound.errors import DataError, SettingError
from lowerbound.seeding import fresh_seed, seeded

#: The values that may stand for a gap.
POINTS = ("auto", "mean", "median", "mode")
MEAN, MEDIAN, MODE = range(3)
#: The chance of a value below the interval that is given with each; the one above likewise.
LOW = 0.05


@dataclass(frozen=True)
class Imputed:
    """Examples without gaps, and how sure each value is; tensors on the CPU.

    Attributes:
        x: The examples, `(N, *event)`, float64; observed cells hold what they held.
        row: Of each of the `G` gaps, its example, `(G,)`.
        cell: Its place in an example that is flattened, `(G,)`.
        value: The value put there, `(G,)`.
        spread: Standard deviation of the cell given the observed ones, or, where the value is the
            most frequent one, the chance that it is another, `(G,)`.
        low: Lower end of an interval that holds the cell in nine cases of ten, `(G,)`.
        high: Its upper end, `(G,)`.
        draws: Multiple imputations of the gaps, `(M, G)`: see `complete`.
        effective: Effective number of draws of each row with gaps, `(R,)`; below about 20 the
            values are rough, and more samples help.
    """

    x: Tensor
    row: Tensor
    cell: Tensor
    value: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor
    draws: Tensor
    effective: Tensor

    def complete(self, draw: int) -> Tensor:
        """Return one imputation of all examples, `(N, *event)`."""
        whole = self.x.flatten(start_dim=1).clone()
        whole[self.row, self.cell] = self.draws[draw]
        return whole.reshape(self.x.shape)


@torch.no_grad()
def impute(
    model: Model | Sequence[Model],
    examples: Source,
    schema: Schema,
    *,
    samples: int = 1000,
    draws: int = 0,
    point: str = "auto",
    seed: int | None = None,
) -> Imputed:
    """Fill gaps by sampling importance resampling: z ~ p(z|x_obs), then x_mis ~ p(x_mis|z).

    Each of K draws z_k ~ q(z|x_obs) has the weight p(x_obs, z_k) / q(z_k|x_obs), by which K are
    drawn again: those of the model's own posterior. Each of them gets an x_mis of its own, so that
    the spread of p(x_mis|z) is all there even where few of the z have a weight.

    Args:
        model: A trained model; or several that were trained on resamples of the data, whose
            differences then are part of the spread, as they should be with few rows.
        examples: `N` examples with gaps.
        schema: Their schema.
        samples: Draws `K` for each row and model; 100 at least for figures that count.
        draws: Multiple imputations `M`.
        point: The value of a gap: "mean", "median" or "mode" of the draws; "auto" for the mean of
            reals and the median of whole numbers. Words and bits always get the most frequent one;
            "mode" of reals whose draws never repeat is their median.
        seed: Of the draws; None for a fresh one. Where no multiple imputations are drawn, all rows
            meet the same noise, so that a mean depends on no other row; where they are, the rows
            are independent, as Rubin's rules need them.

    Raises:
        SettingError: An impossible number or point, no model, or texts or tunes.
        DataError: A row is so extreme that none of its draws has a weight.

    Source: Rubin (1987), "The calculation of posterior distributions by data augmentation",
        comment (sampling importance resampling); Mattei & Frellsen (2019), section 3.2, arXiv
        1812.02633, for a variational autoencoder.
    """
    check_samples(samples)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise SettingError(f"draws must be a whole number from 0 on, got {draws!r}")
    if point not in POINTS:
        raise SettingError(f"point is one of {', '.join(POINTS)}, got {point!r}")
    if schema.is_sequence:
        raise SettingError(f"{schema.describe()} have no gaps that could be filled")
    models = [model] if isinstance(model, Model) else list(model)
    if not models:
        raise SettingError("give at least one model to impute with")
    seed = fresh_seed() if seed is None else seed
    batch = examples.batch(slice(0, len(examples)))
    x = batch.x.double()
    gaps = torch.zeros_like(x, dtype=torch.bool) if batch.observed is None else ~batch.observed
    gaps = gaps.flatten(start_dim=1).cpu()
    incomplete = gaps.any(dim=1).nonzero().flatten()
    if not len(incomplete):
        return _nothing(x.cpu(), draws)
    samples = max(samples, -(-draws // len(models)))
    at_once, most = sizes(models[0], samples)
    ways = _ways(schema, point)
    found = []
    for chunk, rows in enumerate(incomplete.split(at_once)):
        sizes_of, means, drawn = [], [], []
        with seeded(seed, device_of(models[0]), stream=f"impute {chunk}"):
            for index, one in enumerate(models):
                alike = None if draws else seed + index
                with on(one) as device:
                    some = examples.batch(rows).to(device)
                    z, log_weight = resample(one, some, samples, draws=most, seed=alike)
                    _check_weights(log_weight, rows)
                    looks = _looks(one, some, z, most)
                sizes_of.append(effective(log_weight).cpu())
                means.append(looks[0].cpu())
                drawn.append(looks[1].cpu())
        size = torch.stack(sizes_of).sum(dim=0)
        found.append((*_filled(rows, gaps[rows], means, drawn, ways, draws), size))
    row, cell, value, spread, low, high = (torch.cat([f[i] for f in found]) for i in range(6))
    whole = x.cpu().flatten(start_dim=1).clone()  # not the caller's own numbers
    whole[row, cell] = value
    several = torch.cat([f[6] for f in found], dim=1)
    size = torch.cat([f[7] for f in found])
    return Imputed(whole.reshape(x.shape), row, cell, value, spread, low, high, several, size)


def _check_weights(log_weight: Tensor, rows: Tensor) -> None:
    """Raise `DataError` for rows none of whose draws has a weight."""
    bad = ~log_weight.logsumexp(dim=0).isfinite().cpu()
    if bool(bad.any()):
        raise DataError(
            f"{int(bad.sum())} of the examples, the first of them number {int(rows[bad][0])}, lie "
            "too far from the training data to be imputed; look for extreme values"
        )


def _looks(model: Model, batch: Batch, z: Latents, most: int) -> Tensor:
    """E[x_mis|x_obs, z] and a draw of it at each z, `(2, K, B, cells)`; `most` at a time."""
    known = batch.observed
    known = torch.ones_like(batch.x, dtype=torch.bool) if known is None else known
    found = []
    for first in range(0, len(next(iter(z.values()))), most):
        some = {name: value[first : first + most] for name, value in z.items()}
        drawn, mean = fill(model.decode(some, batch.condition), batch.x, known)
        found.append(torch.stack([mean.double(), drawn.double()]).flatten(start_dim=3))
    return torch.cat(found, dim=1)


def _ways(schema: Schema, point: str) -> Tensor:
    """How the value of each cell is found, `(cells,)`."""
    ways: list[int] = []
    for field in schema.modelled:
        kind = KINDS[field.kind]
        if not kind.standardised or kind.levels == 2:
            way = MODE
        elif point == "auto":
            way = MEDIAN if kind.discrete else MEAN
        else:
            way = {"mean": MEAN, "median": MEDIAN, "mode": MODE}[point]
        ways += [way] * field.cells
    return torch.tensor(ways)


def _filled(
    rows: Tensor,
    gaps: Tensor,
    means: list[Tensor],
    drawn: list[Tensor],
    ways: Tensor,
    draws: int,
) -> tuple[Tensor, ...]:
    """Row, cell, value, spread, low, high and draws of each gap.

    Args:
        rows: `(B,)`.
        gaps: `(B, D)`.
        means: Of each model, at each z, `(K, B, D)`.
        drawn: Likewise.
        ways: `(D,)`.
        draws: Multiple imputations.
    """
    place, cell = gaps.nonzero(as_tuple=True)
    none = torch.empty(0, len(place), dtype=torch.float64)
    # the models take turns: between-imputation variance has theirs
    turns = [(index % len(drawn), index // len(drawn)) for index in range(draws)]
    several = torch.stack([drawn[m][k, place, cell] for m, k in turns]) if draws else none
    mean, sample = (torch.cat([one[:, place, cell] for one in part]) for part in (means, drawn))
    sample = sample.sort(dim=0).values
    count = len(sample)
    low, high = sample[_rank(LOW, count)], sample[-1 - _rank(LOW, count)]
    median = sample[(count - 1) // 2]
    mode, often = _mode(sample)
    centre = mean.mean(dim=0)
    centre = torch.where(centre.isfinite(), centre, median)  # means of a heavy tail need not exist
    how = ways[cell]
    repeats = often > 1
    value = torch.where(how == MEAN, centre, median)
    value = torch.where((how == MODE) & repeats, mode, value)
    deviation = sample.std(dim=0, correction=0)
    spread = torch.where((how == MODE) & repeats, 1 - often / count, deviation)
    return rows[place], cell, value, spread, low, high, several


def _rank(share: float, count: int) -> int:
    """The place, from 0, below which a new value would fall with at most this chance.

    Among n draws and one more value of their law, that value is below the k-th with chance
    k / (n + 1); the quantiles of the draws themselves lie nearer to each other, and an interval
    between them would hold too rarely.
    """
    return max(0, math.floor(share * (count + 1)) - 1)


def _mode(sample: Tensor) -> tuple[Tensor, Tensor]:
    """The most frequent value of ascending draws, and how often it is there."""
    place = torch.arange(len(sample)).unsqueeze(1).expand(sample.shape)
    new = torch.ones_like(sample, dtype=torch.bool)
    new[1:] = sample[1:] != sample[:-1]
    start = torch.where(new, place, 0).cummax(dim=0).values
    often, at = (place - start + 1).max(dim=0)  # greatest at the end of a run of equal values
    return sample.gather(0, at.unsqueeze(0)).squeeze(0), often


def _nothing(x: Tensor, draws: int) -> Imputed:
    none, whole = torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.int64)
    return Imputed(x, whole, whole, none, none, none, none, none.new_empty(draws, 0), none)
